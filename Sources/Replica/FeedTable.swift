internal import Core
internal import Feeds

/// Who is pushed what. Every committed record is matched once over the filters of all feeds; matching neighbours
/// of one batch leave as one slice of it.
struct FeedTable {
  private struct Feed {
    var edge: EdgeID
    var filters = 0
    var pushedUpTo: Offset
    var pieces: [Bytes] = []
    /// The run of matching records under way in the current batch; empty when there is none.
    var runStart = 0
    var runEnd = 0
  }

  private var trie = FilterTrie()
  /// An entry without filters is free.
  private var feeds: [Feed] = []
  private var free: [Int] = []
  /// For look-up only.
  private var byEdge: [EdgeID: Int] = [:]
  private var found: [UInt32] = []
  /// Feeds with a run in the current batch, and with pieces in the current commit.
  private var running: [UInt32] = []
  private var pushing: [UInt32] = []
  private var lastTopic = UnsafeRawBufferPointer(start: nil, count: 0)

  var count: Int { byEdge.count }
  var isEmpty: Bool { byEdge.isEmpty }

  mutating func change(_ change: InterestChange, committed: Offset) {
    let index = byEdge[change.edge] ?? make(change.edge, committed)
    for filter in change.add { trie.insert(filter, UInt32(index)) }
    var removed = 0
    for filter in change.remove where trie.remove(filter, UInt32(index)) { removed += 1 }
    feeds[index].filters += change.add.count - removed
    if feeds[index].filters == 0 {
      free.append(index)
      byEdge[change.edge] = nil
    }
  }

  private mutating func make(_ edge: EdgeID, _ committed: Offset) -> Int {
    let feed = Feed(edge: edge, pushedUpTo: committed)
    let index: Int
    if let reused = free.popLast() {
      feeds[reused] = feed
      index = reused
    } else {
      feeds.append(feed)
      index = feeds.count - 1
    }
    byEdge[edge] = index
    return index
  }

  /// The edge is gone, and what it followed with it.
  mutating func remove(_ edge: EdgeID) {
    guard let index = byEdge.removeValue(forKey: edge) else { return }
    trie.removeAll(UInt32(index))
    feeds[index].filters = 0
    feeds[index].pieces = []
    free.append(index)
  }

  /// Ends every feed; answers whose they were.
  mutating func removeAll() -> [EdgeID] {
    guard !isEmpty else { return [] }
    let edges = feeds.filter { $0.filters > 0 }.map(\.edge)
    self = FeedTable()
    return edges
  }

  mutating func beginBatch() { lastTopic = UnsafeRawBufferPointer(start: nil, count: 0) }

  /// Offers the record that lies at `range` of the current batch.
  mutating func offer(_ topic: UnsafeRawBufferPointer, at range: Range<Int>, of batch: Bytes) {
    if !FeedTable.isSame(topic, lastTopic) {
      found.removeAll(keepingCapacity: true)
      trie.match(topic, into: &found)
      lastTopic = topic
    }
    for number in found { extend(number, range, batch) }
  }

  @inline(__always) private static func isSame(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count, let left = a.baseAddress, let right = b.baseAddress else { return false }
    var index = 0
    while index + 8 <= a.count {
      if left.loadUnaligned(fromByteOffset: index, as: UInt64.self) != right.loadUnaligned(fromByteOffset: index, as: UInt64.self) {
        return false
      }
      index += 8
    }
    while index < a.count {
      if left.load(fromByteOffset: index, as: UInt8.self) != right.load(fromByteOffset: index, as: UInt8.self) { return false }
      index += 1
    }
    return true
  }

  private mutating func extend(_ number: UInt32, _ range: Range<Int>, _ batch: Bytes) {
    let index = Int(number)
    let (start, end) = (feeds[index].runStart, feeds[index].runEnd)
    if end == range.upperBound { return }
    if end == range.lowerBound, end > start {
      feeds[index].runEnd = range.upperBound
      return
    }
    if end > start {
      take(index, batch.slice(start..<end))
    } else {
      running.append(number)
    }
    feeds[index].runStart = range.lowerBound
    feeds[index].runEnd = range.upperBound
  }

  private mutating func take(_ index: Int, _ piece: Bytes) {
    if feeds[index].pieces.isEmpty { pushing.append(UInt32(index)) }
    feeds[index].pieces.append(piece)
  }

  mutating func endBatch(_ batch: Bytes) {
    for number in running {
      let index = Int(number)
      let (start, end) = (feeds[index].runStart, feeds[index].runEnd)
      take(index, end - start == batch.count ? batch : batch.slice(start..<end))
      feeds[index].runStart = 0
      feeds[index].runEnd = 0
    }
    running.removeAll(keepingCapacity: true)
    lastTopic = UnsafeRawBufferPointer(start: nil, count: 0)
  }

  /// One push per feed that something matched for.
  mutating func push(_ shard: ShardID, upTo committed: Offset, counting counters: inout ReplicaCounters, into output: inout ReplicaOutput) {
    for number in pushing {
      let index = Int(number)
      let pieces = feeds[index].pieces
      feeds[index].pieces = []
      feeds[index].pushedUpTo = committed
      counters.pushes += 1
      for piece in pieces { counters.pushedBytes += UInt64(piece.count) }
      output.replies.append(
        AddressedReply(edge: feeds[index].edge, reply: .push(FeedPush(shard: shard, pieces: pieces, upTo: committed))))
    }
    pushing.removeAll(keepingCapacity: true)
  }

  /// Tells feeds for which nothing matched how far the shard has come.
  mutating func pushProgress(_ shard: ShardID, upTo committed: Offset, into output: inout ReplicaOutput) {
    for index in feeds.indices {
      guard feeds[index].filters > 0, feeds[index].pushedUpTo < committed else { continue }
      feeds[index].pushedUpTo = committed
      output.replies.append(AddressedReply(edge: feeds[index].edge, reply: .push(FeedPush(shard: shard, pieces: [], upTo: committed))))
    }
  }
}
