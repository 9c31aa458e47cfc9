import Core
import TestSupport
import Testing

@testable import MQTT

/// The parts a channel is made of, against the simplest thing that does the same.
@Suite struct ChannelPartsTests {
  private static let seeds: [UInt64] = [0x7061_7274, 12]

  @Test("A set of identifiers is a set, whatever is put in and taken out", arguments: seeds)
  func identifiers(seed: UInt64) {
    print("seed \(seed)")
    var chance = SeededGenerator(seed: seed)
    var set = MQTTIdentifierSet()
    var model: Set<UInt16> = []
    for step in 0..<20_000 {
      // Few and close together, so that runs wrap and collide; now and then any.
      let identifier = chance.below(20) == 0 ? UInt16(1 + chance.below(0xffff)) : UInt16(1 + chance.below(40) * 16)
      if chance.below(2) == 0 {
        let isNew = set.insert(identifier)
        #expect(isNew == !model.contains(identifier))
        model.insert(identifier)
      } else {
        let wasThere = set.remove(identifier)
        #expect(wasThere == model.contains(identifier))
        model.remove(identifier)
      }
      #expect(set.count == model.count)
      if step % 100 == 0 {
        #expect(set.sorted == model.sorted())
        for identifier in stride(from: UInt16(1), to: 700, by: 7) { #expect(set.contains(identifier) == model.contains(identifier)) }
      }
    }
  }

  @Test("A set of identifiers holds all there are")
  func allIdentifiers() {
    var set = MQTTIdentifierSet()
    for identifier in UInt16(1)...0xffff { set.insert(identifier) }
    #expect(set.count == 0xffff)
    #expect(set.sorted == Array(1...0xffff))
    var removed = 0
    for identifier in UInt16(1)...0xffff where set.remove(identifier) { removed += 1 }
    #expect(removed == 0xffff && set.isEmpty)
  }

  @Test("A ring is a queue from which some leave out of turn", arguments: seeds)
  func ring(seed: UInt64) {
    print("seed \(seed)")
    var chance = SeededGenerator(seed: seed)
    var ring = MQTTRing<Int>()
    var model: [Int] = []
    for step in 0..<5_000 {
      switch chance.below(5) {
      case 0 where !model.isEmpty:
        let first = ring.removeFirst()
        #expect(first == model.removeFirst())
      case 1 where !model.isEmpty:
        let index = chance.below(model.count)
        ring.remove(at: index)
        model.remove(at: index)
      case 2 where !model.isEmpty:
        let index = chance.below(model.count)
        ring[index] = -step
        model[index] = -step
      default:
        ring.append(step)
        model.append(step)
      }
      #expect(ring.count == model.count && ring.first == model.first)
      if step % 50 == 0 { #expect((0..<ring.count).map { ring[$0] } == model) }
    }
  }
}
