internal import Core
internal import Feeds
internal import MQTT
internal import Reactor
internal import Sessions

/// What a resumed session had under way: read once more from where it stands in the log, and sent again in its order
/// ([MQTT-4.4.0-1]).
extension EdgeReactor {
  /// Bytes of one read; most sessions have a few messages under way that stand near each other.
  private static let recallBytes = 64 << 10
  /// A message that was sent is sent again whatever has become of its subscription.
  private static let everything: Filter = {
    do { return try Filter("#") } catch { preconditionFailure("'#' is no filter") }
  }()

  func goOnRecalling(_ connection: Connection, _ session: MQTTSession) {
    guard let keeping = session.keeping, keeping.recallQuestion == nil, session.readsAgainAt == nil else { return }
    while let first = keeping.recalls.first, connection.isMQTT {
      guard let place = MQTTToken.place(of: first.token), place.offset > .zero, place.shard.index < settings.shardCount else {
        abandon(connection, session, keeping)
        continue
      }
      let sequence = nextSequence()
      keeping.recallQuestion = sequence
      ask(
        place.shard,
        .read(
          ReadRequest(
            edge: edge, ticket: TicketParts.make(connection.key, sequence), filters: [Self.everything], start: .after(Offset(place.offset.value - 1)),
            maximumBytes: Self.recallBytes)))
      return
    }
    if connection.isMQTT { windowOpens(connection, session) }
  }

  /// True when the answer was to such a read.
  func takesRecall(_ reply: ReadReply, _ connection: Connection) -> Bool {
    guard case .mqtt(let session) = connection.role, let keeping = session.keeping, let question = keeping.recallQuestion,
      question == TicketParts(reply.ticket).sequence
    else { return false }
    keeping.recallQuestion = nil
    switch reply.result {
    case .failure(let refusal): readAgain(connection, session, refusal)
    case .success(let page):
      guard let wanted = keeping.recalls.first.flatMap({ MQTTToken.place(of: $0.token) }) else { break }
      if var gap = page.gap, gap.to >= wanted.offset {
        // It was asked for everything; how much of that was this client's is not known.
        gap.skipped = nil
        tellMQTT(gap, of: reply.shard, connection, session)
      }
      // A replica that has not come so far yet.
      guard page.upTo >= wanted.offset else {
        readAgain(connection, session, .electing)
        break
      }
      recall(page, reply.shard, from: wanted.offset, connection, session, keeping)
      if connection.isMQTT { goOnRecalling(connection, session) }
    }
    return true
  }

  /// Everything next in turn that lies in the page.
  private func recall(
    _ page: ReadReply.Page, _ shard: ShardID, from start: Offset, _ connection: Connection, _ session: MQTTSession, _ keeping: MQTTKeeping
  ) {
    while let next = keeping.recalls.first, connection.isMQTT {
      guard let place = MQTTToken.place(of: next.token), place.shard == shard, place.offset >= start, place.offset <= page.upTo else { return }
      let isFound = page.pieces.contains { piece in
        piece.withUnsafeBytes { bytes in
          for record in RecordSequence(trusting: bytes) where record.offset == place.offset {
            send(record, place, again: next, connection, session, keeping)
            return true
          }
          return false
        }
      }
      if !isFound { abandon(connection, session, keeping) }
    }
  }

  private func send(
    _ record: RecordView, _ place: (shard: ShardID, offset: Offset, isCurrent: Bool), again recall: MQTTRecall, _ connection: Connection,
    _ session: MQTTSession, _ keeping: MQTTKeeping
  ) {
    keeping.recalls.removeFirst()
    guard recall.wasSent else { return deliverCurrent(record, place.shard, to: session, connection) }
    // A subscription that is gone since lets its messages be finished.
    var delivery = session.delivery(of: record, isCurrent: place.isCurrent) ?? MQTTDelivery(.atLeastOnce)
    delivery.token = recall.token
    let slot = session.channel.version == .v5 ? 1 : 0
    render(record, place.shard, slot)
    let rendered = mqttRendered[slot]
    _ = speak(connection, session) { channel, output in
      rendered.bytes.withUnsafeBytes { channel.redeliver(delivery, rendered.rendering, of: $0.bytes, into: &output) }
    }
    keeping.sent(delivery.token)
    counters.catchUpEvents[Transport.mqtt.rawValue] += 1
  }

  /// It is no more: past its life, or past what retention keeps.
  private func abandon(_ connection: Connection, _ session: MQTTSession, _ keeping: MQTTKeeping) {
    let recall = keeping.recalls.removeFirst()
    guard recall.wasSent else { return }
    speak(connection, session) { $0.abandon(recall.token, into: &$1) }
  }
}
