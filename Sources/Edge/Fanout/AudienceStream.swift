internal import Core
internal import Glibc

/// What an audience is being sent: rendered messages end to end, addressed by how many bytes were ever appended.
///
/// A member of the audience is a place in this stream, nothing more. Parts that every member has passed are let
/// go, so a stream whose members all keep up holds no memory between turns.
struct AudienceStream {
  private struct Part {
    var start: UnsafeRawPointer
    var count: Int
    var chunk: Int
    var position: UInt64
  }

  /// Where one message ends, and which message it is.
  private struct Mark {
    var end: UInt64
    var shard: Int32
    var offset: Offset
  }

  private(set) var start: UInt64 = 0
  private(set) var end: UInt64 = 0
  private var parts: [Part] = []
  private var marks: [Mark] = []
  /// The audience's cursor at `start`, by its own shard order; kept while the stream is not empty.
  private var base: [Offset] = []

  var isEmpty: Bool { start == end }
  var byteCount: Int { Int(end - start) }

  /// Notes the audience's cursor before the first byte of a stretch.
  mutating func begin(at cursor: [Offset]) {
    base = cursor
  }

  mutating func append(_ piece: RenderArena.Piece, arena: inout RenderArena) {
    guard piece.count > 0 else { return }
    if let last = parts.indices.last, parts[last].chunk == piece.chunk, parts[last].start + parts[last].count == piece.start {
      parts[last].count += piece.count
    } else {
      arena.retain(piece.chunk)
      parts.append(Part(start: piece.start, count: piece.count, chunk: piece.chunk, position: end))
    }
    end += UInt64(piece.count)
  }

  /// All of a message has been appended.
  mutating func mark(shard: Int, offset: Offset) {
    marks.append(Mark(end: end, shard: Int32(shard), offset: offset))
  }

  /// Fills `vectors` with what lies from `position` on; says how many were filled and their bytes.
  func gather(from position: UInt64, into vectors: UnsafeMutableBufferPointer<iovec>) -> (count: Int, bytes: Int) {
    var index = partIndex(at: position)
    var filled = 0
    var bytes = 0
    while index < parts.count, filled < vectors.count {
      let part = parts[index]
      let skip = position > part.position ? Int(position - part.position) : 0
      vectors[filled] = iovec(iov_base: UnsafeMutableRawPointer(mutating: part.start + skip), iov_len: part.count - skip)
      bytes += part.count - skip
      filled += 1
      index += 1
    }
    return (filled, bytes)
  }

  private func partIndex(at position: UInt64) -> Int {
    if parts.count <= 1 || position < parts[1].position { return 0 }
    var low = 1
    var high = parts.count
    while low < high {
      let middle = (low + high) / 2
      if parts[middle].position <= position { low = middle + 1 } else { high = middle }
    }
    return low - 1
  }

  /// The end of the message that `position` lies in; `position` itself when it lies between two.
  func messageEnd(at position: UInt64) -> UInt64 {
    if position == start { return position }
    var low = 0
    var high = marks.count
    while low < high {
      let middle = (low + high) / 2
      if marks[middle].end < position { low = middle + 1 } else { high = middle }
    }
    return low < marks.count ? marks[low].end : end
  }

  /// How many messages end after `position`.
  func messages(from position: UInt64) -> Int {
    marks.reduce(0) { $0 + ($1.end > position && $1.shard >= 0 ? 1 : 0) }
  }

  /// The cursor of a member that has been sent everything before `position`, which is the end of a message.
  func cursor(at position: UInt64) -> [Offset] {
    var cursor = base
    for mark in marks where mark.end <= position && mark.shard >= 0 { cursor[Int(mark.shard)] = mark.offset }
    return cursor
  }

  /// The stretches of memory in which `range` lies: the rest of a message that a member is in the middle of.
  func forEachPiece(in range: Range<UInt64>, _ body: (RenderArena.Piece) -> Void) {
    for part in parts {
      let from = max(range.lowerBound, part.position)
      let to = min(range.upperBound, part.position + UInt64(part.count))
      if from < to {
        body(RenderArena.Piece(start: part.start + Int(from - part.position), count: Int(to - from), chunk: part.chunk))
      }
    }
  }

  /// Lets go of everything before `position`, the place of the last member.
  mutating func trim(to position: UInt64, arena: inout RenderArena) {
    guard position > start else { return }
    if position == end {
      for part in parts { arena.release(part.chunk) }
      parts.removeAll(keepingCapacity: parts.capacity <= 64)
      marks.removeAll(keepingCapacity: marks.capacity <= 1024)
      start = end
      return
    }
    var keptFrom = 0
    while keptFrom < parts.count, parts[keptFrom].position + UInt64(parts[keptFrom].count) <= position {
      arena.release(parts[keptFrom].chunk)
      keptFrom += 1
    }
    if keptFrom > 0 { parts.removeFirst(keptFrom) }
    var passed = 0
    while passed < marks.count, marks[passed].end <= position {
      if marks[passed].shard >= 0 { base[Int(marks[passed].shard)] = marks[passed].offset }
      passed += 1
    }
    if passed > 0 { marks.removeFirst(passed) }
    start = position
  }
}
