internal import Core
internal import MQTT
internal import Sessions

extension MQTTKeeping {
  /// Legs as they are kept, without what is not: subscriptions with QoS 0, and those that the client does not know of.
  func legs(_ legs: [Reader.Leg], of session: MQTTSession) -> [MQTTSessionProgress.Leg] {
    var wanted = Set<Filter>()
    for subscription in session.subscriptions where subscription.wish.qos != .atMostOnce { wanted.insert(subscription.filter) }
    return legs.compactMap { $0.isAnnounced ? kept($0, wanted) : nil }
  }

  /// Nil where nothing of it is kept.
  private func kept(_ leg: Reader.Leg, _ wanted: Set<Filter>) -> MQTTSessionProgress.Leg? {
    let numbers = leg.filters.compactMap { wanted.contains($0) ? filterNumbers[$0.bytes] : nil }
    guard !numbers.isEmpty else { return nil }
    var places: [MQTTSessionProgress.Place] = []
    for (place, began) in zip(leg.places, leg.began) {
      guard place.filters.contains(where: { wanted.contains($0) && filterNumbers[$0.bytes] != nil }) else { continue }
      let offset = max(place.offset, began)
      places.append(
        MQTTSessionProgress.Place(
          shard: place.shard.value, began: began.value, offset: offset.value, owesCurrent: place.held != nil || place.phase != .ready))
    }
    return MQTTSessionProgress.Leg(subscriptions: numbers, places: places.sorted { $0.shard < $1.shard })
  }
}
