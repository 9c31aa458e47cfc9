internal import Core
internal import Raft

/// Records one after another, as they come from another node: nothing malformed gets past here.
enum RecordRow {
  /// No shard ever has more messages.
  static let largestOffset = RaftLimits.number

  /// The length of the draft that `memory` begins with.
  static func draft(_ memory: UnsafeRawBufferPointer) throws(WireRefusal) -> Int {
    guard let length = RecordView.draftLength(memory), let base = memory.baseAddress else { throw .damagedRecords }
    let record = RecordView(trusting: base)
    guard Topic.problem(record.topic) == nil else { throw .malformedTopic }
    return length
  }

  /// The record that `memory` begins with: stamped and unharmed.
  static func committed(_ memory: UnsafeRawBufferPointer) throws(WireRefusal) -> RecordView {
    guard case .valid = RecordView.check(memory), let base = memory.baseAddress else { throw .damagedRecords }
    let record = RecordView(trusting: base)
    guard record.kind == .record else { throw .damagedRecords }
    guard record.offset.value <= largestOffset, record.term <= RaftLimits.number else { throw .outOfBounds }
    guard record.previous < record.offset else { throw .contradiction }
    return record
  }

  /// Checks a whole row; `isRising` where it is a stretch of a log. Answers the last offset.
  @discardableResult
  static func check(_ row: Bytes, isRising: Bool) throws(WireRefusal) -> Offset {
    try row.withUnsafeBytes { memory throws(WireRefusal) in
      var at = 0
      var last = Offset.zero
      while at < memory.count {
        let record = try committed(UnsafeRawBufferPointer(rebasing: memory[at...]))
        guard !isRising || record.offset > last else { throw .contradiction }
        last = record.offset
        at += record.length
      }
      return last
    }
  }

  /// The records of a row, each by itself in the row's memory.
  static func split(_ row: Bytes, count: Int) throws(WireRefusal) -> [Bytes] {
    var records: [Bytes] = []
    records.reserveCapacity(count)
    try row.withUnsafeBytes { memory throws(WireRefusal) in
      var at = 0
      while at < memory.count {
        guard records.count < count else { throw .contradiction }
        let length = try committed(UnsafeRawBufferPointer(rebasing: memory[at...])).length
        records.append(row.slice(at..<at + length))
        at += length
      }
    }
    guard records.count == count else { throw .contradiction }
    return records
  }
}
