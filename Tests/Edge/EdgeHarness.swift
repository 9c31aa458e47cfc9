import Core
import Feeds
import Glibc
import Testing

@testable import Edge
@testable import Reactor

/// One edge on a clock of its own, with model shards behind it and socket pairs before it.
final class EdgeHarness {
  static let cluster = ClusterID(0x0123_4567_89ab)
  static let node = NodeID(0xfeed)

  let loop: FakeLoop
  let shards: [ModelShard]
  let pages = FakePages()
  private(set) var edge: EdgeReactor!
  /// Requests on their way to the shards.
  private var requests: [(ShardID, ShardRequest)] = []
  private var clients: [TestClient] = []
  /// Nil: everything arrives at once. Else replies arrive when chance lets them, in order for each shard.
  var delays: SeededGenerator?
  /// Turns of the last `settle`.
  private(set) var turns = 0

  init(shards count: Int = 4, _ change: (inout EdgeSettings) -> Void = { _ in }) throws {
    SystemCalls.ignoreBrokenPipe()
    loop = try FakeLoop()
    shards = (0..<count).map { ModelShard(ShardID($0)) }
    var settings = EdgeSettings(
      cluster: EdgeHarness.cluster, node: EdgeHarness.node, nodeName: "test", version: "0.0.0", shardCount: count)
    change(&settings)
    edge = EdgeReactor(
      edge: EdgeID(0), settings: settings, loop: loop, seed: 7, nodePages: pages,
      // Connections that are open when a test ends ask once more.
      ask: { [weak self] shard, request in self?.requests.append((shard, request)) })
    pages.edge = edge
  }

  deinit {
    edge.closeAll()
    for client in clients { client.close() }
  }

  // MARK: Clients

  /// A client that has connected; `buffer` bounds what the kernel keeps for it.
  func connect(buffer: Int? = nil, loopback: Bool = true, speaksMQTT: Bool = false) throws -> TestClient {
    let client = try TestClient(buffer: buffer)
    clients.append(client)
    edge.accepted(client.serverEnd, isFromLoopback: loopback, speaksMQTT: speaksMQTT)
    return client
  }

  func connectMQTT() throws -> TestClient {
    let client = try TestClient(buffer: nil)
    clients.append(client)
    edge.accepted(client.serverEnd, isFromLoopback: true, speaksMQTT: true)
    return client
  }

  /// Connects, sends, and lets everything settle.
  func connect(sending text: String, buffer: Int? = nil) throws -> TestClient {
    let client = try connect(buffer: buffer)
    client.send(text)
    settle()
    return client
  }

  // MARK: Turns

  /// One turn of the loop, as a node's reactor makes it. False if nothing happened and nothing is left to do.
  @discardableResult func turn() -> Bool {
    var happened = loop.takeWake()
    if loop.events(ready: { edge.ready($0, $1) }, expired: { edge.expired($0) }) { happened = true }
    if deliver() { happened = true }
    var exchanges = 0
    repeat {
      edge.flushRequests()
      if carryRequests() { happened = true }
      if delays == nil, deliver() { happened = true }
      exchanges += 1
    } while edge.hasRequests && exchanges < 8
    edge.flushOutput()
    if carryRequests() { happened = true }
    for client in clients where !client.isStalled && client.receive() { happened = true }
    return happened || shards.contains { !$0.outbox.isEmpty }
  }

  /// Turns until nothing happens any more; an edge that never comes to rest is a fault.
  func settle(most: Int = 20_000, sourceLocation: SourceLocation = #_sourceLocation) {
    turns = 0
    while turn() {
      turns += 1
      guard turns < most else {
        Issue.record("the edge does not come to rest", sourceLocation: sourceLocation)
        return
      }
    }
  }

  /// Time passes, a second at most at once.
  func pass(_ span: TimeSpan) {
    var left = span
    while left > .zero {
      let step = min(left, .seconds(1))
      loop.move(by: step)
      left = TimeSpan(nanoseconds: left.nanoseconds - step.nanoseconds)
      for shard in shards { shard.tick() }
      settle()
    }
  }

  private func carryRequests() -> Bool {
    guard !requests.isEmpty else { return false }
    let carried = requests
    requests.removeAll()
    for (shard, request) in carried { shards[shard.index].receive(request, at: loop.wallTime) }
    return true
  }

  private func deliver() -> Bool {
    var delivered = false
    for shard in shards {
      while !shard.outbox.isEmpty {
        if delays != nil, delays!.below(3) == 0 { break }
        guard let reply = shard.takeReply() else { break }
        edge.receive(reply)
        delivered = true
      }
    }
    return delivered
  }

  // MARK: Publishing behind the edge's back, as another node's clients do

  func shard(of topic: String) -> ModelShard {
    shards[Bytes(topic).withUnsafeBytes { Topic.shard(of: $0, among: shards.count) }.index]
  }

  @discardableResult
  func publish(_ topic: String, _ payload: String, type: String = "", retain: Bool = false, settling: Bool = true) -> Position {
    let batch = PublishBatch(edge: EdgeID(99))
    var draft = RecordDraft()
    draft.flags = retain ? [.text, .retain] : .text
    draft.encode(topic: topic, type: type, payload: Array(payload.utf8), into: &batch.records)
    batch.entries.append(PublishEntry(ticket: Ticket(0), length: batch.records.count, wantsAnswer: false))
    let shard = shard(of: topic)
    shard.publish(batch, at: loop.wallTime)
    if settling { settle() }
    return Position(shard.id, shard.committed)
  }

  func cursor(_ positions: [Position]) -> String { Cursor(cluster: EdgeHarness.cluster, positions: positions).description }

  /// Where everything stands now.
  var end: String { cursor(shards.map { Position($0.id, $0.committed) }) }

  /// A topic that lies in `shard`.
  func topic(in shard: Int, _ prefix: String = "t") -> String {
    var number = 0
    while self.shard(of: "\(prefix)\(number)").id.index != shard { number += 1 }
    return "\(prefix)\(number)"
  }
}

/// The node's pages in tests.
final class FakePages: NodePages {
  weak var edge: EdgeReactor?
  var unreadiness: String?
  var isDraining = false
  private(set) var asked: [PageTicket] = []

  func status(for page: PageTicket) { asked.append(page) }
  func metrics(for page: PageTicket) { asked.append(page) }

  /// How often somebody wanted to know of the system.
  private(set) var systemAsked = 0
  func system(at edge: EdgeID) { systemAsked += 1 }

  private(set) var wishes: [String] = []
  var wishAnswer = NodeWishAnswer.accepted(Bytes("{}"))

  func wish(_ wish: NodeWish, of node: String, for page: PageTicket) {
    wishes.append("\(wish) \(node)")
    edge?.answerWish(page.ticket, wishAnswer)
  }

  func answerAll(_ text: String) {
    for page in asked { edge?.answerPage(page.ticket, type: "application/json", Bytes(text)) }
    asked.removeAll()
  }
}
