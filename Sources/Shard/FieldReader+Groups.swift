internal import Core
internal import Feeds

// A group is a name and a filter, each u16 length and the text; stretches are u16 count, and of each u64 first and u64 last.

extension FieldReader {
  /// No log becomes so long.
  private static let largestOffset = UInt64.max >> 2

  mutating func group() throws(Failure) -> GroupName {
    let name = try field()
    guard name.count <= GroupLimits.nameBytes else { throw Failure(what: "a group's name of \(name.count) bytes") }
    let filter = Bytes(copying: try field())
    do {
      return GroupName(name: Bytes(copying: name), filter: try Filter(filter))
    } catch {
      throw Failure(what: "\(error)")
    }
  }

  mutating func groupOffset() throws(Failure) -> Offset {
    let value = try u64()
    guard value <= Self.largestOffset else { throw Failure(what: "an offset that no log has") }
    return Offset(value)
  }

  mutating func stretches() throws(Failure) -> [OffsetRange] {
    let count = Int(try u16())
    guard count <= GroupLimits.stretches else { throw Failure(what: "\(count) stretches") }
    var ranges: [OffsetRange] = []
    for _ in 0..<count {
      let first = try groupOffset()
      let last = try groupOffset()
      guard first <= last, ranges.last.map({ $0.last < first }) ?? true else { throw Failure(what: "stretches out of order") }
      ranges.append(OffsetRange(first: first, last: last))
    }
    return ranges
  }
}

extension ByteBuffer {
  mutating func append(group: GroupName) {
    append(field: group.name)
    append(field: group.filter.bytes)
  }

  mutating func append(stretches: [OffsetRange]) {
    precondition(stretches.count <= GroupLimits.stretches, "more stretches than are kept")
    append(littleEndian: UInt16(stretches.count))
    for range in stretches {
      append(littleEndian: range.first.value)
      append(littleEndian: range.last.value)
    }
  }
}
