public import Core
public import Feeds
public import MQTT

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
public final class MQTTKeeping {
  /// A message that waits until its number is saved, or stands behind one that does.
  public struct HeldPublish {
    public let request: MQTTPublishRequest
    /// Of QoS 2 alone.
    public let number: UInt64?
    let awaitsSave: Bool
  }

  public let client: Bytes
  public let shard: ShardID
  /// Drawn for this connection's opening.
  public let nonce: UInt64
  /// 0 until the shard has answered.
  public var epoch: UInt64 = 0
  public var identity: UInt64 = 0
  /// Whether there is something to be found again: not where the session ends with its connection.
  public var isDurable = false
  /// Another connection has it, or it is over: nothing of it is said to the shard any more.
  public var isLost = false

  /// Something is said, or about to be, that must not be sent before it is saved.
  public private(set) var owesSave = false
  public private(set) var isSaving = false
  /// The subscriptions are others than those that were saved last.
  public var hasOtherSubscriptions = true
  /// More was delivered or acknowledged since the last save.
  public var hasMoved = false
  public var savedAt = Instant.zero
  /// Its house looks at it by itself.
  var isListed = false
  private var lastSave: UInt64 = 0
  /// What legs name their subscriptions by: the numbers that the save gave them.
  public private(set) var filterNumbers: [Bytes: Int] = [:]
  /// The identifier is one that the node made up.
  public var isAssigned = false

  private var held = ByteBuffer()
  private var publishes: [HeldPublish] = []
  /// How much of what is held the save under way is for.
  private var bytesSaved = 0
  private var publishesSaved = 0

  /// The numbers of the client's messages of QoS 2 that it has not let go of, by packet identifier.
  public var numbers: [UInt16: UInt64] = [:]
  public var lastNumber: UInt64 = 0
  /// Those of them that an earlier connection may have published: what is refused now may be kept even so.
  var mayBeKept: Set<UInt16> = []

  /// What the client may not have got and is to be sent again, and what it was to be sent first, in this order.
  public var recalls: [MQTTRecall] = []
  public var recallQuestion: UInt32?
  /// Gaps that the client may not have heard of, and what was sent behind each first.
  var untold: [(gap: MQTTSessionProgress.Gap, behind: UInt64?)] = []
  /// What plain messages up to this time are is not known to be new.
  public var quietUntil = WallTime(milliseconds: 0)

  /// Mistakes to be made on purpose.
  package var faults: KeepingFaults = []

  public init(client: Bytes, shard: ShardID, nonce: UInt64) {
    self.client = client
    self.shard = shard
    self.nonce = nonce
  }

  public var claim: SessionClaim { SessionClaim(client: client, epoch: epoch) }

  public func note(saved filters: [Bytes]) {
    hasOtherSubscriptions = false
    filterNumbers.removeAll(keepingCapacity: true)
    for (number, filter) in filters.enumerated() { filterNumbers[filter] = number }
  }

  /// Whether what is written now has to wait.
  public var isHolding: Bool { (owesSave || !held.isEmpty) && !faults.contains(.toldBeforeSaved) }
  public var heldBytes: Int { held.count }
  var holdsPublishes: Bool { !publishes.isEmpty }
  /// Whether a save is to begin.
  public var wantsSave: Bool { owesSave && !isSaving && epoch > 0 && !isLost }

  public func oweSave() { if isDurable { owesSave = true } }
  public func hold(_ bytes: RawSpan) { held.append(bytes) }
  func hold(_ publish: HeldPublish) { publishes.append(publish) }

  public func beginSave(at now: Instant) -> UInt64 {
    owesSave = false
    isSaving = true
    hasMoved = false
    hasOtherSubscriptions = false
    savedAt = now
    bytesSaved = held.count
    publishesSaved = publishes.count
    return nextSave()
  }

  public func nextSave() -> UInt64 {
    lastSave += 1
    return lastSave
  }

  /// What may go now: everything that was held when the save began, and what came since and has nothing to wait for.
  public func saved(into bytes: inout ByteBuffer) -> [HeldPublish] {
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
  public func takePublishes() -> [HeldPublish] {
    defer { publishes.removeAll() }
    return publishes.filter { $0.number == nil }
  }

  /// The save did not come about; it is owed again, with whatever is held by then.
  public func notSaved() {
    isSaving = false
    owesSave = true
    hasOtherSubscriptions = true
  }
}
