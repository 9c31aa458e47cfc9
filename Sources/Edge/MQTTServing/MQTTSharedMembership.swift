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

  mutating func sent(_ holding: Holding, token: UInt64) { holdings[token] = holding }
  mutating func settle(_ token: UInt64) -> Holding? { holdings.isEmpty ? nil : holdings.removeValue(forKey: token) }

  /// Everything, the oldest last: put back one after another in front, it stands in its order again.
  mutating func takeAll() -> (groups: [SharedGroup], holdings: [Holding]) {
    defer { self = MQTTShares() }
    return (groups, holdings.sorted { $0.key > $1.key }.map(\.value))
  }
}
