import Core

/// The numbers given to topics towards a client. When all are taken, the topic that was not used for longest loses its own.
struct MQTTOutgoingAliases {
  /// More than these are not used, whatever a client allows: every message looks through all of them.
  static let most = 64

  private struct Slot {
    var topic: [UInt8]
    var lastUse: UInt64
  }

  // Apart from the topics, so that the look through them is one through a few cache lines.
  private var hashes: [UInt64] = []
  private var slots: [Slot] = []
  private let limit: Int
  private var uses: UInt64 = 0

  init(limit: Int) { self.limit = min(limit, MQTTOutgoingAliases.most) }

  var isAllowed: Bool { limit > 0 }

  struct Choice {
    /// 1 and above.
    let alias: UInt16
    /// Whether the client knows it already.
    let isKnown: Bool
    fileprivate let hash: UInt64
  }

  /// The number for `topic`, known or new; nothing is changed.
  func choice(_ topic: RawSpan) -> Choice {
    let hash = topic.withUnsafeBytes { StableHash.of($0) }
    for index in 0..<hashes.count where hashes[index] == hash {
      let isSame = slots[index].topic.withUnsafeBytes { known in topic.withUnsafeBytes { known.elementsEqual($0) } }
      if isSame { return Choice(alias: UInt16(index + 1), isKnown: true, hash: hash) }
    }
    guard slots.count == limit else { return Choice(alias: UInt16(slots.count + 1), isKnown: false, hash: hash) }
    var oldest = 0
    for index in 1..<slots.count where slots[index].lastUse < slots[oldest].lastUse { oldest = index }
    return Choice(alias: UInt16(oldest + 1), isKnown: false, hash: hash)
  }

  /// The message that told or used the number is sent.
  mutating func use(_ choice: Choice, _ topic: RawSpan) {
    uses += 1
    let index = Int(choice.alias) - 1
    if index == slots.count {
      hashes.append(choice.hash)
      slots.append(Slot(topic: topic.withUnsafeBytes { [UInt8]($0) }, lastUse: uses))
      return
    }
    slots[index].lastUse = uses
    guard !choice.isKnown else { return }
    hashes[index] = choice.hash
    slots[index].topic.removeAll(keepingCapacity: true)
    topic.withUnsafeBytes { slots[index].topic.append(contentsOf: $0) }
  }
}
