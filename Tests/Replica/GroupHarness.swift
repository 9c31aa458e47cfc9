import Core
import Feeds
import Journal
import Raft
import Testing

@testable import Replica

/// Several replicas of one shard in one thread: their disks, and the network between them, do as the test says.
final class GroupHarness {
  final class Member {
    let node: NodeID
    var disk = FaultyDisk()
    var replica: ShardReplica?
    var batches: [DiskBatch] = []
    var reads: [ReplicaRead] = []
    var replies: [AddressedReply] = []
    var facts: [ReplicaFact] = []
    var output = ReplicaOutput()
    /// The disk does nothing.
    var isStalled = false

    init(_ node: NodeID) { self.node = node }
    var isUp: Bool { query { _ in true } ?? false }
    var isServing: Bool { query { $0.isServing } ?? false }
    var committed: Offset { query { $0.committed } ?? .zero }
    var lastAppended: Offset { query { $0.lastAppended } ?? .zero }
    var first: Offset { query { $0.first } ?? .zero }
    var voters: [NodeID] { query { $0.status.raft.membership.voters } ?? [] }

    var present: Int { query { $0.status.members } ?? 0 }

    private func query<Value>(_ question: (borrowing ShardReplica) -> Value) -> Value? {
      guard let replica = replica.take() else { return nil }
      let answer = question(replica)
      self.replica = consume replica
      return answer
    }
  }

  var members: [Member]
  var now = Instant.zero
  var wall = WallTime(milliseconds: 1_000_000)
  var random: SeededGenerator
  /// In flight.
  var network: [(from: NodeID, message: AddressedReplicaMessage)] = []
  /// Both ways.
  var cut: Set<NodeID> = []
  /// Of a hundred messages, so many are lost.
  var loss = 0
  private let change: (inout ReplicaSettings) -> Void
  private let founders: Membership
  private var lastTicket: UInt64 = 0

  init(_ count: Int, joining: Int = 0, seed: UInt64 = 1, _ change: @escaping (inout ReplicaSettings) -> Void = { _ in }) throws {
    random = SeededGenerator(seed: seed)
    members = (1...count + joining).map { Member(NodeID(UInt64($0))) }
    founders = Membership(voters: (1...count).map { NodeID(UInt64($0)) })
    self.change = change
    for member in members { try start(member) }
  }

  func start(_ member: Member) throws {
    var settings = ReplicaSettings(shard: Harness.shard, node: member.node)
    settings.members = founders.contains(member.node) ? founders : Membership(voters: [])
    change(&settings)
    member.replica = try ShardReplica.open(
      settings, journal: Harness.smallJournal, disk: &member.disk, seed: random.next(), at: now, into: &member.output)
    collect(member)
  }

  /// The process is gone. With the power off, so is what the disk had not synced.
  func stop(_ member: Member, powerOff: Bool = false) {
    member.replica = nil
    member.batches = []
    member.reads = []
    member.output.removeAll()
    if powerOff { member.disk.crash(&random) }
  }

  private func collect(_ member: Member) {
    #expect(member.output.disk.facts.isEmpty)
    member.batches += member.output.disk.batches
    member.reads += member.output.reads
    member.replies += member.output.replies
    member.facts += member.output.facts
    for message in member.output.messages { network.append((member.node, message)) }
    member.output.removeAll()
  }

  private func member(_ node: NodeID) -> Member { members[Int(node.value) - 1] }
  var leader: Member? { members.first { $0.isServing && !cut.contains($0.node) } }

  /// Ten milliseconds.
  func step() {
    now = now + .milliseconds(10)
    wall.milliseconds += 10
    let arriving = network
    network = []
    for (from, addressed) in arriving {
      let to = member(addressed.to)
      guard to.isUp, !cut.contains(from), !cut.contains(addressed.to), random.below(100) >= loss else { continue }
      to.replica!.receive(addressed.message, from: from, at: now, into: &to.output)
      collect(to)
    }
    for member in members where member.isUp {
      if !member.isStalled { serveDisk(member) }
      member.replica!.tick(at: now, wall: wall, into: &member.output)
      member.replica!.turnEnds(at: now, wall: wall, into: &member.output)
      collect(member)
    }
  }

