internal import Core
internal import MQTT

/// The messages of each topic in the order in which they were committed: what MQTT subscribers are held against.
struct TopicLists {
  struct Entry {
    var message: UInt32
    /// What it was published with; of who did not say, the highest.
    var qos: MQTTQoS
  }

  private(set) var lists: [[Entry]]
  /// By message: where it stands first in its topic's list.
  private var places: [Int32] = []
  private var repeatable: Set<UInt32> = []

  init(topics: Int) { lists = [[Entry]](repeating: [], count: topics) }

  mutating func append(_ record: RecordView, _ message: Message) {
    let properties = record.properties
    let qos = properties.count >= 2 ? MQTTQoS(rawValue: properties[1]) ?? .exactlyOnce : .exactlyOnce
    while places.count <= Int(message.number) { places.append(-1) }
    if places[Int(message.number)] < 0 { places[Int(message.number)] = Int32(lists[Int(message.topic)].count) }
    lists[Int(message.topic)].append(Entry(message: message.number, qos: qos))
  }

  func place(of message: UInt32) -> Int? {
    Int(message) < places.count && places[Int(message)] >= 0 ? Int(places[Int(message)]) : nil
  }

  /// The next message from `start` on that reaches a subscriber of `granted` with `qos`.
  func next(_ qos: MQTTQoS, for granted: MQTTQoS, in topic: Int, from start: Int) -> Int? {
    let list = lists[topic]
    var index = start
    while index < list.count {
      if min(list[index].qos, granted) == qos { return index }
      index += 1
    }
    return nil
  }

  mutating func letRepeat(_ message: UInt32) { repeatable.insert(message) }
  func mayRepeat(_ message: UInt32) -> Bool { repeatable.contains(message) }
}

/// What one client's application was given of one topic, and what it is promised.
struct TopicWatch {
  let topic: Int
  var granted: MQTTQoS
  /// Everything from there on is promised; nil while nothing is.
  private(set) var floor: Int?
  /// The next to come, of QoS 1 and 2.
  private var next = [0, 0]

  init(topic: Int, granted: MQTTQoS) {
    self.topic = topic
    self.granted = granted
  }

  /// SUBACK has come.
  mutating func begin(_ lists: TopicLists) {
    floor = lists.lists[topic].count
    next = [floor!, floor!]
  }

  mutating func end() { floor = nil }
  var isPromised: Bool { floor != nil }

  mutating func given(_ message: UInt32, _ qos: MQTTQoS, _ lists: TopicLists, by client: Int) throws(Problem) {
    guard let place = lists.place(of: message), lists.lists[topic].indices.contains(place), lists.lists[topic][place].message == message else {
      throw Problem("client \(client) was given message \(message) of topic \(topic), which nobody committed there")
    }
    // What came before the promise may come or not.
    guard let floor, qos != .atMostOnce else { return }
    let kind = qos == .exactlyOnce ? 1 : 0
    let due = lists.next(qos, for: granted, in: topic, from: next[kind])
    if let due, lists.lists[topic][due].message == message {
      next[kind] = due + 1
      return
    }
    if place < floor { return }
    if place < next[kind] || (kind == 0 && lists.mayRepeat(message)) {
      guard kind == 1 else { return }
      throw Problem("client \(client) was given message \(message) of topic \(topic) twice, with QoS 2")
    }
    let missing = due.map { "\(lists.lists[topic][$0].message)" } ?? "nothing"
    throw Problem("client \(client) was given message \(message) of topic \(topic) with QoS \(qos.rawValue), and \(missing) was to come next")
  }

  /// A message that is promised and was not given yet.
  func missing(_ lists: TopicLists) -> UInt32? {
    guard floor != nil else { return nil }
    for qos in [MQTTQoS.atLeastOnce, .exactlyOnce] {
      if let index = lists.next(qos, for: granted, in: topic, from: next[Int(qos.rawValue) - 1]) { return lists.lists[topic][index].message }
    }
    return nil
  }
}
