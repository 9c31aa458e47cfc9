public import Core

/// The newest pushes of one feed, kept as the same shared bytes in which they came, within a bound.
///
/// Everything that the feed pushed after `floor` is here, so a reader whose place is at or above it needs no
/// read from the shard. O(log pushes) to find a place.
public struct RecentCache {
  /// Per shard and reactor: enough for ten thousand small messages.
  public static let defaultMaximumBytes = 2 << 20

  private struct Batch {
    var pieces: [Bytes]
    var upTo: Offset
    var byteCount: Int
  }

  private let maximumBytes: Int
  private var batches: [Batch] = []
  /// Batches before this one were dropped; the array is compacted when half of it is.
  private var head = 0
  public private(set) var byteCount = 0
  public private(set) var floor: Offset = .zero

  public init(maximumBytes: Int = RecentCache.defaultMaximumBytes) {
    self.maximumBytes = maximumBytes
  }

  /// Forgets everything; what is pushed after `floor` will be here.
  public mutating func restart(at floor: Offset) {
    batches.removeAll()
    head = 0
    byteCount = 0
    self.floor = floor
  }

  public mutating func append(_ pieces: [Bytes], upTo: Offset) {
    var count = 0
    for piece in pieces { count += piece.count }
    guard count > 0 else { return }
    batches.append(Batch(pieces: pieces, upTo: upTo, byteCount: count))
    byteCount += count
    while byteCount > maximumBytes, head < batches.count {
      byteCount -= batches[head].byteCount
      floor = batches[head].upTo
      batches[head].pieces = []
      head += 1
    }
    if head > 64, head * 2 > batches.count {
      batches.removeFirst(head)
      head = 0
    }
  }

  /// Calls `body` with every record after `offset`, in order, until it answers false. `offset` must not be below `floor`.
  public func forEach(after offset: Offset, _ body: (RecordView) -> Bool) {
    precondition(offset >= floor, "the cache does not reach back that far")
    var low = head
    var high = batches.count
    while low < high {
      let middle = (low + high) / 2
      if batches[middle].upTo <= offset { low = middle + 1 } else { high = middle }
    }
    for index in low..<batches.count {
      for piece in batches[index].pieces {
        let goesOn = piece.withUnsafeBytes { bytes in
          for record in RecordSequence(trusting: bytes) where record.offset > offset {
            if !body(record) { return false }
          }
          return true
        }
        if !goesOn { return }
      }
    }
  }
}
