import Client
import Core
import Glibc
import HTTP
import Node

/// `tidings status`: the cluster, as a table, once or again and again.
enum StatusCommand {
  private static let description = CommandDescription(
    name: "tidings status", synopsis: "[OPTION…]", summary: "Show the cluster: its nodes, its shards, what they do.",
    options: [
      OptionDescription(switch: "watch", "show it again and again until interrupted"),
      OptionDescription("every", "TIME", default: "2s", "with --watch: how often"),
      OptionDescription(switch: "json", "print the node's answer, one line each time"),
      OptionDescription(switch: "ready", "ask only whether the node takes clients; the exit code is 1 if not"),
    ] + NodeConnection.options,
    examples: ["tidings status", "tidings status --watch --url http://10.0.0.5:8080"])

  private static let pauses = TimeSpan.milliseconds(200)...TimeSpan.seconds(3600)

  static func run(_ words: [String]) throws -> Int32 {
    let arguments = try Arguments(reading: words, for: description)
    if arguments.has("help") {
      Console.print(description.helpText)
      return Command.ExitCode.ok
    }
    if arguments.text("every") != nil, !arguments.has("watch") {
      throw UsageError("--every goes with --watch", hint: "add --watch, or leave it out")
    }
    if arguments.has("ready"), let other = ["watch", "json"].first(where: { arguments.has($0) }) {
      throw UsageError("--ready and --\(other) do not go together", hint: "leave one of them out")
    }
    let pause = try arguments.duration("every", in: pauses) ?? .seconds(2)
    let client = try NodeConnection.client(arguments)
    if arguments.has("ready") {
      Console.print(try client.succeed(ClientRequest(.get, "/readyz")).body.text)
      return Command.ExitCode.ok
    }
    guard arguments.has("watch") else {
      Console.print(try text(client, asJSON: arguments.has("json")))
      return Command.ExitCode.ok
    }
    while true {
      var shown: String
      do throws(ClientFailure) {
        shown = try text(client, asJSON: arguments.has("json"))
      } catch {
        // Whoever watches wants to see it come back.
        guard error.isTransient else { throw error }
        Console.remark("tidings: \(error)")
        shown = ""
      }
      let clear = Console.isTerminal && !arguments.has("json") && !shown.isEmpty ? "\u{1b}[H\u{1b}[2J" : ""
      guard Console.print(clear + shown) else { return Command.ExitCode.failed }
      usleep(UInt32(pause.nanoseconds / 1000))
    }
  }

  private static func text(_ client: HTTPClient, asJSON: Bool) throws(ClientFailure) -> String {
    let answer = try ClusterStatus.fetch(client)
    guard asJSON else { return try ClusterStatus.text(of: answer) }
    return answer.body.text.split(separator: "\n").joined() + "\n"
  }
}
