internal import Core
internal import Reactor

/// Who follows `$SYS/…` on this reactor, and what they were told last. Nothing is asked of the node while nobody does.
struct SystemDesk {
  /// How often values are told, and loads taken, as Mosquitto has it.
  static let interval = TimeSpan.seconds(10)

  /// Whoever left is found out at the next telling.
  private(set) var followers: [SlotKey] = []
  /// Those who wait for the first values, of these filters.
  private(set) var waiting: [(key: SlotKey, filter: Filter)] = []
  /// Those whose sockets took nothing when the others were told.
  private(set) var late: [SlotKey] = []
  /// What was told last; empty while nothing was.
  private(set) var told: [SystemTopic] = []
  private var toldAt: Instant?
  private var isAsked = false

  // Loads, and what had been counted when they were taken last.
  private(set) var load = MQTTLoad()
  private var counted = MQTTTraffic()
  private var countedAt: Instant

  init(at now: Instant) { countedAt = now }

  mutating func add(_ key: SlotKey) { if !followers.contains(key) { followers.append(key) } }

  /// True if the node must be asked now.
  mutating func wait(_ key: SlotKey, for filters: [Filter]) -> Bool {
    for filter in filters { waiting.append((key, filter)) }
    guard !isAsked else { return false }
    isAsked = true
    return true
  }

  /// True if it is time to ask the node again.
  mutating func isDue(at now: Instant) -> Bool {
    guard !followers.isEmpty, !isAsked, toldAt.map({ now - $0 >= SystemDesk.interval }) ?? true else { return false }
    isAsked = true
    return true
  }

  /// Takes what the node answered; what of it is new to those who follow already.
  mutating func take(_ topics: [SystemTopic], at now: Instant) -> [SystemTopic] {
    isAsked = false
    toldAt = now
    defer { told = topics }
    guard !told.isEmpty else { return [] }
    var before: [Bytes: Bytes] = [:]
    for topic in told { before[topic.name] = topic.value }
    return topics.filter { before[$0.name] != $0.value }
  }

  /// After the telling: `followers` are still there, and `late` of them could not be told.
  mutating func keep(_ followers: [SlotKey], late: [SlotKey]) {
    self.followers = followers
    self.late = late
    waiting = []
    // Who comes next is told what is then.
    if followers.isEmpty {
      told = []
      toldAt = nil
    }
  }

  func isLoadDue(at now: Instant) -> Bool { now - countedAt >= SystemDesk.interval }

  mutating func takeLoad(_ traffic: MQTTTraffic, at now: Instant) {
    load.sample(counted, traffic, over: now - countedAt)
    counted = traffic
    countedAt = now
  }
}
