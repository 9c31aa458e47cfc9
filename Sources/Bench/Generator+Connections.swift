import CLinux
import Core
import Glibc

/// Opening, losing and writing.
extension Generator {

  func openAll() {
    waiting = Array(subscribers.indices)
    waitingHead = 0
  }

  func openConnections() {
    var looks = waiting.count - waitingHead
    var now: UInt64 = 0
    while looks > 0, opening < plan.burst {
      looks -= 1
      let subscriber = subscribers[waiting[waitingHead]]
      waitingHead += 1
      if subscriber.retryAt > 0 {
        if now == 0 { now = Generator.now() }
        if subscriber.retryAt > now {
          waiting.append(subscriber.index)
          continue
        }
      }
      open(subscriber)
    }
    if waitingHead > 0, waitingHead * 2 >= waiting.count {
      waiting.removeFirst(waitingHead)
      waitingHead = 0
    }
  }

  func open(_ subscriber: Subscriber) {
    let failure = subscriber.socket.connect(to: address, index: subscriber.index, run: run)
    opening += 1
    subscriber.state = .connecting
    subscriber.openedAt = Generator.now()
    if failure < 0 { return lost(subscriber, "connect: \(String(cString: strerror(-failure)))") }
    subscriber.socket.awaitsRoom = true
    _ = tidings_poll_add(
      poller, subscriber.socket.descriptor, Generator.readable | Generator.writable,
      token(subscriber.index, subscriber.socket.generation))
  }

  func openPublishers() {
    for publisher in publishers {
      let failure = publisher.socket.connect(to: address, index: 0, run: run)
      guard failure == 0 else {
        complain("publisher \(publisher.number): \(String(cString: strerror(-failure)))")
        continue
      }
      publisher.isConnecting = true
      publisher.socket.awaitsRoom = true
      _ = tidings_poll_add(
        poller, publisher.socket.descriptor, Generator.readable | Generator.writable,
        token(subscribers.count + publisher.number, publisher.socket.generation))
    }
  }

  func token(_ index: Int, _ generation: UInt32) -> UInt64 { UInt64(generation) << 32 | UInt64(index) }

  func connected(_ subscriber: Subscriber) {
    let failure = subscriber.socket.connectFailure()
    guard failure == 0 else { return lost(subscriber, "connect: \(String(cString: strerror(failure)))") }
    subscriber.state = .asking
    subscriber.socket.queue { ask(subscriber, into: &$0) }
    _ = flush(subscriber)
  }

  func connected(_ publisher: Publisher) {
    let failure = publisher.socket.connectFailure()
    guard failure == 0 else { return lost(publisher, "connect: \(String(cString: strerror(failure)))") }
    publisher.isConnecting = false
    if plan.transport == .mqtt {
      publisher.socket.queue { askMQTT(publisher, into: &$0) }
    } else {
      publisher.isReady = true
    }
    _ = flush(publisher)
  }

  /// The server follows for this subscriber now.
  func follows(_ subscriber: Subscriber) {
    guard subscriber.state != .following else { return }
    subscriber.state = .following
    subscriber.attempts = 0
    subscriber.retryAt = 0
    opening -= 1
    following += 1
    let now = Generator.now()
    tally.opening.record(now - subscriber.openedAt)
    if following == subscribers.count { allOpenAt = now }
    if subscriber.hasFollowedBefore, !subscriber.isCaughtUp {
      subscriber.target = publishedByTopic[subscriber.topic]
      if subscriber.target <= subscriber.windows.first?.last ?? 0 { hasCaughtUp(subscriber, at: now) }
    }
    subscriber.hasFollowedBefore = true
  }

  func hasCaughtUp(_ subscriber: Subscriber, at now: UInt64) {
    subscriber.isCaughtUp = true
    caughtUp += 1
    tally.catchUp.record(now - stormBegan)
  }

  func lost(_ subscriber: Subscriber, _ why: String?) {
    guard subscriber.state != .closed else { return }
    if let why { complain("a subscriber's connection was lost while \(subscriber.state): \(why)") }
    let wasFollowing = subscriber.state == .following
    subscriber.socket.close()
    subscriber.state = .closed
    if wasFollowing {
      following -= 1
      tally.disconnects += 1
    } else {
      opening -= 1
      tally.connectFailures += 1
    }
    guard subscriber.attempts < Generator.mostAttempts else {
      tally.givenUp += 1
      return
    }
    subscriber.attempts += 1
    subscriber.retryAt = wasFollowing ? 0 : Generator.now() + Generator.retryPause
    waiting.append(subscriber.index)
  }

  func lost(_ publisher: Publisher, _ why: String) {
    complain("publisher \(publisher.number): \(why)")
    publisher.socket.close()
    publisher.isReady = false
    publisher.isConnecting = false
    tally.refusedPublishes += publisher.forget()
    tally.disconnects += 1
  }

  /// Every subscriber drops its connection and queues to come back.
  func breakLoose() {
    stormBegan = Generator.now()
    caughtUp = 0
    allOpenAt = 0
    waiting.removeAll()
    waitingHead = 0
    for subscriber in subscribers {
      subscriber.socket.close()
      subscriber.state = .closed
      subscriber.retryAt = 0
      subscriber.attempts = 0
      subscriber.isCaughtUp = false
      waiting.append(subscriber.index)
    }
    following = 0
    opening = 0
  }

  /// Sends what is queued; false when the connection broke.
  func flush(_ subscriber: Subscriber) -> Bool {
    switch subscriber.socket.flush() {
    case .done: watch(room: false, &subscriber.socket, subscriber.index)
    case .full: watch(room: true, &subscriber.socket, subscriber.index)
    case .failed(let failure):
      lost(subscriber, String(cString: strerror(failure)))
      return false
    }
    return true
  }

  func flush(_ publisher: Publisher) -> Bool {
    switch publisher.socket.flush() {
    case .done: watch(room: false, &publisher.socket, subscribers.count + publisher.number)
    case .full: watch(room: true, &publisher.socket, subscribers.count + publisher.number)
    case .failed(let failure):
      lost(publisher, String(cString: strerror(failure)))
      return false
    }
    return true
  }

  func watch(room: Bool, _ socket: inout ClientSocket, _ index: Int) {
    guard socket.awaitsRoom != room else { return }
    socket.awaitsRoom = room
    _ = tidings_poll_change(
      poller, socket.descriptor, Generator.readable | (room ? Generator.writable : 0), token(index, socket.generation))
  }
}
