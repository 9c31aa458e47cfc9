internal import Core
internal import MQTT

/// One session's shared subscription, and on what terms it has its share.
struct MQTTSharedMembership {
  /// As the client wrote it, `$share/` and all.
  let filter: Bytes
  let group: SharedGroup
  var wish: MQTTSubscription
  var identifier: UInt32?

  /// How a message of the group goes to this client: each subscription brings its own, whatever else the client follows.
  func delivery(of record: RecordView) -> MQTTDelivery {
    var delivery = MQTTDelivery(min(wish.qos, MQTTRecordProperties.qos(of: record)))
    if wish.retainAsPublished, record.flags.contains(.retain) || record.flags.contains(.clear) { delivery.isRetained = true }
    if let identifier { delivery.subscriptionIdentifiers = [identifier] }
    return delivery
  }
}

/// What a session has of groups.
struct MQTTShares {
  struct Holding {
    let group: SharedGroup
    let message: SharedGroup.Message
    let qos: MQTTQoS
  }

  private var byGroup: [ObjectIdentifier: MQTTSharedMembership] = [:]
  /// Sent to the client and not acknowledged, by the token of the delivery.
  private var holdings: [UInt64: Holding] = [:]

  /// Those of QoS 2 that the session as it is kept does not know yet, the oldest first, and how many of them the save under way
  /// brings it.
  private var unsaved: [UInt64] = []
  private var beingSaved = 0

  /// Some group passed the client by, since it took nothing: it is to hear when that is over.
  var isAwaited = false

  var count: Int { byGroup.count }
  var filterBytes: Int { byGroup.values.reduce(0) { $0 + $1.filter.count } }
  var isEmpty: Bool { byGroup.isEmpty && holdings.isEmpty }
  var groups: [SharedGroup] { byGroup.values.map(\.group) }

  subscript(group: SharedGroup) -> MQTTSharedMembership? { byGroup[ObjectIdentifier(group)] }

  mutating func hold(_ membership: MQTTSharedMembership) { byGroup[ObjectIdentifier(membership.group)] = membership }

  mutating func leave(_ filter: Bytes) -> SharedGroup? {
    guard let (key, membership) = byGroup.first(where: { $0.value.filter == filter }) else { return nil }
    byGroup[key] = nil
    return membership.group
  }

  mutating func leave(_ group: SharedGroup) { byGroup[ObjectIdentifier(group)] = nil }

  /// With `isKept` the session finishes it, once it is saved.
  mutating func sent(_ holding: Holding, token: UInt64, isKept: Bool) {
    holdings[token] = holding
    if isKept { unsaved.append(token) }
  }

  mutating func settle(_ token: UInt64) -> Holding? { holdings.isEmpty ? nil : holdings.removeValue(forKey: token) }

  mutating func saveBegins() { beingSaved = unsaved.count }

  /// What the session finishes from here on, wherever its client comes back.
  mutating func saved() -> [Holding] { takeUnsaved(beingSaved) }

  mutating func takeUnsaved() -> [Holding] { takeUnsaved(unsaved.count) }

  private mutating func takeUnsaved(_ count: Int) -> [Holding] {
    beingSaved = 0
    defer { unsaved.removeFirst(count) }
    return unsaved.prefix(count).compactMap { holdings.removeValue(forKey: $0) }
  }

  /// Everything, the oldest last: put back one after another in front, it stands in its order again.
  mutating func takeAll() -> (groups: [SharedGroup], holdings: [Holding]) {
    defer { self = MQTTShares() }
    return (groups, holdings.sorted { $0.key > $1.key }.map(\.value))
  }
}
