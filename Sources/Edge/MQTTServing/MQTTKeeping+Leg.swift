internal import Core
internal import MQTT
internal import Sessions

extension MQTTKeeping {
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
}
