internal import Core
internal import Wire

/// What waits in one lane of a connection: encoded messages as one stream of bytes, taken off in pieces of any length.
final class LaneQueue {
  /// Full pieces; those before `first` are gone.
  private var segments: [Bytes] = []
  private var first = 0
  /// The piece that messages are written into.
  private var tail = ByteBuffer()
  /// What is taken already of the first piece, or of the tail if there is none.
  private var offset = 0
  /// Bytes that wait.
  private(set) var count = 0

  /// Encodes a message at the end; one that is too long is refused, and nothing is appended.
  func append(_ message: NodeMessage, limit: Int) throws(WireRefusal) {
    if tail.count >= LinkBounds.segmentBytes { closeSegment() }
    let before = tail.count
    try message.encode(into: &tail, limit: limit)
    count += tail.count - before
  }

  /// Shows the next bytes, and takes them off unless `body` throws.
  func take<Failure: Error>(atMost limit: Int, _ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
    if first < segments.count {
      let segment = segments[first]
      let end = min(segment.count, offset + limit)
      try show(segment.readPointer + offset, end - offset, body)
      extendLifetime(segment)
      advance(to: end)
      if end == segment.count { dropSegment() }
    } else {
      let end = min(tail.count, offset + limit)
      try show(tail.readPointer + offset, end - offset, body)
      advance(to: end)
      if end == tail.count {
        tail.removeAll(keepingCapacity: tail.capacity <= 2 * LinkBounds.segmentBytes)
        offset = 0
      }
    }
  }

  private func show<Failure: Error>(
    _ start: UnsafeRawPointer, _ count: Int, _ body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    try body(unsafe RawSpan(_unsafeStart: start, byteCount: count))
  }

  private func advance(to end: Int) {
    count -= end - offset
    offset = end
  }

  private func closeSegment() {
    var full = ByteBuffer()
    swap(&full, &tail)
    segments.append(full.freeze())
  }

  private func dropSegment() {
    segments[first] = Bytes()
    first += 1
    offset = 0
    if first == segments.count {
      segments.removeAll(keepingCapacity: true)
      first = 0
    }
  }
}
