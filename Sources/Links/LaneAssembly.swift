internal import Core
internal import Wire

/// What came in one lane and is not yet a whole message.
final class LaneAssembly {
  let lane: WireLane
  var buffer = ByteBuffer()

  init(_ lane: WireLane) { self.lane = lane }

  /// Takes the whole messages that have come, one behind the other in memory of their own; nil if there is none.
  func takeWhole(limit: Int) throws(WireRefusal) -> Bytes? {
    var end = 0
    var missing = 0
    scan: while end < buffer.count {
      switch WireFrame.next(in: buffer.bytes.extracting(end..<buffer.count), limit: limit) {
      case .frame(let frame):
        guard frame.lane == lane else { throw .contradiction }
        end += frame.length
      case .needMore(let count):
        missing = count
        break scan
      case .refused(let refusal): throw refusal
      }
    }
    guard end > 0 else {
      // Room at once for the whole message and what may come behind it in its last frame: a long one never moves.
      if missing > 0 { _ = buffer.reserve(missing + LinkBounds.frameBytes) }
      return nil
    }
    var rest = ByteBuffer()
    if end < buffer.count {
      rest = ByteBuffer(capacity: buffer.count - end + missing + LinkBounds.frameBytes)
      rest.append(buffer.bytes.extracting(end..<buffer.count))
    }
    swap(&rest, &buffer)
    rest.truncate(to: end)
    return rest.freeze()
  }
}
