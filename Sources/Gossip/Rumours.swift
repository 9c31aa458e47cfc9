internal import Core

/// What is to be passed on, at most one rumour about each member: those told least often first, among them the
/// newest first. Each is told a number of times and then dropped.
struct Rumours: Sendable {
  private struct Rumour: Sendable {
    let subject: NodeID
    let age: UInt64
    /// The encoded message.
    let bytes: Bytes
    var timesTold = 0

    static func isBefore(_ a: Rumour, _ b: Rumour) -> Bool {
      a.timesTold != b.timesTold ? a.timesTold < b.timesTold : a.age > b.age
    }
  }

  private var rumours: [Rumour] = []
  private var nextAge: UInt64 = 0

  var count: Int { rumours.count }
  var isEmpty: Bool { rumours.isEmpty }

  func isTelling(of subject: NodeID) -> Bool { rumours.contains { $0.subject == subject } }

  /// Takes up news; what was to be said about the same member is out of date.
  mutating func add(_ bytes: Bytes, about subject: NodeID) {
    rumours.removeAll { $0.subject == subject }
    rumours.insert(Rumour(subject: subject, age: nextAge, bytes: bytes), at: 0)
    nextAge += 1
  }

  /// Appends as many rumours as fit into `limit` bytes altogether and says how many. O(rumours).
  mutating func tell(into buffer: inout ByteBuffer, limit: Int, times: Int) -> Int {
    guard !rumours.isEmpty else { return 0 }
    var told: [Rumour] = []
    var kept: [Rumour] = []
    for rumour in rumours {
      guard limit - buffer.count >= GossipFrame.shortestClaim, rumour.bytes.count <= limit - buffer.count else {
        kept.append(rumour)
        continue
      }
      buffer.append(rumour.bytes)
      var rumour = rumour
      rumour.timesTold += 1
      told.append(rumour)
    }
    merge(told, kept, dropping: times)
    return told.count
  }

  /// Both come in order and one more time told keeps theirs, so that merging is enough.
  private mutating func merge(_ told: [Rumour], _ kept: [Rumour], dropping times: Int) {
    rumours.removeAll(keepingCapacity: true)
    var a = 0
    var b = 0
    while a < told.count || b < kept.count {
      if a < told.count, b == kept.count || Rumour.isBefore(told[a], kept[b]) {
        if told[a].timesTold < times { rumours.append(told[a]) }
        a += 1
      } else {
        if kept[b].timesTold < times { rumours.append(kept[b]) }
        b += 1
      }
    }
  }
}