  private func serveDisk(_ member: Member) {
    let batches = member.batches
    member.batches = []
    for batch in batches {
      var failure: DiskError?
      for operation in batch.operations where failure == nil {
        do throws(DiskError) { try member.disk.perform(operation) } catch { failure = error }
      }
      if let failure {
        member.replica!.failed(batch.ticket, failure, at: now, into: &member.output)
      } else {
        member.replica!.completed(batch.ticket, at: now, into: &member.output)
      }
      collect(member)
    }
    let reads = member.reads
    member.reads = []
    for read in reads {
      var buffer = ByteBuffer()
      var result: Result<Bytes, DiskError>
      do throws(DiskError) {
        try member.disk.read(read.plan.file, at: read.plan.position, count: read.plan.length, into: &buffer)
        result = .success(buffer.freeze())
      } catch {
        result = .failure(error)
      }
      member.replica!.readCompleted(read.ticket, result, at: now, wall: wall, into: &member.output)
      collect(member)
    }
  }

  /// Goes on until it holds; false when it does not within a simulated minute.
  @discardableResult func run(until holds: () -> Bool) -> Bool {
    for _ in 0..<6000 {
      if holds() { return true }
      step()
    }
    return holds()
  }

  func run(milliseconds: Int) { for _ in 0..<milliseconds / 10 { step() } }

  func elect() throws -> Member {
    run { leader != nil }
    return try #require(leader)
  }

  @discardableResult func publish(_ payload: String, key: String = "", at member: Member) -> Ticket {
    let batch = PublishBatch(edge: EdgeID(1))
    let record = RecordDraft()
    record.encode(topic: "t", key: key, payload: Array(payload.utf8), into: &batch.records)
    lastTicket += 1
    batch.entries.append(PublishEntry(ticket: Ticket(lastTicket), length: batch.records.count, expectedHead: nil, wantsAnswer: true))
    member.replica!.receive(.publish(batch), at: now, wall: wall, into: &member.output)
    collect(member)
    return Ticket(lastTicket)
  }

  func receive(_ request: ShardRequest, at member: Member) {
    member.replica!.receive(request, at: now, wall: wall, into: &member.output)
    collect(member)
  }

  /// What a member answers to something about who is present.
  func ask(_ operation: PresenceRequest.Operation, from edge: EdgeID = EdgeID(1), at member: Member) -> Result<PresenceReply.Answer, Refusal>? {
    lastTicket += 1
    let request = PresenceRequest(edge: edge, ticket: Ticket(lastTicket), operation: operation)
    member.replica!.receive(.presence(request), at: now, wall: wall, into: &member.output)
    collect(member)
    for case .presence(let reply) in member.replies.map(\.reply) where reply.ticket == request.ticket { return reply.result }
    return nil
  }

  func outcome(of ticket: Ticket, at member: Member) -> PublishResult.Outcome? {
    for reply in member.replies {
      if case .published(_, let results) = reply.reply, let result = results.first(where: { $0.ticket == ticket }) { return result.outcome }
    }
    return nil
  }

  /// Publishes until it is acknowledged by whoever leads, under one key; the offset.
  func keep(_ payload: String) throws -> Offset {
    for _ in 0..<50 {
      let leader = try elect()
      let ticket = publish(payload, key: payload, at: leader)
      run { outcome(of: ticket, at: leader) != nil || !leader.isServing }
      if case .accepted(let offset, _)? = outcome(of: ticket, at: leader) { return offset }
      if case .duplicate(let offset, _)? = outcome(of: ticket, at: leader) { return offset }
    }
    throw DiskError(.failed, operation: "publish \(payload)")
  }

  /// Whether all that run are committed alike, up to the newest.
  var isLevel: Bool {
    let running = members.filter(\.isUp)
    return Set(running.map(\.committed) + running.map(\.lastAppended)).count == 1 && leader != nil
  }

  /// Everything a replica has committed, as its leader would serve it.
  func contents(of member: Member) throws -> [Seen] {
    let request = ReadRequest(edge: EdgeID(9), ticket: Ticket(1 << 40), filters: [try Filter("#")], start: .earliest, maximumBytes: 1 << 30)
    member.replies = []
    member.replica!.receive(.read(request), at: now, wall: wall, into: &member.output)
    collect(member)
    run { member.replies.contains { if case .read = $0.reply { true } else { false } } }
    for reply in member.replies { if case .read(let read) = reply.reply { return Seen.all(try read.result.get().pieces) } }
    return []
  }

  func takeFacts(_ member: Member) -> [ReplicaFact] {
    defer { member.facts = [] }
    return member.facts
  }
}
