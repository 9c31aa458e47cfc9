import Core
import Feeds

/// A router of one shard with its edge and its brokers played by hand.
struct Desk: ~Copyable {
  var router: ShardRouter
  var output = RouterOutput()
  var now = Instant.zero
  private var keys = RetryKey(edge: 1)
  private var sends: [RoutedSend] = []
  private var replies: [ShardReply] = []
  private let shard = ShardID(0)

  init(leader: NodeID? = nil, _ brokers: [NodeID] = [], settings: RouterSettings = RouterSettings(), seed: UInt64 = 1) {
    router = ShardRouter(shards: 1, settings: settings, seed: seed)
    for broker in brokers { router.came(broker) }
    if let leader { router.heard(leader, of: shard, at: now, into: &output) }
  }

  mutating func publish(_ number: Int, key: String? = nil, wantsAnswer: Bool = true) {
    let batch = PublishBatch(edge: EdgeID(0))
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    let topic = Bytes("t")
    let payload = Bytes("\(number)")
    let encode = { (key: UnsafeRawBufferPointer) in
      topic.withUnsafeBytes { topic in
        payload.withUnsafeBytes {
          RecordDraft().encode(topic: topic, type: nothing, contentType: nothing, key: key, properties: nothing, payload: $0, into: &batch.records)
        }
      }
    }
    if let key { Bytes(key).withUnsafeBytes(encode) } else { keys.withNext(encode) }
    let ticket = Ticket(wantsAnswer ? UInt64(number) : 0)
    batch.entries.append(PublishEntry(ticket: ticket, length: batch.records.count, wantsAnswer: wantsAnswer))
    ask(.publish(batch))
  }

  mutating func ask(_ request: ShardRequest) {
    router.ask(shard, request, at: now, into: &output)
    collect()
  }

  mutating func flush() {
    router.flush(at: now, into: &output)
    collect()
  }

  mutating func pass(_ span: TimeSpan) {
    now = now + span
    router.tick(at: now, into: &output)
    collect()
  }

  mutating func receive(_ broker: NodeID, _ reply: ShardReply) {
    router.receive(reply, from: broker, at: now, into: &output)
    collect()
  }

  mutating func answer(_ broker: NodeID, _ number: Int, _ outcome: PublishResult.Outcome) {
    receive(broker, .published(shard, [PublishResult(ticket: Ticket(UInt64(UInt(bitPattern: number))), outcome: outcome)]))
  }

  private mutating func collect() {
    sends += output.sends
    replies += output.replies
    output.removeAll()
  }

  mutating func takeSends() -> [RoutedSend] {
    collect()
    defer { sends = [] }
    return sends
  }

  mutating func takeReplies() -> [ShardReply] {
    collect()
    defer { replies = [] }
    return replies
  }

  mutating func sent(to broker: NodeID) -> [[Int]] {
    collect()
    return sends.filter { $0.to == broker }.compactMap {
      guard case .publish(let batch) = $0.request else { return nil }
      return batch.entries.map { Int(bitPattern: UInt($0.ticket.value)) }
    }
  }

  mutating func changes(to broker: NodeID) -> [Int] {
    collect()
    return sends.filter { $0.to == broker }.compactMap {
      guard case .interest(let change) = $0.request else { return nil }
      return Int(change.ticket.value)
    }
  }

  func outcomes(of number: Int) -> [PublishResult.Outcome] {
    replies.flatMap { reply -> [PublishResult] in if case .published(_, let results) = reply { results } else { [] } }
      .filter { $0.ticket.value == UInt64(UInt(bitPattern: number)) }.map(\.outcome)
  }

  var endings: Int { replies.count { if case .feedEnded = $0 { true } else { false } } }
  var pushes: [Int] { replies.compactMap { if case .push(let push) = $0 { Int(push.upTo.value) } else { nil } } }
  var readAnswers: [Int] { replies.compactMap { if case .read(let answer) = $0 { Int(answer.ticket.value) } else { nil } } }
}

/// Three brokers with one log between them, of which one leads; links break, leaders change, answers get lost.
struct Storm: ~Copyable {
  private struct Letter {
    var broker: Int
    var link: Int
    var batch: PublishBatch
  }

  private var desk: Desk
  private var random: SeededGenerator
  private var links = [1, 2, 3]
  private var leader = 0
  private var log: [String] = []
  private var keys: [[UInt8]: Int] = [:]
  private var letters: [Letter] = []
  private var answers: [Int: PublishResult.Outcome] = [:]
  private var published = 0
  private var nextLink = 4
  var complaint: String?

