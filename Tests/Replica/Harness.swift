import Core
import Feeds
import Journal
import Testing

@testable import Replica
@testable import Shard

/// Drives one replica by hand: what it wants of the disk waits until the test lets it happen.
final class Harness {
  static let shard = ShardID(3 as UInt16)

  var replica: ShardReplica
  var disk: FaultyDisk
  var settings: ReplicaSettings
  var now = Instant.zero
  var wall = WallTime(milliseconds: 1_000_000)
  var batches: [DiskBatch] = []
  var reads: [ReplicaRead] = []
  var replies: [AddressedReply] = []
  var facts: [ReplicaFact] = []
  var notices: [SessionNotice] = []
  private var output = ReplicaOutput()
  private var lastTicket: UInt64 = 0

  static var smallJournal: JournalSettings {
    var settings = JournalSettings()
    settings.segmentBytes = 8 << 10
    settings.firstReserveBytes = 4 << 10
    settings.largestReserveBytes = 4 << 10
    settings.indexSpacingBytes = 512
    settings.indexSaveBytes = 4 << 10
    settings.scanBytes = 2 << 10
    return settings
  }

  init(disk: FaultyDisk = FaultyDisk(), _ change: (inout ReplicaSettings) -> Void = { _ in }) throws {
    var settings = ReplicaSettings(shard: Harness.shard, node: NodeID(1))
    change(&settings)
    self.settings = settings
    self.disk = disk
    replica = try ShardReplica.open(settings, journal: Harness.smallJournal, disk: &self.disk, seed: 1, at: .zero, into: &output)
    collect()
  }

  /// The process dies; another opens what the disk still has.
  func restart(losing random: inout SeededGenerator) throws {
    disk.crash(&random)
    try reopen()
  }

  func reopen() throws {
    batches = []
    reads = []
    replies = []
    facts = []
    output.removeAll()
    replica = try ShardReplica.open(settings, journal: Harness.smallJournal, disk: &disk, seed: 2, at: now, into: &output)
    collect()
  }

  private func collect() {
    #expect(output.disk.facts.isEmpty)
    batches += output.disk.batches
    reads += output.reads
    replies += output.replies
    facts += output.facts
    notices += output.notices
    output.removeAll()
  }

  func receive(_ request: ShardRequest) {
    replica.receive(request, at: now, wall: wall, into: &output)
    collect()
  }

  func turnEnds() {
    replica.turnEnds(at: now, wall: wall, into: &output)
    collect()
  }

  func tick(after milliseconds: Int = 100) {
    now = now + .milliseconds(milliseconds)
    wall.milliseconds += Int64(milliseconds)
    replica.tick(at: now, wall: wall, into: &output)
    collect()
  }

  /// Lets the disk do the oldest batch.
  func write() {
    let batch = batches.removeFirst()
    var failure: DiskError?
    for operation in batch.operations where failure == nil {
      do throws(DiskError) { try disk.perform(operation) } catch { failure = error }
    }
    if let failure { replica.failed(batch.ticket, failure, at: now, into: &output) } else { replica.completed(batch.ticket, at: now, into: &output) }
    if let failure, failure.kind != .noSpace { batches = [] }
    collect()
  }

  func read(_ index: Int = 0) {
    let read = reads.remove(at: index)
    var buffer = ByteBuffer()
    var result: Result<Bytes, DiskError>
    do throws(DiskError) {
      try disk.read(read.plan.file, at: read.plan.position, count: read.plan.length, into: &buffer)
      result = .success(buffer.freeze())
    } catch {
      result = .failure(error)
    }
    replica.readCompleted(read.ticket, result, at: now, wall: wall, into: &output)
    collect()
  }

  /// Ends the turn and lets everything happen.
  func settle() {
    turnEnds()
    while !batches.isEmpty || !reads.isEmpty {
      while !batches.isEmpty { write() }
      while !reads.isEmpty { read() }
    }
  }

  func close() {
    replica.close(at: now, wall: wall, into: &output)
    collect()
    var ticks = 0
    while !facts.contains(.closed), ticks < 100 {
      ticks += 1
      settle()
      tick()
    }
    settle()
  }

  func ticket() -> Ticket {
    lastTicket += 1
    return Ticket(lastTicket)
  }
}

/// One message as a test publishes it.
struct Draft {
  var topic: String
  var payload = "x"
  var key = ""
  var flags: RecordFlags = []
  var timeToLive: UInt32 = 0
  var head: UInt64?
  var wantsAnswer = true

  init(_ topic: String, _ payload: String = "x", key: String = "", flags: RecordFlags = [], timeToLive: UInt32 = 0, head: UInt64? = nil) {
    self.topic = topic
    self.payload = payload
    self.key = key
    self.flags = flags
    self.timeToLive = timeToLive
    self.head = head
  }
}

