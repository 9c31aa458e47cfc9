internal import Core

extension Reader {
  /// The legs that read one shard from one place, and how far they may go together.
  ///
  /// Nearly always a single leg without a bound; only a WebSocket with several subscriptions has more.
  struct Lane {
    var shard: ShardID
    var leg: Int
    var place: Int
    /// Those that stand where the first one stands.
    var others: [(leg: Int, place: Int)] = []
    /// Where the next, more advanced leg stands.
    var ceiling: Offset?

    init(shard: ShardID, leg: Int, place: Int, ceiling: Offset? = nil) {
      self.shard = shard
      self.leg = leg
      self.place = place
      self.ceiling = ceiling
    }

    func contains(_ index: Int) -> Bool { index == leg || others.contains { $0.leg == index } }

    func allSatisfy(_ condition: ((leg: Int, place: Int)) -> Bool) -> Bool { condition((leg, place)) && others.allSatisfy(condition) }

    func first(where condition: ((leg: Int, place: Int)) -> Bool) -> (leg: Int, place: Int)? {
      condition((leg, place)) ? (leg, place) : others.first(where: condition)
    }
  }

  /// Whether the legs are subscriptions of a WebSocket.
  var isSocket: Bool { !(legs.first?.subscription.isEmpty ?? true) }

  /// The places of all legs in `shard`.
  func places(in shard: ShardID) -> [(leg: Int, place: Int)] {
    legs.indices.compactMap { leg in legs[leg].places.firstIndex { $0.shard == shard }.map { (leg, $0) } }
  }

  func hasPlaces(in shard: ShardID) -> Bool { places(in: shard).allSatisfy { legs[$0.leg].places[$0.place].phase == .ready } }

  /// The least advanced legs in `shard` of those that know where they stand.
  func lane(in shard: ShardID) -> Lane? {
    var lane: Lane?
    for (leg, place) in places(in: shard) where legs[leg].places[place].phase == .ready {
      let offset = legs[leg].places[place].offset
      guard let current = lane else {
        lane = Lane(shard: shard, leg: leg, place: place)
        continue
      }
      let least = self.offset(of: current)
      if offset < least {
        lane = Lane(shard: shard, leg: leg, place: place, ceiling: least)
      } else if offset == least {
        lane?.others.append((leg, place))
      } else {
        lane?.ceiling = min(offset, current.ceiling ?? offset)
      }
    }
    return lane
  }

  func offset(of lane: Lane) -> Offset { legs[lane.leg].places[lane.place].offset }

  func move(_ lane: Lane, to offset: Offset) {
    legs[lane.leg].places[lane.place].offset = offset
    for (leg, place) in lane.others { legs[leg].places[place].offset = offset }
  }

  func setRead(_ lane: Lane, _ isRead: Bool) {
    legs[lane.leg].places[lane.place].isRead = isRead
    for (leg, place) in lane.others { legs[leg].places[place].isRead = isRead }
  }

  /// What the lane's legs want of its shard, each filter once.
  func filters(of lane: Lane) -> [Filter] {
    var filters = legs[lane.leg].places[lane.place].filters
    for (leg, place) in lane.others {
      for filter in legs[leg].places[place].filters where !filters.contains(filter) { filters.append(filter) }
    }
    return filters
  }

  /// Whether a leg outside the lane delivered the record already, or will when it comes there.
  func isOthers(_ record: RecordView, _ lane: Lane) -> Bool {
    for (leg, place) in places(in: lane.shard) where !lane.contains(leg) {
      guard record.offset > legs[leg].began[place], legs[leg].isAnnounced else { continue }
      let topic = record.topic
      if legs[leg].places[place].filters.contains(where: { $0.matches(topic) }) { return true }
    }
    return false
  }

  /// Whether `leg` may be told where it begins: it knows, and nobody stands before it in any of its shards.
  func isReadyToTell(_ leg: Int) -> Bool {
    legs[leg].places.allSatisfy { place in
      place.phase == .ready
        && places(in: place.shard).allSatisfy { legs[$0.leg].places[$0.place].phase == .ready && legs[$0.leg].places[$0.place].offset >= place.offset }
    }
  }
}
