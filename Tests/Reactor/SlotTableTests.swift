import Testing

@testable import Reactor

@Suite("The slot table")
struct SlotTableTests {
  @Test("a key that outlived its element finds nothing, though the place is used again")
  func generations() {
    var table = SlotTable<String>()
    let first = table.insert("first")
    #expect(table.remove(first) == "first")
    let second = table.insert("second")
    #expect(second.index == first.index && second.generation != first.generation)
    #expect(table[first] == nil && !table.contains(first) && table.remove(first) == nil)
    #expect(table.update(first) { $0 += "!" } == nil)
    #expect(table[second] == "second")
  }

  @Test("elements are changed where they lie and may know their own key")
  func updates() {
    var table = SlotTable<[SlotKey]>()
    let key = table.insert { [$0] }
    #expect(table[key] == [key])
    #expect(table.update(key) { $0.append($0[0]); return $0.count } == 2)
    #expect(table[key]?.count == 2)
  }

  @Test("places are used again before new ones are made")
  func density() {
    var random = TestGenerator(seed: 5)
    var table = SlotTable<Int>()
    var model: [SlotKey: Int] = [:]
    for value in 0..<20_000 {
      if random.below(2) == 0 || model.isEmpty {
        model[table.insert(value)] = value
      } else if let (key, expected) = model.randomElement(using: &random) {
        #expect(table[key] == expected && table.remove(key) == expected)
        model[key] = nil
      }
      #expect(table.count == model.count)
    }
    #expect(Set(table.keys) == Set(model.keys))
    #expect(table.elements.count < 1000)
  }

  @Test("generations go around within the bits a token has")
  func generationsGoAround() {
    var table = SlotTable<Int>()
    let key = table.insert(0)
    table.generations[0] = SlotKey.generationMask
    table.remove(SlotKey(index: key.index, generation: SlotKey.generationMask))
    #expect(table.insert(1) == SlotKey(index: 0, generation: 0))
  }

  @Test("a token carries kind, generation and slot")
  func tokens() {
    let slot = SlotKey(index: .max, generation: SlotKey.generationMask)
    let token = PollToken(kind: 7, slot)
    #expect(token.kind == 7 && token.slot == slot)
    #expect(PollToken(rawValue: token.rawValue) == token)
    #expect(PollToken(kind: 1, SlotKey(index: 2, generation: 3)).rawValue == 0x0100_0003_0000_0002)
  }
}
