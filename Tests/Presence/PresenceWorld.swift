import Core
import Feeds

@testable import Presence

/// Edges and one shard's leader, joined by messages that a test may delay, lose and double.
struct PresenceWorld {
  static let shard = ShardID(3 as UInt16)

  struct Edge {
    var announcer: PresenceAnnouncer
    var mirror = PresenceMirror()
    /// By which number the leader knows it: another after every broken link.
    var address: EdgeID
    var isDown = false
    /// What a client that hears of each topic has in its list.
    var lists: [Topic: Set<String>] = [:]
    var told: [PresenceMirror.News] = []
    var denied: [PresenceDenial] = []
    var entered: [String] = []
  }

  var table: PresenceTable
  var edges: [Edge] = []
  var now = Instant(nanoseconds: 1_000_000_000)
  var wall = WallTime(milliseconds: 1_000)
  /// The next push does not arrive.
  var losesNextPush = false
  private var nextAddress: UInt32 = 1
  private var nextSource: UInt64 = 100
  private var term: UInt64 = 0

  init(edges count: Int, settings: PresenceSettings = PresenceSettings()) {
    table = PresenceTable(shard: Self.shard, settings: settings)
    for _ in 0..<count {
      edges.append(Edge(announcer: PresenceAnnouncer(shard: Self.shard, source: nextSource), address: EdgeID(nextAddress)))
      nextAddress += 1
      nextSource += 1
    }
    elect()
  }

  /// Another replica leads.
  mutating func elect() {
    term += 1
    table.begin(term, at: now)
  }

  mutating func breakLink(_ edge: Int) {
    table.forget(edges[edge].address, at: now)
    edges[edge].address = EdgeID(nextAddress)
    nextAddress += 1
  }

  mutating func kill(_ edge: Int) {
    table.forget(edges[edge].address, at: now)
    edges[edge].isDown = true
  }

  mutating func watch(_ edge: Int, _ topic: Topic) {
    edges[edge].lists[topic] = []
    edges[edge].announcer.watch(topic)
    edges[edge].mirror.watch(topic)
  }

  mutating func enter(_ edge: Int, _ topic: Topic, _ id: String, data: String = "") {
    edges[edge].announcer.enter(topic, Bytes(id), data: Bytes(data), since: wall)
  }

  mutating func leave(_ edge: Int, _ topic: Topic, _ id: String) { edges[edge].announcer.leave(topic, Bytes(id)) }

  /// Time passes, and everything that is sent arrives, but for what `loses` says.
  mutating func step(_ milliseconds: Int = 50, loses: () -> Bool = { false }) {
    now = now + .milliseconds(milliseconds)
    wall.milliseconds += Int64(milliseconds)
    for index in edges.indices where !edges[index].isDown {
      guard let request = edges[index].announcer.next(at: now, from: edges[index].address) else { continue }
      guard case .announce(let announcement) = request.operation else { continue }
      // A question that is lost is refused in the end.
      if loses() {
        take(PresenceReply(shard: Self.shard, ticket: request.ticket, result: .failure(.noQuorum)), index)
        continue
      }
      let receipt = table.announce(announcement, from: request.edge, at: now)
      take(PresenceReply(shard: Self.shard, ticket: request.ticket, result: loses() ? .failure(.noQuorum) : .success(.receipt(receipt))), index)
      if table.owesStates { deliver(table.takePushes(changes: false), loses: loses) }
    }
    table.tick(at: now)
    deliver(table.takePushes(changes: true), loses: loses)
  }

  mutating func run(_ milliseconds: Int, loses: () -> Bool = { false }) {
    for _ in 0..<milliseconds / 50 { step(loses: loses) }
  }

  private mutating func take(_ reply: PresenceReply, _ edge: Int) {
    let settled = edges[edge].announcer.take(reply, at: now)
    edges[edge].denied += settled.denied
    edges[edge].entered += settled.entered.map { "\($0.topic)/\($0.id.text)" }
  }

  private mutating func deliver(_ deliveries: [PresenceDelivery], loses: () -> Bool) {
    for delivery in deliveries where !loses() {
      if losesNextPush {
        losesNextPush = false
        continue
      }
      guard let index = edges.firstIndex(where: { $0.address == delivery.edge && !$0.isDown }) else { continue }
      guard edges[index].announcer.admits(delivery.push) else { continue }
      for news in edges[index].mirror.take(delivery.push) {
        edges[index].told.append(news)
        if news.isState {
          edges[index].lists[news.topic] = Set(edges[index].mirror.state(of: news.topic, atMost: .max)?.members.map(\.id.text) ?? [])
        } else {
          edges[index].lists[news.topic]?.formUnion(news.joined.map(\.id.text))
          edges[index].lists[news.topic]?.subtract(news.left.map(\.text))
        }
      }
    }
  }

  /// Who is on a topic, as the leader says.
  func ids(_ topic: Topic) -> [String] {
    guard let filter = try? Filter(topic.bytes) else { return [] }
    return table.answer(PresenceQuestion(filters: [filter], limit: 1000)).topics.flatMap { $0.members.map(\.id.text) }
  }

  /// Everybody of whom a client at an edge was told that he left.
  func left(_ edge: Int) -> [String] { edges[edge].told.flatMap { $0.left.map(\.text) } }
}

func topic(_ name: String) -> Topic { Topic(trusting: Bytes(name)) }
