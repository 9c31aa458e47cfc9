internal import Core
internal import MQTT
internal import Reactor

/// Where a message stands, for MQTT clients that asked to be told: a cursor behind it, good for every transport.
///
/// Such a client is written to alone, since its place is its own. Current values have no position, as in every transport:
/// they are no place in the log, and who was sent only some of them begins anew.
extension EdgeReactor {
  /// `tidings-position` of SUBSCRIBE, which is "1" or not there.
  func wantsPositions(_ request: MQTTSubscribeRequest) -> Result<Bool, UnreadableText> {
    guard let value = request.properties.userProperty(MQTTRecordProperties.positionName) else { return .success(false) }
    return value.isEqual(to: "1") ? .success(true) : .failure(UnreadableText("tidings-position is 1, or it is left out."))
  }

  /// For one client alone: nobody else stands where it does.
  func renderWithPosition(_ record: RecordView, _ shard: ShardID, _ reader: Reader) {
    scratch.removeAll()
    fanout.renderer.appendCursor([], [], into: &scratch)
    reader.forEachPlace { place, offset in
      let offset = place == shard ? record.offset : offset
      if offset > .zero { Cursor.write(place, offset, into: &scratch) }
    }
    let position = scratch.withUnsafeBytes { Bytes(copying: $0) }
    let rendered = mqttRendered[2]
    rendered.bytes.removeAll()
    rendered.rendering = fanout.renderer.appendMQTT(record, .v5, wall: loop.wallTime, position: position, into: &rendered.bytes)
  }
}

extension Reader {
  /// Each shard in order, and up to where everything in it was sent. A subscription that waits to begin has no place yet:
  /// its messages come after its SUBACK.
  fileprivate func forEachPlace(_ body: (ShardID, Offset) -> Void) {
    guard legs.count > 1 else {
      for place in legs[0].places where place.phase == .ready { body(place.shard, place.offset) }
      return
    }
    for shard in shards {
      let offsets = places(in: shard).map { legs[$0.leg].places[$0.place] }.filter { $0.phase == .ready }.map(\.offset)
      if let least = offsets.min() { body(shard, least) }
    }
  }
}

extension MQTTSession {
  func wantsPosition(of record: RecordView) -> Bool {
    subscriptions.contains { $0.wantsPositions && $0.filter.matches(record.topic) }
  }
}
