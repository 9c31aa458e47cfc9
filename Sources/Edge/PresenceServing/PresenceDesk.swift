internal import Core
internal import Feeds
internal import Presence
internal import Reactor

/// A member of a topic.
struct PresenceKey: Hashable {
  var topic: Topic
  var id: Bytes
}

/// What a connection is present on and hears of. Most connections have none.
final class ConnectionPresence {
  struct Hold {
    var topic: Topic
    var id: Bytes
    /// The client knows that it is in; nobody else needs to be told.
    var isConfirmed = false
    /// The client's own names for what it asked, as JSON; empty where it gave none.
    var subscription = Bytes()
    var reference = Bytes()
  }

  struct Watch {
    let topic: Topic
    /// The whole state is to be told before any change is.
    var owesState = true
  }

  var holds: [Hold] = []
  var watches: [Watch] = []
}

/// Everything of presence on one reactor: what it announces to each shard, what it was told, and for whom.
///
/// ```
///  connections ─ enter, watch ─▶ Lane.announcer ─ requests ─▶ shards' leaders
///       ▲                                                        │
///       └─ watchers, holders ◀── Lane.mirror ◀── pushes, receipts ┘
/// ```
final class PresenceDesk {
  struct Lane {
    var announcer: PresenceAnnouncer
    var mirror = PresenceMirror()
  }

  static let period = TimeSpan.milliseconds(100)
  /// A member stays for so long between two long-polls, and when a node that drains sends its client elsewhere.
  static let linger = TimeSpan.seconds(10)

  private let source: UInt64
  /// By shard; nil where nobody is present or hears of anything.
  private(set) var lanes: [Lane?]
  private(set) var watchers: [Topic: [SlotKey]] = [:]
  private(set) var holders: [PresenceKey: [SlotKey]] = [:]
  /// How many connections of a member are gone and still counted, oldest first in `lingeringUntil`.
  private var lingering: [PresenceKey: Int] = [:]
  private var lingeringUntil: [(until: Instant, key: PresenceKey)] = []
  /// Of those in `lingeringUntil`, how many were taken up again.
  private var takenUp: [PresenceKey: Int] = [:]
  /// Shards to which there may be something to say.
  private var stirred: [Int] = []
  /// Connections that are owed a state.
  var owed: [SlotKey] = []
  var isTicking = false

  init(shards: Int, source: UInt64) {
    self.source = source
    lanes = [Lane?](repeating: nil, count: shards)
  }

  var isStirred: Bool { !stirred.isEmpty }
  var isActive: Bool { !lingeringUntil.isEmpty || !owed.isEmpty || lanes.contains { $0?.announcer.isActive == true } }

  private func shard(of topic: Topic) -> Int { topic.bytes.withUnsafeBytes { Topic.shard(of: $0, among: lanes.count) }.index }

  /// Changes a shard's lane, which is made if it is not there.
  @discardableResult func change<Result>(_ topic: Topic, _ body: (inout Lane) -> Result) -> Result {
    let index = shard(of: topic)
    if lanes[index] == nil { lanes[index] = Lane(announcer: PresenceAnnouncer(shard: ShardID(index), source: source)) }
    stir(index)
    return body(&lanes[index]!)
  }

  func lane(of topic: Topic) -> Lane? { lanes[shard(of: topic)] }

  /// Hands a shard's lane what came from its leader.
  func receive<Result>(_ shard: ShardID, _ body: (inout Lane) -> Result) -> Result? {
    guard lanes[shard.index] != nil else { return nil }
    stir(shard.index)
    return body(&lanes[shard.index]!)
  }

  private func stir(_ index: Int) { if !stirred.contains(index) { stirred.append(index) } }

  // Members --------------------------------------------------------------------------------------------

  func enter(_ key: PresenceKey, data: Bytes, _ connection: SlotKey, at time: WallTime) {
    holders[key, default: []].append(connection)
    if let count = lingering[key] {
      // It comes back before it was missed.
      lingering[key] = count > 1 ? count - 1 : nil
      takenUp[key, default: 0] += 1
      change(key.topic) { $0.announcer.change(key.topic, key.id, data: data) }
    } else {
      change(key.topic) { $0.announcer.enter(key.topic, key.id, data: data, since: time) }
    }
  }

  /// The connection is not present any more; with `until`, the member is for so long.
  func leave(_ key: PresenceKey, _ connection: SlotKey, until: Instant?) {
    removeHolder(key, connection)
    if let until {
      lingering[key, default: 0] += 1
      lingeringUntil.append((until, key))
    } else {
      change(key.topic) { $0.announcer.leave(key.topic, key.id) }
    }
  }

  private func removeHolder(_ key: PresenceKey, _ connection: SlotKey) {
    guard var keys = holders[key], let index = keys.firstIndex(of: connection) else { return }
    keys.remove(at: index)
    holders[key] = keys.isEmpty ? nil : keys
  }

  /// The leader does not let the member in: nobody holds it here. Answers who did.
  func deny(_ key: PresenceKey) -> [SlotKey] {
    if let count = lingering.removeValue(forKey: key) { takenUp[key, default: 0] += count }
    return holders.removeValue(forKey: key) ?? []
  }

  private func endLingering(at now: Instant) {
    let over = lingeringUntil.prefix { $0.until <= now }
    for (_, key) in over {
      if let taken = takenUp[key] {
        takenUp[key] = taken > 1 ? taken - 1 : nil
      } else if let count = lingering[key] {
        lingering[key] = count > 1 ? count - 1 : nil
        change(key.topic) { $0.announcer.leave(key.topic, key.id) }
      }
    }
    lingeringUntil.removeFirst(over.count)
  }

  // Watchers -------------------------------------------------------------------------------------------

  func watch(_ topic: Topic, _ connection: SlotKey) {
    watchers[topic, default: []].append(connection)
    guard watchers[topic]?.count == 1 else { return }
    change(topic) { lane in
      lane.announcer.watch(topic)
      lane.mirror.watch(topic)
    }
  }

  func unwatch(_ topic: Topic, _ connection: SlotKey) {
    guard var keys = watchers[topic], let index = keys.firstIndex(of: connection) else { return }
    keys.swapAt(index, keys.count - 1)
    keys.removeLast()
    watchers[topic] = keys.isEmpty ? nil : keys
    guard keys.isEmpty else { return }
    change(topic) { lane in
      lane.announcer.unwatch(topic)
      lane.mirror.unwatch(topic)
    }
  }

  /// Whether one more topic may be heard of.
  func hasRoom(for topic: Topic) -> Bool {
    watchers[topic] != nil || (lane(of: topic)?.announcer.watchedTopics ?? 0) < PresenceLimits.watchedTopics
  }

  // Time -----------------------------------------------------------------------------------------------

  /// What there is to say to shards, at the end of a turn.
  func requests(at now: Instant, from edge: EdgeID) -> [(ShardID, PresenceRequest)] {
    var requests: [(ShardID, PresenceRequest)] = []
    for index in stirred {
      if let request = lanes[index]?.announcer.next(at: now, from: edge) { requests.append((ShardID(index), request)) }
    }
    stirred.removeAll(keepingCapacity: true)
    return requests
  }

  /// Time passed: every shard that somebody is present on is looked at.
  func tick(at now: Instant) {
    endLingering(at: now)
    for index in lanes.indices where lanes[index]?.announcer.isActive == true { stir(index) }
  }
}
