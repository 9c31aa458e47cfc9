internal import Core
internal import Reactor

/// Readers that are written to alone and have everything: they rest until something comes that they want.
extension EdgeReactor {
  func park(_ reader: Reader, _ connection: Connection) {
    guard let audience = reader.audience, !reader.isParked else { return }
    if reader.legs.count > 1 { reader.legs = [Reader.Leg(merging: reader.legs)] }
    reader.isParked = true
    if reader.isAwaited {
      audience.remove(reader: connection.key)
      reader.isAwaited = false
    }
    if !reader.isAtHome {
      audience.parked.append(connection.key)
      reader.isAtHome = true
    }
  }

  /// The reader knows again where it stands itself.
  func unpark(_ reader: Reader) {
    guard reader.isParked, let audience = reader.audience else { return }
    reader.isParked = false
    reader.legs[0].stand(atLeast: parkedPlace(of: audience), of: audience)
  }

  /// Where its parked readers stand.
  func parkedPlace(of audience: Audience) -> [Offset] { audience.parkedAt ?? fanout.cursor(of: audience) }

  /// All of them go on reading; whoever is on its way already goes on by itself.
  func unpark(_ audience: Audience) {
    for key in audience.parked {
      guard let reader = connections[key]?.reader, reader.isParked else { continue }
      unpark(reader)
      pumpable.append(key)
    }
    audience.parkedAt = nil
  }

  /// It waits for the feed, not for its client: it must hear when that moves.
  func awaitFeed(_ reader: Reader, _ connection: Connection) {
    guard !reader.isAwaited, reader.question == nil, let audience = reader.audience else { return }
    reader.isAwaited = true
    fanout.await(audience, connection.key)
  }
}

extension Reader.Leg {
  /// One leg for several that stand at the end together.
  init(merging legs: [Reader.Leg]) {
    self = legs[0]
    guard legs.count > 1 else { return }
    for leg in legs.dropFirst() {
      for filter in leg.filters where !filters.contains(filter) { filters.append(filter) }
      for (index, place) in leg.places.enumerated() {
        if let known = places.firstIndex(where: { $0.shard == place.shard }) {
          for filter in place.filters where !places[known].filters.contains(filter) { places[known].filters.append(filter) }
          places[known].offset = max(places[known].offset, place.offset)
        } else {
          places.append(place)
          began.append(leg.began[index])
        }
      }
    }
    let order = places.indices.sorted { places[$0].shard < places[$1].shard }
    places = order.map { places[$0] }
    // What came before is nobody's any more: a later leg that goes back brings all it wants.
    began = places.map(\.offset)
  }

  mutating func stand(atLeast offsets: [Offset], of audience: Audience) {
    for place in places.indices {
      places[place].offset = max(places[place].offset, offsets[Int(audience.places[places[place].shard.index])])
      places[place].phase = .ready
      places[place].isRead = false
    }
    began = places.map(\.offset)
  }
}
