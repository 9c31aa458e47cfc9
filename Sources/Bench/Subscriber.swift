import Core

/// One subscriber of a measurement: its connection, and what it has seen of each publisher.
final class Subscriber {
  enum State {
    case closed
    case connecting
    /// The request is out, the head of the answer is not in.
    case asking
    /// The answer came; the server has yet to say that it follows.
    case waiting
    case following
  }

  let index: Int
  let topic: Int
  var socket = ClientSocket()
  var state = State.closed
  /// One for each publisher, made with the first message.
  var windows: [SequenceWindow] = []
  var dechunker = Dechunker()
  var isChunked = false
  var attempts = 0
  var retryAt: UInt64 = 0
  var openedAt: UInt64 = 0
  /// Where to go on, as the server gave it; empty before that.
  var cursor: [UInt8] = []
  /// The cursor of a WebSocket, folded from positions.
  var folded: Cursor?

  /// In a storm: the last number published when it came back, and whether it has that.
  var target: UInt32 = 0
  var isCaughtUp = true
  var hasFollowedBefore = false

  init(index: Int, topic: Int) {
    self.index = index
    self.topic = topic
  }
}

/// One publisher: its connection, and what it has sent on each topic.
final class Publisher {
  let number: Int
  var socket = ClientSocket()
  var isReady = false
  var isConnecting = false
  /// MQTT's packet identifiers: of the next message, and of the one whose answer is next.
  var identifierSent: UInt16 = 1
  var identifierAnswered: UInt16 = 1
  /// The last number sent, by topic.
  var sequences: [UInt32]
  /// When each request that is not answered was sent, first to last.
  private var sendTimes: [UInt64]
  private var head = 0
  private(set) var inFlight = 0

  init(number: Int, topics: Int, mostInFlight: Int) {
    self.number = number
    sequences = [UInt32](repeating: 0, count: topics)
    sendTimes = [UInt64](repeating: 0, count: mostInFlight)
  }

  var hasRoom: Bool { inFlight < sendTimes.count }

  func sent(at time: UInt64) {
    precondition(hasRoom, "a request too many is in flight")
    sendTimes[(head + inFlight) % sendTimes.count] = time
    inFlight += 1
  }

  /// The oldest request was answered: when it had been sent; nil if there is none.
  func answered() -> UInt64? {
    guard inFlight > 0 else { return nil }
    let time = sendTimes[head]
    head = (head + 1) % sendTimes.count
    inFlight -= 1
    return time
  }

  /// The connection is gone, and with it the answers; the result is how many.
  func forget() -> Int {
    let count = inFlight
    inFlight = 0
    return count
  }
}

/// What a measurement counts.
struct BenchTally {
  var published = 0
  var acknowledged = 0
  var refusedPublishes = 0
  var expected = 0
  var delivered = 0
  var duplicates = 0
  var late = 0
  /// Numbers skipped that have not come.
  var missing = 0
  var foreign = 0
  var gaps = 0
  var connectFailures = 0
  var badAnswers = 0
  var disconnects = 0
  var givenUp = 0
  var lastDelivery: UInt64 = 0
  /// Histograms are in nanoseconds.
  var delivery = Histogram(precision: 6)
  var acknowledgement = Histogram(precision: 6)
  var opening = Histogram(precision: 6)
  var catchUp = Histogram(precision: 6)
}
