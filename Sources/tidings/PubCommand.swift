import Client
import Core
import Glibc
import JSON
import Node

/// `tidings pub`: publishes one message, or one for every line of standard input.
enum PubCommand {
  private static let description = CommandDescription(
    name: "tidings pub", synopsis: "[OPTION…] TOPIC [MESSAGE | -]", summary: "Publish a message.",
    options: [
      OptionDescription(
        "type", "TYPE", default: PublishOptions.text, "the payload's content type; with a JSON type it must be JSON"),
      OptionDescription("event", "NAME", "the event type that readers are told"),
      OptionDescription(switch: "retain", "also make it the topic's current value"),
      OptionDescription(switch: "clear", "clear the topic's current value instead of publishing"),
      OptionDescription("ttl", "TIME", "how long it is worth delivering"),
      OptionDescription("key", "KEY", "publish it once, however often this key is sent"),
      OptionDescription("if-match", "OFFSET", "only if this is still the topic's last message"),
      OptionDescription("ack", "KIND", default: "committed", "'committed': wait until it is safe; 'none': do not wait"),
      OptionDescription(switch: "json", "print the node's answer"),
    ] + NodeConnection.options,
    operands: 1...2,
    notes: [
      "Without MESSAGE, standard input to its end is one message; it must not be empty ('' publishes an empty one). With '-', every line is a message of its own; lines carry "
        + "keys, so that a broken connection neither loses nor doubles one."
    ],
    examples: ["tidings pub orders/42 '{\"state\":\"paid\"}' --type application/json", "seq 1000 | tidings pub numbers -"])

  static func run(_ words: [String]) throws -> Int32 {
    let arguments = try Arguments(reading: words, for: description)
    if arguments.has("help") {
      Console.print(description.helpText)
      return Command.ExitCode.ok
    }
    let options = try publishOptions(arguments)
    let client = try NodeConnection.client(arguments)
    if arguments.has("clear") {
      guard arguments.operands.count == 1 else {
        throw UsageError("--clear takes no message", hint: "leave out the message, or --clear")
      }
      try show(Publisher(client: client).clear(topic: options.topic), arguments)
      return Command.ExitCode.ok
    }
    if arguments.operands.count == 2, arguments.operands[1] == "-" { return try publishLines(client, options, arguments) }
    let message = try message(arguments)
    if let complaint = options.complaint(about: message.bytes) {
      throw UsageError("--type \(options.contentType): the message is \(complaint)", hint: "mend it, or leave out --type")
    }
    try show(Publisher(client: client).publish(message, options), arguments)
    return Command.ExitCode.ok
  }

  private static func publishOptions(_ arguments: Arguments) throws -> PublishOptions {
    let topic = arguments.operands[0]
    do throws(TopicError) {
      _ = try Topic(topic)
    } catch {
      throw UsageError("'\(topic)': \(error)")
    }
    var options = PublishOptions(topic: topic)
    options.contentType = try header("type", arguments) ?? options.contentType
    options.eventType = try header("event", arguments)
    options.idempotencyKey = try header("key", arguments)
    options.ifMatch = try header("if-match", arguments)
    // Read here for the sake of its error, passed on as it was written.
    if try arguments.duration("ttl", in: .milliseconds(1)...TimeSpan(nanoseconds: Int64.max)) != nil {
      options.timeToLive = arguments.text("ttl")
    }
    options.retain = arguments.has("retain")
    options.isAcknowledged = try arguments.choice("ack", of: ["committed", "none"]) != "none"
    return options
  }

  /// A value that travels in a header, where control characters cannot.
  private static func header(_ name: String, _ arguments: Arguments) throws(UsageError) -> String? {
    guard let text = arguments.text(name) else { return nil }
    guard !text.isEmpty, text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
      throw UsageError("--\(name) is empty or has control characters")
    }
    return text
  }

  private static func message(_ arguments: Arguments) throws -> Bytes {
    if arguments.operands.count == 2 { return Bytes(arguments.operands[1]) }
    guard isatty(0) == 0 else {
      throw UsageError("there is no message", hint: "write it behind the topic, or pipe it in")
    }
    do {
      let message = try WholeFile.read(descriptor: 0, atMost: LinePublisher.maximumLineSize)
      // What comes out empty is a pipe that failed, far more often than a message that was meant.
      guard !message.isEmpty else { throw UsageError("there is no message: standard input is empty", hint: "for an empty message write ''") }
      return message
    } catch let error as FileProblem {
      throw ClientFailure.input(reason: error.reason)
    }
  }

  private static func publishLines(_ client: HTTPClient, _ options: PublishOptions, _ arguments: Arguments) throws -> Int32 {
    for name in ["key", "if-match"] where arguments.text(name) != nil {
      throw UsageError("--\(name) is for one message, and '-' publishes one for every line", hint: "leave out --\(name)")
    }
    var chance = SystemRandomNumberGenerator()
    let prefix = String(chance.next() as UInt64, radix: 36)
    let publisher = LinePublisher(client: client, options: options, keyPrefix: prefix, seed: chance.next()) { failure in
      Console.remark("tidings: line \(failure.line): \(failure.reason)")
    }
    let summary = try publisher.run()
    if arguments.has("json") {
      Console.print("{\"published\":\(summary.published),\"failed\":\(summary.failed)}\n")
    } else if Console.isTerminal {
      Console.print("\(summary.published) published, \(summary.failed) failed\n")
    }
    return summary.failed == 0 ? Command.ExitCode.ok : Command.ExitCode.failed
  }

  private static func show(_ answer: ClientAnswer, _ arguments: Arguments) throws {
    if arguments.has("json") {
      Console.print(answer.body.text + (answer.body.text.hasSuffix("\n") ? "" : "\n"))
    } else if Console.isTerminal, !answer.body.isEmpty {
      let document = try JSONValue(parsing: answer.body.bytes)
      let what = document["duplicate"]?.boolean == true ? "published before" : "published"
      if let cursor = document["cursor"]?.string { Console.print(Console.styled("\(what): \(cursor)", .dim) + "\n") }
    }
  }
}
