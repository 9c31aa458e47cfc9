import Core

@testable import Raft

/// A cluster that does what a scenario's commands say, and nothing by itself, and tells what happens.
///
/// Messages wait until they are delivered; clocks stand until they are moved; disks are fast, that is done at once,
/// unless a command makes them slow. `Scenarios/README.md` lists the commands.
final class Scenario {
  struct Envelope {
    var from: Int
    var to: Int
    var message: RaftMessage
  }

  struct Mistake: Error {
    let text: String
    init(_ text: String) { self.text = text }
  }

  /// No scenario needs more to come to rest.
  static let mostDeliveries = 1000

  let ledger = Ledger()
  var nodes: [TestNode] = []
  var network: [Envelope] = []
  var blocked: Set<[Int]> = []
  var clock = Instant.zero
  var choices: [(String, Int)] = []
  var applied: [Offset] = []
  /// What the command in hand has told so far.
  var trace: [String] = []
  var isQuiet = false

  func node(_ word: Substring?) throws -> Int {
    guard let word, let number = Int(word), number >= 1, number <= nodes.count else {
      throw Mistake("no node \(word ?? "named")")
    }
    return number - 1
  }

  /// Carries out one command, and returns what it told.
  func perform(_ command: String) throws -> [String] {
    trace = []
    isQuiet = false
    var words = command.split(separator: " ")
    if words.first == "quietly" {
      isQuiet = true
      words.removeFirst()
    }
    guard let verb = words.first else { throw Mistake("no command") }
    let before = ledger.violations.count
    try carryOut(verb, words.dropFirst())
    for violation in ledger.violations.dropFirst(before) { trace.append("VIOLATED \(violation)") }
    return trace
  }

  func tell(_ line: String) { if !isQuiet { trace.append(line) } }

  /// Lets one event happen at a node and draws its consequences.
  func at(_ index: Int, _ event: (TestNode) -> Void) {
    let node = nodes[index]
    guard node.isUp else { return }
    event(node)
    settle(index)
  }

  func settle(_ index: Int) {
    let node = nodes[index]
    while node.isUp {
      while !node.output.isEmpty { drain(index) }
      guard !node.isDiskSlow, !node.disk.isIdle else { return }
      while !node.disk.hardStateQueue.isEmpty { node.completeHardState(at: clock) }
      while !node.disk.logQueue.isEmpty { node.completeLog(at: clock) }
    }
  }

  private func drain(_ index: Int) {
    let node = nodes[index]
    let output = node.output
    node.askDisk()
    node.output.removeAll()
    ledger.check(facts: output.facts, at: node.id)
    for fact in output.facts {
      if case .becameLeader(let term, _) = fact { ledger.check(leader: node.id, term: term, log: node.disk.cached) }
      if case .snapshotInstalled(let mark) = fact { applied[index] = max(applied[index], mark.state) }
      trace.append("  \(index + 1) \(fact.words)")
    }
    if let state = output.hardState { tell("  \(index + 1) saves \(state.words)") }
    for write in output.writes { tell("  \(index + 1) \(write.words)") }
    for piece in output.snapshotPieces { tell("  \(index + 1) \(piece.words)") }
    if let offset = output.committed {
      tell("  \(index + 1) commits up to \(offset)")
      ledger.check(committed: offset, after: applied[index], log: node.disk.cached, at: node.id, term: node.machine.term)
      applied[index] = max(applied[index], offset)
    }
    for message in output.messages { post(message.message, from: index, to: message.to) }
    for beat in output.heartbeats { post(.heartbeat(beat.heartbeat), from: index, to: beat.to) }
    for reply in output.heartbeatReplies { post(.heartbeatReply(reply.reply), from: index, to: reply.to) }
    for fetch in output.fetches {
      tell("  \(index + 1) reads entries from \(fetch.from) for \(fetch.follower.short)")
      node.machine.fetched(fetch, node.fetch(fetch), at: clock, into: &node.output)
    }
    for read in output.snapshotReads {
      tell("  \(index + 1) reads its snapshot of \(read.state) from byte \(read.position) for \(read.follower.short)")
      let answer = node.read(read)
      node.machine.snapshotRead(read, answer?.bytes, isLast: answer?.isLast ?? false, at: clock, into: &node.output)
    }
  }

  private func post(_ message: RaftMessage, from: Int, to node: NodeID) {
    let to = Int(node.value) - 1
    guard !blocked.contains([from, to]) else { return tell("  lost \(from + 1)→\(to + 1) \(message.words)") }
    network.append(Envelope(from: from, to: to, message: message))
  }

  func deliver(_ place: Int) {
    let envelope = network.remove(at: place)
    guard nodes[envelope.to].isUp else {
      return tell("lost \(envelope.from + 1)→\(envelope.to + 1) \(envelope.message.words)")
    }
    tell("\(envelope.from + 1)→\(envelope.to + 1) \(envelope.message.words)")
    at(envelope.to) { $0.machine.receive(envelope.message, from: nodes[envelope.from].id, at: clock, into: &$0.output) }
  }
}
