internal import Core
internal import Reactor

/// Everyone on one reactor who follows the same filters in the same format.
///
/// Members keep up: each is a socket and a place in the audience's one stream. Whoever falls too far behind is
/// no member any more but a reader with a cursor (see `Reader`), and comes back when it has caught up. Waiters
/// are long-polls, answered by the next turn that brings something.
final class Audience {
  struct Key: Hashable {
    var format: EventFormat
    /// Sorted, each once.
    var filters: [Filter]
  }

  /// 24 bytes, dense: a flush touches nothing else of a connection that keeps up.
  struct Member {
    var position: UInt64
    var connection: SlotKey
    var descriptor: Int32
    var isStalled: Bool
  }

  let key: Key
  let index: Int
  /// The shards that can hold what the filters want, in order.
  let shards: [ShardID]
  /// Position of a shard in `shards`, by shard number; -1 if it is not one of them.
  let places: [Int32]

  var members: [Member] = []
  /// Each with the place in the stream from which on it wants to hear.
  var waiters: [(connection: SlotKey, position: UInt64)] = []
  /// Readers that wait until every filter is live on every shard, or until new messages come.
  var readers: [SlotKey] = []
  /// Readers at the end that are written to alone: woken by what they want, and by nothing else.
  var parked: [SlotKey] = []
  /// Where the parked stand once something they want has come; until then where the feeds stand.
  var parkedAt: [Offset]?
  var stream = AudienceStream()

  /// The last record rendered for this audience, so that overlapping filters deliver once.
  var lastRecord: UInt64 = 0
  /// Listed to have its waiters answered at the end of this turn.
  var isAnswerable = false
  /// Listed as having readers.
  var isAwaited = false
  /// Listed as having readers that may go on.
  var isWoken = false

  var isDirty = false
  /// Who is visited next. Flushing goes round and round: what comes while it does is taken along from here on.
  var flushIndex = 0
  /// Members to visit until everyone has been since the last message came.
  var passRemaining = 0
  /// The least advanced place seen since the round began; nobody stands before it when the round ends.
  var roundMinimum = UInt64.max

  /// When the oldest message of this pass was committed.
  var oldestUnsent: WallTime?
  var lastSent: Instant
  /// The cursor that members were last told, to see whether a heartbeat has news.
  var toldCursor: [Offset] = []
  /// Nobody is here any more since then; nil while somebody is.
  var emptySince: Instant?

  init(key: Key, index: Int, shards: [ShardID], shardCount: Int, now: Instant) {
    self.key = key
    self.index = index
    self.shards = shards
    var places = [Int32](repeating: -1, count: shardCount)
    for (place, shard) in shards.enumerated() { places[shard.index] = Int32(place) }
    self.places = places
    lastSent = now
    emptySince = now
  }

  var isEmpty: Bool { members.isEmpty && waiters.isEmpty && readers.isEmpty && parked.isEmpty }

  /// New bytes are in the stream: everyone is to be visited once more.
  func startPass() {
    passRemaining = members.count
    if flushIndex >= members.count { flushIndex = 0 }
  }

  func join(_ connection: SlotKey, descriptor: Int32, stalled: Bool) -> Int {
    members.append(Member(position: stream.end, connection: connection, descriptor: descriptor, isStalled: stalled))
    return members.count - 1
  }

  /// Takes a member out; the last one moves to its place and is told so through `moved`.
  func leave(at index: Int, moved: (SlotKey, Int) -> Void) {
    let last = members.count - 1
    if index != last {
      members[index] = members[last]
      // It may have stood where this round has not been yet.
      roundMinimum = min(roundMinimum, members[index].position)
      moved(members[index].connection, index)
    }
    members.removeLast()
    // The one that moved may not have been visited yet.
    if isDirty { startPass() }
  }

  /// Whether the stream holds something that the waiter was not told yet.
  func hasNews(for waiter: SlotKey) -> Bool {
    waiters.contains { $0.connection == waiter && $0.position < stream.end }
  }

  /// Whether the member at `index` is still this connection, takes what it is given, and has not been given all.
  func isUnderWay(_ index: Int, _ connection: SlotKey, to end: UInt64) -> Bool {
    index < members.count && members[index].connection == connection && !members[index].isStalled && members[index].position < end
  }

  func remove(waiter: SlotKey) {
    if let at = waiters.firstIndex(where: { $0.connection == waiter }) {
      waiters.swapAt(at, waiters.count - 1)
      waiters.removeLast()
    }
  }

  func remove(parked reader: SlotKey) {
    if let at = parked.firstIndex(of: reader) {
      parked.swapAt(at, parked.count - 1)
      parked.removeLast()
    }
  }

  func remove(reader: SlotKey) {
    if let at = readers.firstIndex(of: reader) {
      readers.swapAt(at, readers.count - 1)
      readers.removeLast()
    }
  }
}
