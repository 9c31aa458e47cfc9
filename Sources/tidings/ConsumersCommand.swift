import Client
import Core
import Node

/// `tidings consumers`: looks after durable consumers.
enum ConsumersCommand {
  private enum Action: String, CaseIterable {
    case list
    case show
    case reset
    case delete
  }

  private static let description = CommandDescription(
    name: "tidings consumers", synopsis: "[OPTION…] [list | show NAME | reset NAME | delete NAME]",
    summary: "Look after durable consumers: readers whose place the node remembers.",
    options: [
      OptionDescription("since", "WHERE", "with reset: 'latest', 'earliest', a time ago (5m) or a time (2026-01-31T12:00:00Z)"),
      OptionDescription("cursor", "CURSOR", "with reset: behind this cursor"),
      OptionDescription(switch: "json", "print the node's answer"),
    ] + NodeConnection.options,
    operands: 0...2,
    examples: ["tidings consumers", "tidings consumers reset billing --since 24h", "tidings consumers delete billing"])

  static func run(_ words: [String]) throws -> Int32 {
    let arguments = try Arguments(reading: words, for: description)
    if arguments.has("help") {
      Console.print(description.helpText)
      return Command.ExitCode.ok
    }
    let word = arguments.operands.first ?? Action.list.rawValue
    guard let action = Action(rawValue: word) else {
      let names = Action.allCases.map(\.rawValue)
      let near = NearestName.of(word, among: names)
      throw UsageError(
        "consumers cannot '\(word)'",
        hint: near.map { "did you mean '\($0)'?" } ?? "it is one of \(names.joined(separator: ", "))")
    }
    let name = arguments.operands.count > 1 ? arguments.operands[1] : nil
    guard (name == nil) == (action == .list) else {
      throw UsageError(
        action == .list ? "'list' takes no name" : "which consumer? '\(word)' needs a name",
        hint: "usage: \(description.name) \(description.synopsis)")
    }
    for option in ["since", "cursor"] where arguments.text(option) != nil && action != .reset {
      throw UsageError("--\(option) goes with 'reset'", hint: "leave it out")
    }
    let place = action == .reset ? try place(arguments) : nil
    let commands = ConsumerCommands(client: try NodeConnection.client(arguments))
    switch (action, name) {
    case (.show, let name?): try show(commands.show(name), arguments, ConsumerCommands.details)
    case (.reset, let name?):
      guard let place else { preconditionFailure("a reset has a place") }
      let answer = try commands.reset(name, to: place)
      if arguments.has("json") { try show(answer, arguments) { _ in "" } } else { Console.remark("'\(name)' was moved") }
    case (.delete, let name?):
      try commands.delete(name)
      Console.remark("'\(name)' was deleted")
    default: try show(commands.list(), arguments, ConsumerCommands.table)
    }
    return Command.ExitCode.ok
  }

  private static func place(_ arguments: Arguments) throws(UsageError) -> ConsumerCommands.Place {
    switch (arguments.text("cursor"), arguments.text("since")) {
    case (let cursor?, nil): return .cursor(cursor)
    case (nil, let since?):
      _ = try Moment.start(since, option: "--since")
      return .since(since)
    case (nil, nil): throw UsageError("reset to where?", hint: "add --since WHERE or --cursor CURSOR")
    default: throw UsageError("--since and --cursor both say where to", hint: "leave out one of them")
    }
  }

  private static func show(_ answer: ClientAnswer, _ arguments: Arguments, _ text: (ClientAnswer) throws -> String) throws {
    if arguments.has("json") {
      Console.print(answer.body.text + (answer.body.text.hasSuffix("\n") ? "" : "\n"))
    } else {
      Console.print(try text(answer))
    }
  }
}
