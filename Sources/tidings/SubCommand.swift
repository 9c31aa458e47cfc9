import Client
import Core
import Node

/// `tidings sub`: follows topics, over whatever happens to the connection.
enum SubCommand {
  private static let mostFilters = 256
  private static let starts = ["since", "last", "cursor", "consumer"]

  private static let description = CommandDescription(
    name: "tidings sub", synopsis: "[OPTION…] FILTER…", summary: "Follow topics: payloads, one a line, as they come.",
    options: [
      OptionDescription(
        "since", "WHERE", default: "latest",
        "where to start: 'latest', 'earliest', a time ago (5m) or a time (2026-01-31T12:00:00Z)"),
      OptionDescription("last", "COUNT", "start with the last so many messages of each topic"),
      OptionDescription("cursor", "CURSOR", "start behind this cursor"),
      OptionDescription(
        "cursor-file", "FILE",
        "start behind the cursor kept in this file, and keep it up to date: kill it, start it, nothing is missed"),
      OptionDescription("consumer", "NAME", "start where the node remembers this durable consumer to be; a new one begins at --since"),
      OptionDescription(switch: "retained", "first the current value of every matching topic"),
      OptionDescription("count", "COUNT", letter: "n", "stop after so many messages"),
      OptionDescription(switch: "json", "print whole events instead of payloads"),
    ] + NodeConnection.options,
    operands: 1...mostFilters,
    notes: [
      "A filter is a topic in which '+' stands for one level and a last '#' for the rest; in most shells '#' needs quotes."
    ],
    examples: [
      "tidings sub 'orders/#'", "tidings sub 'orders/#' --since earliest --json",
      "tidings sub numbers --cursor-file ~/.numbers-cursor",
    ])

  static func run(_ words: [String]) throws -> Int32 {
    let arguments = try Arguments(reading: words, for: description)
    if arguments.has("help") {
      Console.print(description.helpText)
      return Command.ExitCode.ok
    }
    for filter in arguments.operands {
      do throws(TopicError) {
        _ = try Filter(filter)
      } catch {
        throw UsageError("'\(filter)': \(error)")
      }
    }
    let request = FollowRequest(filters: arguments.operands, start: try start(arguments), retained: arguments.has("retained"))
    let printer = EventPrinter(style: arguments.has("json") ? .json : .payload) { Console.remark("tidings: \($0)") }
    var chance = SystemRandomNumberGenerator()
    let follower = Follower(
      server: try NodeConnection.server(arguments), token: try NodeConnection.token(arguments), request: request,
      cursorFile: arguments.text("cursor-file").map { CursorFile(path: $0) },
      limit: try arguments.number("count", in: 1...Int.max), sink: printer,
      seed: chance.next())
    try follower.run()
    return Command.ExitCode.ok
  }

  private static func start(_ arguments: Arguments) throws(UsageError) -> FollowRequest.Start {
    if let name = arguments.text("consumer"), let since = arguments.text("since"), !["last", "cursor"].contains(where: { arguments.text($0) != nil }) {
      _ = try Moment.start(since, option: "--since")
      guard arguments.text("cursor-file") == nil else {
        throw UsageError("--consumer and --cursor-file both keep a place", hint: "leave out one of them")
      }
      return .consumer(name, since: since)
    }
    let given = starts.filter { arguments.text($0) != nil }
    if given.count > 1 {
      throw UsageError("--\(given[0]) and --\(given[1]) both say where to start", hint: "leave out one of them")
    }
    if given == ["consumer"], arguments.text("cursor-file") != nil {
      throw UsageError("--consumer and --cursor-file both keep a place", hint: "leave out one of them")
    }
    if let count = try arguments.number("last", in: 1...1_000_000) { return .last(count) }
    if let name = arguments.text("consumer") { return .consumer(name, since: nil) }
    if let cursor = arguments.text("cursor") {
      do throws(CursorError) {
        _ = try Cursor(parsing: cursor)
      } catch {
        throw UsageError("--cursor: \(error)")
      }
      return .cursor(cursor)
    }
    return try Moment.start(arguments.text("since") ?? "latest", option: "--since")
  }
}

/// Where to start, as people write it.
enum Moment {
  static func start(_ text: String, option: String) throws(UsageError) -> FollowRequest.Start {
    switch text {
    case "latest": return .latest
    case "earliest": return .earliest
    default:
      if WallTime(timestamp: text) != nil { return .since(text) }
      do throws(UnreadableText) {
        _ = try TimeSpan(reading: text)
      } catch {
        throw UsageError(
          "\(option) cannot be '\(text)'",
          hint: "it is 'latest', 'earliest', a time ago (5m, 24h) or a time (2026-01-31T12:00:00Z)")
      }
      return .since(text)
    }
  }
}
