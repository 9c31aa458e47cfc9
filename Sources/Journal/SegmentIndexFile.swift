internal import Core

/// `<first>.index`: what opening would otherwise learn by reading the whole segment. Written when a segment is
/// closed, and now and then for the open one; it covers only what is durable, so it is a witness too.
enum SegmentIndexFile {
  private static let fixedSize = 48
  private static let pointSize = 24

  /// `durable` is the last entry before the segment's durable end.
  static func encode(_ segment: Segment, durable: Offset) -> Bytes {
    let points = segment.points.prefix { $0.position < segment.durableEnd }
    var buffer = ByteBuffer(capacity: Frame.headerSize + fixedSize + points.count * pointSize)
    Frame.begin("TIDEINDX", into: &buffer)
    buffer.append(littleEndian: segment.first.value)
    buffer.append(littleEndian: min(durable, segment.last).value)
    buffer.append(littleEndian: UInt64(segment.durableEnd))
    buffer.append(littleEndian: segment.firstTime.milliseconds)
    buffer.append(littleEndian: segment.latestTime.milliseconds)
    buffer.append(littleEndian: UInt64(points.count))
    for point in points {
      buffer.append(littleEndian: point.offset.value)
      buffer.append(littleEndian: point.latestBefore.milliseconds)
      buffer.append(littleEndian: UInt64(point.position))
    }
    Frame.seal(&buffer)
    return buffer.freeze()
  }

  static func decode(_ bytes: UnsafeRawBufferPointer, first: Offset) -> Segment? {
    guard let body = Frame.open("TIDEINDX", bytes), body.count >= fixedSize, body.number(0) == first.value else { return nil }
    let count = Int(truncatingIfNeeded: body.number(40))
    guard count > 0, body.count == fixedSize + count * pointSize else { return nil }
    var segment = Segment(first: first)
    segment.last = Offset(body.number(8))
    segment.end = Int(truncatingIfNeeded: body.number(16))
    segment.firstTime = WallTime(milliseconds: body.number(24, Int64.self))
    segment.latestTime = WallTime(milliseconds: body.number(32, Int64.self))
    for number in 0..<count {
      let start = fixedSize + number * pointSize
      segment.points.append(
        IndexPoint(
          offset: Offset(body.number(start)), latestBefore: WallTime(milliseconds: body.number(start + 8, Int64.self)),
          position: Int(truncatingIfNeeded: body.number(start + 16))))
    }
    segment.durableEnd = segment.end
    segment.indexedEnd = segment.end
    segment.isCreated = true
    return segment
  }
}
