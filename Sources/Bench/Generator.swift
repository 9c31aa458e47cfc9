import CLinux
import Core
import Glibc

/// The generator of load: subscribers and publishers on one loop, in one thread.
///
/// ```
///   turn: publish what the window and the rate allow → open connections → wait → read, scan markers, count
/// ```
///
/// It knows of the server what any client knows: routes, heads, frames, and the marker in each payload.
final class Generator {
  let plan: BenchPlan
  let address: ServerAddress
  let run: UInt32
  let topicPrefix: String
  let topicPrefixBytes: [UInt8]
  var tally = BenchTally()

  var subscribers: [Subscriber]
  var publishers: [Publisher]
  let poller: Int32
  let tokens: UnsafeMutablePointer<UInt64>
  let events: UnsafeMutablePointer<UInt32>
  /// The poller's bits for what has happened to a descriptor.
  static let readable: UInt32 = 0x1
  static let writable: UInt32 = 0x4
  let signals: Int32
  var isInterrupted = false
  /// Complaints kept for the report; the rest is only counted.
  var complaints: [String] = []
  static let mostComplaints = 5

  // Reading: one buffer, with room in front for what a connection carried over.
  static let carryRoom = 1 << 20
  static let readSize = 256 << 10
  let memory: UnsafeMutableRawPointer

  // Opening connections.
  var waiting: [Int] = []
  var waitingHead = 0
  var opening = 0
  var following = 0

  // Publishing.
  var isPublishing = false
  var isMeasuring = false
  /// Deliveries that stalled for good, so that a lost message does not stop the run.
  var forgiven = 0
  var nextSend: UInt64 = 0
  var nextPublisher = 0
  var nextTopic = 0
  var followersByTopic: [Int]
  var publishedByTopic: [UInt32]
  let filler: [UInt8]
  let requestHead: [UInt8]
  let requestTail: [UInt8]

  var chance: SeededGenerator

  // Storm.
  var stormBegan: UInt64 = 0
  var caughtUp = 0
  var allOpenAt: UInt64 = 0

  static let signalToken = UInt64.max
  /// What a publisher queues at most before it waits for the socket.
  static let mostUnsent = 256 << 10
  /// Attempts a subscriber makes before it is given up.
  static let mostAttempts = 20
  static let retryPause: UInt64 = 50_000_000

  init(_ plan: BenchPlan, address: ServerAddress) throws(BenchFailure) {
    self.plan = plan
    self.address = address
    run = UInt32(truncatingIfNeeded: plan.seed ^ plan.seed >> 32)
    topicPrefix = "bench/\(String(run, radix: 16))/"
    topicPrefixBytes = Array(topicPrefix.utf8)
    subscribers = (0..<plan.subscribers).map { Subscriber(index: $0, topic: $0 % plan.topics) }
    let mostInFlight = plan.isBoundByDeliveries ? plan.pipeline : plan.window
    publishers = (0..<plan.publishers).map { Publisher(number: $0, topics: plan.topics, mostInFlight: mostInFlight) }
    followersByTopic = [Int](repeating: 0, count: plan.topics)
    publishedByTopic = [UInt32](repeating: 0, count: plan.topics)
    for subscriber in subscribers { followersByTopic[subscriber.topic] += 1 }
    chance = SeededGenerator(seed: plan.seed)
    let length = max(plan.messageBytes, Marker.length)
    filler = [UInt8](repeating: UInt8(ascii: "x"), count: length - Marker.length)
    requestHead = Array("POST /v1/topics/\(topicPrefix)".utf8)
    requestTail = Array(
      " HTTP/1.1\r\nHost: \(address.text)\r\nContent-Type: text/plain\r\nContent-Length: \(length)\r\n\r\n".utf8)
    tidings_ignore_broken_pipe()
    poller = tidings_poll_create()
    signals = [SIGINT, SIGTERM].withUnsafeBufferPointer { tidings_signals_open($0.baseAddress, Int32($0.count)) }
    tokens = .allocate(capacity: Int(TIDINGS_POLL_EVENTS))
    events = .allocate(capacity: Int(TIDINGS_POLL_EVENTS))
    memory = .allocate(byteCount: Generator.carryRoom + Generator.readSize, alignment: 64)
    guard poller >= 0, signals >= 0, tidings_poll_add(poller, signals, Generator.readable, Generator.signalToken) == 0 else {
      throw BenchFailure("the system gives no poller: \(String(cString: strerror(errno)))")
    }
  }

  deinit {
    for subscriber in subscribers { subscriber.socket.close() }
    for publisher in publishers { publisher.socket.close() }
    Glibc.close(poller)
    Glibc.close(signals)
    tokens.deallocate()
    events.deallocate()
    memory.deallocate()
  }

  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  func complain(_ sentence: @autoclosure () -> String) {
    if complaints.count < Generator.mostComplaints { complaints.append(sentence()) }
  }

  /// Turns until `isDone` or the time is over; whether it was done.
  @discardableResult func turn(for span: TimeSpan, until isDone: () -> Bool = { false }) -> Bool {
    let end = Generator.now() &+ UInt64(span.nanoseconds)
    while !isInterrupted {
      if isDone() { return true }
      let now = Generator.now()
      if now >= end { return false }
      turnOnce(atMost: min(end - now, 2_000_000))
    }
    return false
  }

  func turnOnce(atMost nanoseconds: UInt64) {
    var patience = nanoseconds
    if isPublishing {
      let now = Generator.now()
      if let at = publish(at: now) { patience = at > now ? min(patience, at - now) : 0 }
    }
    openConnections()
    // The poller counts in milliseconds; a shorter wait is spent asking again.
    let count = tidings_poll_wait(poller, tokens, events, Int32(patience / 1_000_000))
    guard count > 0 else { return }
    for index in 0..<Int(count) {
      handle(tokens[index], events[index])
      // A long turn must not hold publishers back.
      if isPublishing, index & 63 == 63 { _ = publish(at: Generator.now()) }
    }
  }

  func handle(_ token: UInt64, _ happened: UInt32) {
    guard token != Generator.signalToken else {
      while tidings_signals_next(signals) > 0 { isInterrupted = true }
      return
    }
    let index = Int(token & 0xffff_ffff)
    let generation = UInt32(token >> 32)
    if index < subscribers.count {
      let subscriber = subscribers[index]
      guard subscriber.socket.isOpen, subscriber.socket.generation == generation else { return }
      if subscriber.state == .connecting { return connected(subscriber) }
      if happened & Generator.writable != 0, !flush(subscriber) { return }
      if happened & ~Generator.writable != 0 { read(subscriber) }
    } else {
      let publisher = publishers[index - subscribers.count]
      guard publisher.socket.isOpen, publisher.socket.generation == generation else { return }
      if publisher.isConnecting { return connected(publisher) }
      if happened & Generator.writable != 0, !flush(publisher) { return }
      if happened & ~Generator.writable != 0 { read(publisher) }
    }
  }
}
