import Client
import Node

/// What `tidings` can be told to do. Each subcommand has a file of its own.
enum Command: String, CaseIterable {
  case serve
  case checkConfig = "check-config"
  case pub
  case sub
  case consumers
  case status
  case drain
  case leave
  case bench
  case sim

  static let version = "0.1.0"

  enum ExitCode {
    static let ok: Int32 = 0
    static let failed: Int32 = 1
    /// The command line, the environment or the configuration file asks for what cannot be.
    static let usage: Int32 = 2
  }

  private var synopsis: String {
    switch self {
    case .serve: "serve"
    case .checkConfig: "check-config"
    case .pub: "pub TOPIC [MESSAGE | -]"
    case .sub: "sub FILTER…"
    case .consumers: "consumers"
    case .status: "status [--watch]"
    case .drain: "drain NODE"
    case .leave: "leave NODE"
    case .bench: "bench SCENARIO"
    case .sim: "sim --seed N"
    }
  }

  private var summary: String {
    switch self {
    case .serve: "run a node"
    case .checkConfig: "say what a node would be told, and what is wrong with it"
    case .pub: "publish a message, or one per line of standard input"
    case .sub: "follow topics"
    case .consumers: "list, show, reset and delete durable consumers"
    case .status: "the cluster, as a table"
    case .drain: "have a node lead nothing and send its clients elsewhere"
    case .leave: "have a node give up everything, for good"
    case .bench: "measure: fanout, publish, idle, storm"
    case .sim: "simulate whole clusters and break them"
    }
  }

  /// Runs what `words` (without the program's name) say; the result is the exit code.
  static func run(_ words: [String]) -> Int32 {
    guard let first = words.first else {
      Console.show(problem: "say what to do", hint: "run 'tidings --help' to see what there is")
      return ExitCode.usage
    }
    switch first {
    case "--help", "-h", "help":
      guard words.count > 1, first == "help", let command = Command(rawValue: words[1]) else {
        Console.print(helpText)
        return ExitCode.ok
      }
      return command.run(["--help"])
    case "--version", "version":
      Console.print("tidings \(version)\n")
      return ExitCode.ok
    default:
      guard let command = Command(rawValue: first) else {
        let near = NearestName.of(first, among: allCases.map(\.rawValue))
        let noun = first.hasPrefix("-") ? "option" : "command"
        Console.show(
          problem: "there is no \(noun) '\(first)'",
          hint: near.map { "did you mean 'tidings \($0)'?" } ?? "run 'tidings --help' to see what there is")
        return ExitCode.usage
      }
      return command.run(Array(words.dropFirst()))
    }
  }

  private func run(_ words: [String]) -> Int32 {
    do {
      return switch self {
      case .serve: try ServeCommand.run(words)
      case .checkConfig: CheckConfigCommand.run(words)
      case .pub: try PubCommand.run(words)
      case .sub: try SubCommand.run(words)
      case .consumers: try ConsumersCommand.run(words)
      case .status: try StatusCommand.run(words)
      case .drain: try NodeCommand.runDrain(words)
      case .leave: try NodeCommand.runLeave(words)
      case .bench: try BenchCommand.run(words)
      case .sim: try SimCommand.run(words)
      }
    } catch let error as UsageError {
      Console.show(problem: error.problem, hint: error.hint)
      return ExitCode.usage
    } catch let error as ClientFailure {
      Console.show(problem: "\(error)", hint: error.hint ?? "")
      return ExitCode.failed
    } catch {
      Console.show(problem: "\(error)", hint: "")
      return ExitCode.failed
    }
  }

  static var helpText: String {
    let width = allCases.map(\.synopsis.count).max() ?? 0
    let lines = allCases.map { command in
      "  tidings \(command.synopsis)\(String(repeating: " ", count: width - command.synopsis.count))  \(command.summary)\n"
    }
    return """
      Tidings: publish messages to topics, follow them from anywhere, resume where you stopped.

      Usage: tidings COMMAND [OPTION…]

      \(lines.joined())
      'tidings COMMAND --help' says more about each; 'tidings --version' says which this is.

      """
  }
}
