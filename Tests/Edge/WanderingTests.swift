import Core
import Feeds
import Testing

@testable import Edge

@Suite("One sequence over every transport")
struct WanderingTests {
  static let filters = [["w/0"], ["w/1", "w/2"], ["w/+"], ["#"], ["w/3", "w/+", "#"], ["w/4", "v/#"], ["v/1/+", "w/5"], ["w/6", "w/7", "w/8", "v/2/x"]]
  static let topics = (0..<10).map { "w/\($0)" } + ["v/1/x", "v/2/x", "v/1/y"]

  @Test("Readers that stall, leave, come back and change transports by their cursors hear every message once and in order", arguments: 1...16)
  func wandering(seed: UInt64) throws {
    var chance = SeededGenerator(seed: seed)
    let harness = try EdgeHarness { settings in
      settings.fanout.readerBuffer = 4096
      settings.fanout.recentCacheBytes = 12 << 10
      settings.fanout.writesPerTurn = 3 + Int(seed % 5)
    }
    harness.delays = SeededGenerator(seed: seed &+ 1000)
    for shard in harness.shards { shard.pageBytes = 3000 }
    var readers: [WanderingReader] = []
    var published = 0
    func publish() {
      let topic = WanderingTests.topics[chance.below(WanderingTests.topics.count)]
      harness.publish(topic, "\(published) " + String(repeating: "p", count: chance.below(400)), settling: false)
      published += 1
    }
    for _ in 0..<30 { publish() }
    for _ in 0..<400 {
      switch chance.below(20) {
      case 0..<8: for _ in 0...chance.below(6) { publish() }
      case 8..<10 where readers.count < 12:
        let filters = try WanderingTests.filters[chance.below(WanderingTests.filters.count)].map { try Filter($0) }
        let end = Cursor(cluster: EdgeHarness.cluster, positions: harness.shards.map { Position($0.id, $0.committed) })
        let reader = WanderingReader(filters: filters, start: chance.below(2) == 0 ? end : Cursor(cluster: EdgeHarness.cluster))
        try reader.connect(manner(&chance), limit: 1 + chance.below(20), to: harness)
        readers.append(reader)
      case 10..<14 where !readers.isEmpty:
        readers[chance.below(readers.count)].isStalled.toggle()
      case 14..<16 where !readers.isEmpty:
        let reader = readers[chance.below(readers.count)]
        if reader.client != nil { try reader.leave() } else { try reader.connect(manner(&chance), limit: 1 + chance.below(20), to: harness) }
      case 16: for shard in harness.shards { shard.tick() }
      case 17: harness.loop.move(by: .seconds(chance.below(9)))
      default: break
      }
      for _ in 0...chance.below(3) { harness.turn() }
      for reader in readers { try reader.goOn() }
    }
    try finish(readers, harness, &chance)
    for reader in readers {
      for shard in harness.shards {
        let expected = reader.expected(of: shard)
        let here = Set(shard.log.map(WanderingReader.number))
        #expect(reader.heard.filter { here.contains($0) } == expected, "seed \(seed), shard \(shard.id), \(reader.filters), last \(reader.manner)")
      }
    }
    for reader in readers { try reader.leave() }
    harness.settle()
    #expect(harness.edge.connectionCount == 0)
  }

  /// Everyone comes back, takes what there is, and leaves.
  private func finish(_ readers: [WanderingReader], _ harness: EdgeHarness, _ chance: inout SeededGenerator) throws {
    for reader in readers {
      if reader.client == nil { try reader.connect(manner(&chance), limit: 20, to: harness) }
      reader.isStalled = false
    }
    var goesOn = true
    while goesOn {
      harness.settle()
      goesOn = false
      for reader in readers { goesOn = try reader.goOn() || goesOn }
    }
    let report = harness.edge.report()
    #expect(report.behind == 0 && report.queuedBytes == 0 && report.streamBytes == 0)
    for reader in readers { try reader.leave() }
  }

  private func manner(_ chance: inout SeededGenerator) -> WanderingReader.Manner {
    WanderingReader.Manner.allCases[chance.below(WanderingReader.Manner.allCases.count)]
  }
}
