internal import Core

/// The newest committed batches, in memory: readers that are a little behind need no disk.
struct RecentTail {
  struct Batch {
    var first: Offset
    var last: Offset
    var bytes: Bytes
    var cost: Int
  }

  /// What a batch costs beside its bytes.
  private static let overhead = 128

  private var batches = FirstInFirstOut<Batch>()
  private(set) var bytes = 0
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// The oldest offset held; nil when there is none.
  var first: Offset? { batches.first?.first }

  /// What is not durable stays whatever it costs: it cannot be read from the disk.
  mutating func append(_ batch: Bytes, first: Offset, last: Offset, cost: Int, durable: Offset) {
    let cost = cost + RecentTail.overhead
    batches.append(Batch(first: first, last: last, bytes: batch, cost: cost))
    bytes += cost
    shrink(durable: durable)
  }

  mutating func shrink(durable: Offset) {
    while bytes > limit, let oldest = batches.first, oldest.last <= durable {
      bytes -= batches.removeFirst().cost
    }
  }

  /// The batch that holds `offset`. O(log batches).
  func batch(holding offset: Offset) -> Bytes? {
    guard let oldest = batches.first, oldest.first <= offset else { return nil }
    var low = 0
    var high = batches.count
    while low < high {
      let middle = (low + high) / 2
      if batches[middle].first <= offset { low = middle + 1 } else { high = middle }
    }
    let batch = batches[low - 1]
    return batch.last >= offset ? batch.bytes : nil
  }
}
