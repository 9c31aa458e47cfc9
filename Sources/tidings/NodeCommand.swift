import Client
import Core
import Glibc
import Node

/// `tidings drain` and `tidings leave`: what is wanted of one node, and how far it is.
enum NodeCommand {
  private static let pauses = TimeSpan.milliseconds(500)
  /// Looks at a status without the node in a row, until it is taken to be gone.
  private static let absences = 4

  private static let drain = CommandDescription(
    name: "tidings drain", synopsis: "[OPTION…] NODE",
    summary: "Have a node lead nothing and send its clients elsewhere. It stays, and keeps its replicas.",
    options: [
      OptionDescription(switch: "undo", "have it take part again"), OptionDescription(switch: "no-wait", "do not wait until it is done"),
    ] + NodeConnection.options,
    operands: 1...1,
    notes: ["NODE is a name or an identity, as 'tidings status' shows them. Any node of the cluster can be asked."],
    examples: ["tidings drain broker-2", "tidings drain --undo broker-2"])

  private static let leave = CommandDescription(
    name: "tidings leave", synopsis: "[OPTION…] NODE",
    summary: "Have a node give up everything, for good: others take over its shards and its clients, and its process ends.",
    options: [OptionDescription(switch: "no-wait", "do not wait until it is done")] + NodeConnection.options,
    operands: 1...1,
    notes: [
      "NODE is a name or an identity, as 'tidings status' shows them. Ask another node than the one that leaves, so that the end is seen.",
      "It cannot be taken back: a node that has left comes back only with an empty data directory, as a new one.",
    ],
    examples: ["tidings leave broker-4 --url http://broker-1:8080"])

  static func runDrain(_ words: [String]) throws -> Int32 {
    let arguments = try Arguments(reading: words, for: drain)
    if arguments.has("help") {
      Console.print(drain.helpText)
      return Command.ExitCode.ok
    }
    let name = arguments.operands[0]
    let wishes = NodeWishes(client: try NodeConnection.client(arguments))
    if arguments.has("undo") {
      let identity = try wishes.wish(.resume, of: name)
      guard !arguments.has("no-wait") else { return Command.ExitCode.ok }
      try watch(identity, wishes, until: \.hasResumed) { _ in "'\(name)' still drains" }
      Console.remark("'\(name)' takes part again")
      return Command.ExitCode.ok
    }
    let identity = try wishes.wish(.drain, of: name)
    guard !arguments.has("no-wait") else { return Command.ExitCode.ok }
    try watch(identity, wishes, until: \.hasDrained) { "'\(name)' leads \(count($0.leads, "shard")) and has \(count($0.connections, "follower"))" }
    Console.remark("'\(name)' has drained; stop it whenever you like, or 'tidings drain --undo \(name)'")
    return Command.ExitCode.ok
  }

  static func runLeave(_ words: [String]) throws -> Int32 {
    let arguments = try Arguments(reading: words, for: leave)
    if arguments.has("help") {
      Console.print(leave.helpText)
      return Command.ExitCode.ok
    }
    let name = arguments.operands[0]
    let wishes = NodeWishes(client: try NodeConnection.client(arguments))
    let identity = try wishes.wish(.leave, of: name)
    guard !arguments.has("no-wait") else { return Command.ExitCode.ok }
    // Who joined a moment ago may not be in the status yet, and has not left for that.
    var looksLeft = 0
    func hasLeft(_ progress: NodeWishes.Progress) -> Bool {
      looksLeft = progress.hasLeft ? looksLeft + (progress.state == nil ? 1 : absences) : 0
      return looksLeft >= absences
    }
    try watch(identity, wishes, until: hasLeft) { "'\(name)' holds \(count($0.holds, "shard")) and has \(count($0.connections, "follower"))" }
    Console.remark("'\(name)' has left")
    return Command.ExitCode.ok
  }

  private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

  /// Says what changes until it is done.
  private static func watch(
    _ identity: String, _ wishes: NodeWishes, until isDone: (NodeWishes.Progress) -> Bool, line: (NodeWishes.Progress) -> String
  ) throws(ClientFailure) {
    var shown = ""
    while true {
      do throws(ClientFailure) {
        let progress = try wishes.progress(of: identity)
        if isDone(progress) { return }
        if line(progress) != shown {
          shown = line(progress)
          Console.remark(shown)
        }
      } catch {
        guard error.isTransient else { throw error }
      }
      usleep(UInt32(pauses.nanoseconds / 1000))
    }
  }
}
