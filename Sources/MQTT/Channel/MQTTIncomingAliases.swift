import Core

/// The topics a client has given numbers, for as long as its connection lasts ([MQTT-3.3.2-7]).
struct MQTTIncomingAliases {
  private var topics: [Bytes] = []

  /// Nil for a number that stands for nothing.
  func topic(_ alias: UInt16) -> Bytes? {
    let index = Int(alias) - 1
    guard index < topics.count, !topics[index].isEmpty else { return nil }
    return topics[index]
  }

  /// Gives `topic` the number, and returns the copy of it that is kept: its own, so that it does not hold on to a message.
  mutating func define(_ alias: UInt16, _ topic: RawSpan) -> Bytes {
    let index = Int(alias) - 1
    while topics.count <= index { topics.append(Bytes()) }
    // Clients tend to say it again and again.
    let isSame = topics[index].withUnsafeBytes { known in topic.withUnsafeBytes { known.elementsEqual($0) } }
    if !isSame { topics[index] = Bytes(copying: topic) }
    return topics[index]
  }
}
