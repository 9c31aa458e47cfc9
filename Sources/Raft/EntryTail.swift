internal import Core

/// The newest entries, in memory, for followers that are close behind; older ones are fetched from the disk.
///
/// Kept in pieces no larger than one message, so that sending is handing on a piece. What is not durable stays
/// whatever it costs: it cannot be fetched.
struct EntryTail {
  fileprivate struct Piece {
    var first: Offset
    var last: Offset
    var bytes: Bytes
  }

  private var pieces = FirstInFirstOut<Piece>()
  private(set) var byteCount = 0
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// The oldest entry held; nil when there is none.
  var first: Offset? { pieces.first?.first }

  /// `bytes` are the whole entries `first ... last`; those before it are held or gone.
  mutating func append(_ bytes: Bytes, first: Offset, last: Offset) {
    precondition(pieces.last.map { $0.last.next == first } ?? true, "a gap in the tail")
    pieces.append(Piece(first: first, last: last, bytes: bytes))
    byteCount += bytes.count
  }

  /// Lets go of the oldest durable pieces as long as there is too much.
  mutating func shrink(durable: Offset) {
    while byteCount > limit, let oldest = pieces.first, oldest.last <= durable {
      byteCount -= pieces.removeFirst().bytes.count
    }
  }

  mutating func truncate(from: Offset) {
    while let newest = pieces.last, newest.last >= from {
      byteCount -= pieces.removeLast().bytes.count
      guard newest.first < from else { continue }
      let kept = newest.bytes.slice(0..<newest.place(of: from))
      append(kept, first: newest.first, last: Offset(from.value - 1))
    }
  }

  mutating func removeAll() {
    pieces.removeAll()
    byteCount = 0
  }

  /// Whole entries from `offset` on, of about `maximumBytes` and at least one; nil when they are not held.
  func entries(from offset: Offset, maximumBytes: Int) -> (bytes: Bytes, last: Offset)? {
    guard let newest = pieces.last, let oldest = pieces.first, offset >= oldest.first, offset <= newest.last else { return nil }
    var index = offset >= newest.first ? pieces.count - 1 : place(of: offset)
    let piece = pieces[index]
    let start = offset == piece.first ? 0 : piece.place(of: offset)
    let first = start == 0 ? piece.bytes : piece.bytes.slice(start..<piece.bytes.count)
    var last = piece.last
    index += 1
    guard index < pieces.count, first.count + pieces[index].bytes.count <= maximumBytes else { return (first, last) }
    // Several small pieces: one copy is cheaper than many messages.
    var joined = ByteBuffer(capacity: maximumBytes)
    joined.append(first)
    while index < pieces.count, joined.count + pieces[index].bytes.count <= maximumBytes {
      joined.append(pieces[index].bytes)
      last = pieces[index].last
      index += 1
    }
    return (joined.freeze(), last)
  }

  private func place(of offset: Offset) -> Int {
    var low = 0
    var high = pieces.count
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle].first <= offset { low = middle + 1 } else { high = middle }
    }
    return low - 1
  }
}

extension EntryTail.Piece {
  /// Where the entry begins in the bytes.
  fileprivate func place(of offset: Offset) -> Int {
    bytes.withUnsafeBytes { memory in
      var at = 0
      for entry in RecordSequence(trusting: memory) {
        if entry.offset >= offset { break }
        at += entry.length
      }
      return at
    }
  }
}
