public import Core
internal import Feeds

/// Reads a snapshot back, in pieces of any size. What it reads may be wrong in any way: the answer is an error.
public struct SnapshotDecoder: ~Copyable {
  private var state = ShardState()
  private var pending = ByteBuffer()
  private var hasBegun = false
  private var hasEnded = false

  public init() {}

  public mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(ShardStateError) {
    if pending.isEmpty {
      let used = try readItems(bytes)
      if used < bytes.count { pending.append(UnsafeRawBufferPointer(rebasing: bytes[used...])) }
      return
    }
    pending.append(bytes)
    let whole = UnsafeRawBufferPointer(start: pending.readPointer, count: pending.count)
    let used = try readItems(whole)
    pending.removeFirst(used)
  }

  public consuming func finish() throws(ShardStateError) -> ShardState {
    guard hasEnded, pending.isEmpty else { throw .malformedSnapshot("it ends too early") }
    return state
  }

  /// Reads whole items; answers how many bytes they took.
  private mutating func readItems(_ bytes: UnsafeRawBufferPointer) throws(ShardStateError) -> Int {
    var at = 0
    while bytes.count - at >= SnapshotFormat.itemHeaderSize {
      let number = bytes[at]
      let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at + 1, as: UInt32.self)))
      guard length <= SnapshotFormat.maximumItemLength else { throw .malformedSnapshot("an item of \(length) bytes") }
      guard bytes.count - at - SnapshotFormat.itemHeaderSize >= length else { return at }
      guard !hasEnded else { throw .malformedSnapshot("bytes after its end") }
      guard let tag = SnapshotFormat.Tag(rawValue: number) else { throw .malformedSnapshot("an item of kind \(number)") }
      guard hasBegun || tag == .beginning else { throw .malformedSnapshot("no beginning") }
      let start = at + SnapshotFormat.itemHeaderSize
      var reader = FieldReader(UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
      do {
        try readItem(tag, length, &reader)
      } catch let error as ShardStateError {
        throw error
      } catch let error as FieldReader.Failure {
        throw .malformedSnapshot(error.what)
      } catch {
        throw .malformedSnapshot("\(error)")
      }
      guard reader.isAtEnd else { throw .malformedSnapshot("an item is longer than what it holds") }
      at = start + length
    }
    return at
  }

  private mutating func readItem(_ tag: SnapshotFormat.Tag, _ length: Int, _ reader: inout FieldReader) throws {
    switch tag {
    case .beginning:
      let version = try reader.u16()
      guard version == SnapshotFormat.version else { throw ShardStateError.unknownSnapshotVersion(version) }
      guard !hasBegun else { throw ShardStateError.malformedSnapshot("two beginnings") }
      hasBegun = true
      state.applied = Offset(try reader.u64())
      state.time = try reader.time()
      state.messages = try reader.u64()
      state.sweepAt = Int(clamping: try reader.u64())
      state.forgottenUpTo = Offset(try reader.u64())
      state.plain = PlainEntries(unknownUpTo: state.applied)
    case .plain:
      let knownAfter = Offset(try reader.u64())
      let count = Int(try reader.u32())
      guard count < PlainEntries.keptRuns * 2 else { throw ShardStateError.malformedSnapshot("\(count) runs of plain entries") }
      var runs: [PlainEntries.Run] = []
      for _ in 0..<count { runs.append(PlainEntries.Run(first: Offset(try reader.u64()), last: Offset(try reader.u64()))) }
      guard runs.last.map({ $0.last <= state.applied }) ?? (knownAfter <= state.applied), let plain = PlainEntries(runs: runs, knownAfter: knownAfter) else {
        throw ShardStateError.malformedSnapshot("plain entries out of order")
      }
      state.plain = plain
    case .topic:
      try readTopic(length, &reader)
    case .key:
      let name = Array(try reader.field())
      state.keys.note(name, IdempotencyKeys.Use(offset: Offset(try reader.u64()), time: try reader.time()))
    case .consumer:
      let name = try reader.consumerName()
      let consumer = Consumer(
        name: name, filters: try reader.filters(), cursor: try reader.cursor(), created: try reader.time(),
        updated: try reader.time())
      guard state.consumers.restore(consumer) else { throw ShardStateError.malformedSnapshot("a consumer twice") }
    case .session:
      let client = Bytes(copying: try reader.field())
      guard state.sessions.restore(client, try reader.session()) else { throw ShardStateError.malformedSnapshot("a session twice") }
    case .wills:
      let newest = try reader.u64()
      guard try reader.u64() == state.sessions.count else { throw ShardStateError.malformedSnapshot("other sessions than it says it holds") }
      var wills: [SessionTable.DueWill] = []
      for _ in 0..<(try reader.u32()) { wills.append(SessionTable.DueWill(number: try reader.u64(), record: try reader.long())) }
      state.sessions.restore(wills: wills, newest: newest)
    case .group:
      let place = GroupPlace(
        group: try reader.group(), cursor: try reader.groupOffset(), done: try reader.stretches(), created: try reader.time(),
        updated: try reader.time())
      guard state.groups.restore(place) else { throw ShardStateError.malformedSnapshot("a group twice, or with a place that cannot be") }
    case .end:
      let topics = try reader.u64()
      let keys = try reader.u64()
      let consumers = try reader.u64()
      guard topics == state.topics.count, keys == state.keys.count, consumers == state.consumers.count else {
        throw ShardStateError.malformedSnapshot("what it holds is not what it says it holds")
      }
      hasEnded = true
    }
  }

  private mutating func readTopic(_ length: Int, _ reader: inout FieldReader) throws {
    let topic = try reader.field()
    let newest = Offset(try reader.u64())
    let count = try reader.u32()
    var retained: Bytes?
    let rest = length - reader.at
    if rest > 0 {
      let record = try reader.take(rest)
      guard RecordView.check(record) == .valid(length: rest), RecordView(trusting: record.baseAddress.unsafelyUnwrapped).kind == .record
      else { throw ShardStateError.malformedSnapshot("a current value that is no record") }
      retained = Bytes(copying: record)
    }
    guard state.topics.restore(topic, newest: newest, count: count, retained: retained) else {
      throw ShardStateError.malformedSnapshot("a topic twice")
    }
  }
}

extension ShardState {
  /// Reads a whole snapshot.
  public init(snapshot: Bytes) throws(ShardStateError) {
    var decoder = SnapshotDecoder()
    let failure: ShardStateError? = snapshot.withUnsafeBytes { bytes in
      do throws(ShardStateError) {
        try decoder.feed(bytes)
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
    self = try decoder.finish()
  }
}
