import Core

/// What is sent, and when.
extension Generator {

  /// Publishes what may be published now; when to look again, if that is known.
  func publish(at now: UInt64) -> UInt64? {
    var again: UInt64?
    var blocked = 0
    // A turn is bounded, so that answers are read in between.
    for _ in 0..<512 where blocked < publishers.count {
      if plan.rate != nil, now < nextSend {
        again = nextSend
        break
      }
      let topic = nextTopic
      if plan.isBoundByDeliveries {
        let followers = max(1, followersByTopic[topic])
        let outstanding = tally.expected - forgiven - tally.delivered
        if outstanding > 0, outstanding + followers > plan.window * followers { break }
      }
      let publisher = publishers[nextPublisher]
      nextPublisher = (nextPublisher + 1) % publishers.count
      guard publisher.isReady, publisher.hasRoom, publisher.socket.unsentCount < Generator.mostUnsent else {
        blocked += 1
        continue
      }
      blocked = 0
      if let rate = plan.rate { nextSend += UInt64(1e9 / rate) }
      if plan.topics > 1 { nextTopic = chance.below(plan.topics) }
      send(publisher, topic: topic, at: now)
    }
    for publisher in publishers where publisher.socket.unsentCount > 0 && !publisher.socket.awaitsRoom { _ = flush(publisher) }
    return again
  }

  func send(_ publisher: Publisher, topic: Int, at now: UInt64) {
    publisher.sequences[topic] += 1
    let marker = Marker(nanoseconds: now, run: run, publisher: UInt16(publisher.number), sequence: publisher.sequences[topic])
    if plan.transport == .mqtt {
      sendMQTT(publisher, topic: topic, marker)
    } else {
      publisher.socket.queue { buffer in
        buffer.append(requestHead)
        buffer.append(decimal: topic)
        buffer.append(requestTail)
        marker.write(into: &buffer)
        buffer.append(filler)
      }
    }
    publisher.sent(at: now)
    tally.published += 1
    tally.expected += followersByTopic[topic]
    publishedByTopic[topic] += 1
  }

  var requestsInFlight: Int { publishers.reduce(0) { $0 + $1.inFlight } }
  var areAllFollowing: Bool { following + tally.givenUp >= subscribers.count }
  var areAllPublishersReady: Bool { publishers.allSatisfy(\.isReady) }
  var isEverythingIn: Bool { requestsInFlight == 0 && tally.delivered >= tally.expected }
}
