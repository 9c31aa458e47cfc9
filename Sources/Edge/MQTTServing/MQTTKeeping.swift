internal import Core
internal import Feeds
internal import MQTT

/// One client's session as its shard keeps it, seen from the edge that holds it now.
///
/// What the client is told is sent only when the state that it implies is saved:
///
/// ```
///  channel ─ bytes ─▶ (owes a save?) ─ yes ─▶ held ─ save ─▶ shard ─ done ─▶ socket
///                          └ no ────────────────────────────────────────────▶ socket
/// ```
///
/// A save is owed by SUBSCRIBE and UNSUBSCRIBE and by each step of QoS 2. What QoS 1 has come to is saved now and then: what is
/// lost of it is delivered again, which QoS 1 allows.
final class MQTTKeeping {
  /// A message that waits until its number is saved, or stands behind one that does.
  struct HeldPublish {
    var request: MQTTPublishRequest
    /// Of QoS 2 alone.
    var number: UInt64?
    var awaitsSave: Bool
  }

  let client: Bytes
  let shard: ShardID
  /// Drawn for this connection's opening.
  let nonce: UInt64
  /// 0 until the shard has answered.
  var epoch: UInt64 = 0
  var identity: UInt64 = 0
  /// Whether there is something to be found again: not where the session ends with its connection.
  var isDurable = false
  /// Another connection has it, or it is over: nothing of it is said to the shard any more.
  var isLost = false

  /// Something is said, or about to be, that must not be sent before it is saved.
  private(set) var owesSave = false
  private(set) var isSaving = false
  /// The subscriptions are others than those that were saved last.
  var hasOtherSubscriptions = true
  /// More was delivered or acknowledged since the last save.
  var hasMoved = false
  var savedAt = Instant.zero
  private var lastSave: UInt64 = 0
  /// What legs name their subscriptions by: the numbers that the save gave them.
  var filterNumbers: [Bytes: Int] = [:]
  /// The identifier is one that the node made up.
  var isAssigned = false

  private(set) var held = ByteBuffer()
  private(set) var publishes: [HeldPublish] = []
  /// How much of what is held the save under way is for.
  private var bytesSaved = 0
  private var publishesSaved = 0

  /// The numbers of the client's messages of QoS 2 that it has not let go of, by packet identifier.
  var numbers: [UInt16: UInt64] = [:]
  var lastNumber: UInt64 = 0

  /// What the client may not have got and is to be sent again, and what it was to be sent first, in this order.
  var recalls: [MQTTRecall] = []
  var recallQuestion: UInt32?
  /// What plain messages up to this time are is not known to be new.
  var quietUntil = WallTime(milliseconds: 0)

  init(client: Bytes, shard: ShardID, nonce: UInt64) {
    self.client = client
    self.shard = shard
    self.nonce = nonce
  }

  var claim: SessionClaim { SessionClaim(client: client, epoch: epoch) }

  func note(saved filters: [Bytes]) {
    hasOtherSubscriptions = false
    filterNumbers.removeAll(keepingCapacity: true)
    for (number, filter) in filters.enumerated() { filterNumbers[filter] = number }
  }

  /// A leg as it is kept; nil where nothing of it is, as of subscriptions with QoS 0, or of those the client does not know of.
  func leg(_ leg: Reader.Leg, of session: MQTTSession) -> MQTTSessionProgress.Leg? {
    guard leg.isAnnounced else { return nil }
    let kept = leg.filters.filter { filter in
      session.subscriptions.contains { $0.wish.qos != .atMostOnce && $0.filter == filter } && filterNumbers[filter.bytes] != nil
    }
    guard !kept.isEmpty else { return nil }
    var places: [MQTTSessionProgress.Place] = []
    for (place, began) in zip(leg.places, leg.began) where place.filters.contains(where: kept.contains) {
      let offset = max(place.offset, began)
      places.append(
        MQTTSessionProgress.Place(
          shard: place.shard.value, began: began.value, offset: offset.value, owesCurrent: place.held != nil || place.phase != .ready))
    }
    return MQTTSessionProgress.Leg(subscriptions: kept.compactMap { filterNumbers[$0.bytes] }, places: places.sorted { $0.shard < $1.shard })
  }

  /// Whether what is written now has to wait.
  var isHolding: Bool { owesSave || !held.isEmpty }
  var heldBytes: Int { held.count }
  var holdsPublishes: Bool { !publishes.isEmpty }
  /// Whether a save is to begin.
  var wantsSave: Bool { owesSave && !isSaving && epoch > 0 && !isLost }

  func oweSave() { if isDurable { owesSave = true } }
  func hold(_ bytes: RawSpan) { held.append(bytes) }
  func hold(_ publish: HeldPublish) { publishes.append(publish) }

  func beginSave(at now: Instant) -> UInt64 {
    owesSave = false
    isSaving = true
    hasMoved = false
    hasOtherSubscriptions = false
    savedAt = now
    bytesSaved = held.count
    publishesSaved = publishes.count
    return nextSave()
  }

  func nextSave() -> UInt64 {
    lastSave += 1
    return lastSave
  }

  /// What may go now: everything that was held when the save began, and what came since and has nothing to wait for.
  func saved(into bytes: inout ByteBuffer) -> [HeldPublish] {
    isSaving = false
    if !owesSave || bytesSaved == held.count {
      bytes.append(held.bytes)
      held.removeAll()
    } else if bytesSaved > 0 {
      held.withUnsafeBytes { bytes.append(UnsafeRawBufferPointer(rebasing: $0[..<bytesSaved])) }
      held.removeFirst(bytesSaved)
    }
    bytesSaved = 0
    var free = publishesSaved
    while free < publishes.count, !publishes[free].awaitsSave { free += 1 }
    publishesSaved = 0
    defer { publishes.removeFirst(free) }
    return Array(publishes.prefix(free))
  }

  /// Nobody will be answered any more: what waits for nothing but its turn.
  func takePublishes() -> [HeldPublish] {
    defer { publishes.removeAll() }
    return publishes.filter { $0.number == nil }
  }

  /// The save did not come about; it is owed again, with whatever is held by then.
  func notSaved() {
    isSaving = false
    owesSave = true
    hasOtherSubscriptions = true
  }
}

/// A message of a resumed session that has to be read once more.
struct MQTTRecall {
  var token: UInt64
  /// With the packet identifier it had, if it was sent before.
  var wasSent: Bool
}

/// What a delivery is known by while it is under way: its place in the log, so that any edge finds it again.
enum MQTTToken {
  private static let isPlace: UInt64 = 1 << 62
  private static let isCurrentFlag: UInt64 = 1 << 61
  /// The same message may be under way twice, through a group and by a subscription of the client's own.
  private static let isSharedFlag: UInt64 = 1 << 60
  private static let offsetBits: UInt64 = 48

  static func make(_ shard: ShardID, _ offset: Offset, isCurrent: Bool, isShared: Bool = false) -> UInt64 {
    isPlace | (isCurrent ? isCurrentFlag : 0) | (isShared ? isSharedFlag : 0) | UInt64(shard.value) << offsetBits | (offset.value & ((1 << offsetBits) - 1))
  }

  static func place(of token: UInt64) -> (shard: ShardID, offset: Offset, isCurrent: Bool)? {
    guard token & isPlace != 0, token >> 63 == 0 else { return nil }
    let shard = ShardID(UInt16(truncatingIfNeeded: (token & ~(isPlace | isCurrentFlag | isSharedFlag)) >> offsetBits))
    return (shard, Offset(token & ((1 << offsetBits) - 1)), token & isCurrentFlag != 0)
  }
}