  init(seed: UInt64) {
    desk = Desk(ShardRouterTests.brokers, seed: seed)
    random = SeededGenerator(seed: seed)
  }

  mutating func run() {
    for _ in 0..<400 where complaint == nil { step(isCalm: false) }
    for index in links.indices where links[index] == 0 { connect(index) }
    for _ in 0..<4000 where complaint == nil { step(isCalm: true) }
    for number in 1...max(1, published) where complaint == nil && answers[number] == nil { complaint = "\(number) was never answered" }
    judge()
  }

  private mutating func step(isCalm: Bool) {
    switch random.below(isCalm ? 8 : 14) {
    case 0, 1:
      guard !isCalm else { break }
      published += 1
      desk.publish(published)
    case 2: desk.flush()
    case 3, 4: desk.pass(.milliseconds(10 + random.below(60)))
    case 5, 6, 7: deliver()
    case 8: leader = random.below(4)  // The fourth is nobody.
    case 9:
      let index = random.below(3)
      guard links[index] != 0 else { return connect(index) }
      // What was on its way may have arrived, or not; its answers are lost.
      while let place = letters.firstIndex(where: { $0.broker == index && random.below(2) == 0 }) { _ = carryOut(letters.remove(at: place)) }
      letters.removeAll { $0.broker == index }
      links[index] = 0
      desk.router.went(NodeID(UInt64(index + 1)), at: desk.now, into: &desk.output)
    case 10: connect(random.below(3))
    default: deliver()
    }
    if isCalm, leader == 3 { leader = 1 }
    collect()
  }

  private mutating func connect(_ index: Int) {
    guard links[index] == 0 else { return }
    links[index] = nextLink
    nextLink += 1
    desk.router.came(NodeID(UInt64(index + 1)))
  }

  private mutating func deliver() {
    guard !letters.isEmpty else { return }
    // In order on each link.
    let broker = letters[random.below(letters.count)].broker
    let letter = letters.remove(at: letters.firstIndex { $0.broker == broker }!)
    let results = carryOut(letter)
    desk.receive(NodeID(UInt64(broker + 1)), .published(ShardID(0), results))
  }

  private mutating func carryOut(_ letter: Letter) -> [PublishResult] {
    letter.batch.entries.map { entry in
      guard letter.broker == leader else {
        let hint = random.below(3) == 0 || leader == 3 ? nil : NodeID(UInt64(leader + 1))
        return PublishResult(ticket: entry.ticket, outcome: .refused(.notLeader(hint)))
      }
      // What was appended by a leader who lost its office may be kept, and nobody knows.
      let isKept = random.below(20) > 0
      let name = withUnsafeBytes(of: entry.ticket.value) { [UInt8]($0) }
      if let offset = keys[name] { return PublishResult(ticket: entry.ticket, outcome: .duplicate(Offset(UInt64(offset)), WallTime(milliseconds: 0))) }
      if isKept || random.below(2) == 0 {
        log.append("\(entry.ticket.value)")
        keys[name] = log.count
      }
      let outcome: PublishResult.Outcome = isKept ? .accepted(Offset(UInt64(log.count)), WallTime(milliseconds: 0)) : .refused(.unknownOutcome)
      return PublishResult(ticket: entry.ticket, outcome: outcome)
    }
  }

  private mutating func collect() {
    for send in desk.takeSends() {
      let broker = Int(send.to.value) - 1
      guard links[broker] != 0, case .publish(let batch) = send.request else {
        complaint = "sent where no link is"
        return
      }
      letters.append(Letter(broker: broker, link: links[broker], batch: batch))
    }
    for reply in desk.takeReplies() {
      guard case .published(_, let results) = reply else { continue }
      for result in results {
        let number = Int(result.ticket.value)
        if answers[number] != nil { complaint = "\(number) was answered twice" }
        answers[number] = result.outcome
      }
    }
  }

  private mutating func judge() {
    for (number, outcome) in answers where complaint == nil {
      let times = log.count { $0 == "\(number)" }
      switch outcome {
      case .accepted(let offset, _):
        if times != 1 || log[Int(offset.value) - 1] != "\(number)" { complaint = "\(number) is \(times) times in the log" }
      case .refused(.noQuorum): if times != 0 { complaint = "\(number) was refused and is in the log" }
      case .refused(.unknownOutcome): if times > 1 { complaint = "\(number) is \(times) times in the log" }
      case .duplicate, .refused: complaint = "\(number) ended with \(outcome)"
      }
    }
  }
}

extension ShardRouterTests {
  static var brokers: [NodeID] { [a, b, c] }
}