extension Harness {
  @discardableResult func publish(_ drafts: [Draft], edge: UInt32 = 1) -> [Ticket] {
    let batch = PublishBatch(edge: EdgeID(edge))
    for draft in drafts {
      let before = batch.records.count
      var record = RecordDraft()
      record.flags = draft.flags
      record.timeToLiveMilliseconds = draft.timeToLive
      record.encode(topic: draft.topic, key: draft.key, payload: Array(draft.payload.utf8), into: &batch.records)
      batch.entries.append(
        PublishEntry(
          ticket: ticket(), length: batch.records.count - before, expectedHead: draft.head.map { Offset($0) },
          wantsAnswer: draft.wantsAnswer))
    }
    let tickets = batch.entries.map(\.ticket)
    receive(.publish(batch))
    return tickets
  }

  func takeResults() -> [PublishResult] {
    var found: [PublishResult] = []
    for reply in replies { if case .published(_, let results) = reply.reply { found += results } }
    replies.removeAll { if case .published = $0.reply { true } else { false } }
    return found
  }

  func takePushes(edge: UInt32 = 1) -> [FeedPush] {
    var found: [FeedPush] = []
    for reply in replies where reply.edge == EdgeID(edge) { if case .push(let push) = reply.reply { found.append(push) } }
    replies.removeAll { if case .push = $0.reply { $0.edge == EdgeID(edge) } else { false } }
    return found
  }

  func ask(_ start: ReadStart, _ filters: [String], maximumBytes: Int = 1 << 20, edge: UInt32 = 1) throws -> Ticket {
    let request = ReadRequest(
      edge: EdgeID(edge), ticket: ticket(), filters: try filters.map { try Filter($0) }, start: start, maximumBytes: maximumBytes)
    receive(.read(request))
    return request.ticket
  }

  /// Asks and lets everything happen.
  func page(_ start: ReadStart, _ filters: [String], maximumBytes: Int = 1 << 20) throws -> ReadReply.Page {
    let ticket = try ask(start, filters, maximumBytes: maximumBytes)
    settle()
    return try #require(takeRead(ticket)).result.get()
  }

  func takeRead(_ ticket: Ticket) -> ReadReply? {
    for (index, reply) in replies.enumerated() {
      if case .read(let read) = reply.reply, read.ticket == ticket {
        replies.remove(at: index)
        return read
      }
    }
    return nil
  }

  func history(_ topic: String, before: UInt64? = nil, limit: Int = 100) throws -> [Bytes] {
    let request = HistoryRequest(
      edge: EdgeID(1), ticket: ticket(), topic: try Topic(topic), before: before.map { Offset($0) }, limit: limit)
    receive(.history(request))
    settle()
    for (index, reply) in replies.enumerated() {
      if case .history(let history) = reply.reply, history.ticket == request.ticket {
        replies.remove(at: index)
        return try history.result.get()
      }
    }
    Issue.record("no answer")
    return []
  }

  func interest(add: [String], remove: [String] = [], edge: UInt32 = 1) throws -> InterestReply {
    let change = InterestChange(
      edge: EdgeID(edge), ticket: ticket(), add: try add.map { try Filter($0) }, remove: try remove.map { try Filter($0) })
    receive(.interest(change))
    guard case .interest(let reply) = try #require(replies.last).reply else { throw DiskError(.failed, operation: "interest") }
    replies.removeLast()
    return reply
  }

  func takeSessions() -> [SessionReply] {
    var found: [SessionReply] = []
    for reply in replies { if case .session(let session) = reply.reply { found.append(session) } }
    replies.removeAll { if case .session = $0.reply { true } else { false } }
    return found
  }

  func takeConsumers() -> [ConsumerReply] {
    var found: [ConsumerReply] = []
    for reply in replies { if case .consumer(let consumer) = reply.reply { found.append(consumer) } }
    replies.removeAll { if case .consumer = $0.reply { true } else { false } }
    return found
  }
}

/// What is in some pieces, easy to compare.
struct Seen: Hashable, CustomStringConvertible {
  var offset: UInt64
  var topic: String
  var payload: String

  var description: String { "\(offset):\(topic)=\(payload)" }

  static func all(_ pieces: [Bytes]) -> [Seen] {
    pieces.flatMap { piece in
      piece.withUnsafeBytes { memory in
        #expect(!memory.isEmpty)
        return RecordSequence(trusting: memory).map { record in
          #expect(RecordView.check(record.encoded) == .valid(length: record.length))
          return Seen(
            offset: record.offset.value, topic: String(decoding: record.topic, as: UTF8.self),
            payload: String(decoding: record.payload, as: UTF8.self))
        }
      }
    }
  }
}
