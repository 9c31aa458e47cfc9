import Core
import Testing

@Suite("FilterTrie")
struct FilterTrieTests {
  private func found(_ trie: inout FilterTrie, _ topic: String) -> [UInt32] {
    var values: [UInt32] = []
    topic.utf8Bytes { trie.match($0, into: &values) }
    return values.sorted()
  }

  @Test("Finds exact names, single levels and rests together")
  func together() throws {
    var trie = FilterTrie()
    for (value, filter) in ["a/b", "a/+", "a/#", "#", "+/b", "a/b/c", "$SYS/#"].enumerated() { trie.insert(try Filter(filter), UInt32(value)) }
    #expect(found(&trie, "a/b") == [0, 1, 2, 3, 4])
    #expect(found(&trie, "a") == [2, 3])
    #expect(found(&trie, "a/b/c") == [2, 3, 5])
    #expect(found(&trie, "$SYS/x") == [6])
    #expect(found(&trie, "x") == [3])
  }

  @Test("One filter may stand for many values, and one value for many filters")
  func shared() throws {
    var trie = FilterTrie()
    trie.insert(try Filter("a"), 1)
    trie.insert(try Filter("a"), 2)
    trie.insert(try Filter("+"), 1)
    trie.insert(try Filter("+"), 1)
    #expect(found(&trie, "a") == [1, 1, 1, 2])
    let removed = trie.remove(try Filter("+"), 1)
    #expect(removed)
    #expect(found(&trie, "a") == [1, 1, 2])
  }

  @Test("Taking out what was never put in changes nothing and says so")
  func removingTheUnknown() throws {
    var trie = FilterTrie()
    trie.insert(try Filter("a/+"), 1)
    for (filter, value) in [("a/+", 2), ("a/b", 1), ("a/#", 1), ("+/+", 1), ("a/+/c", 1)] as [(String, UInt32)] {
      let removed = trie.remove(try Filter(filter), value)
      #expect(!removed, "\(filter)")
    }
    #expect(found(&trie, "a/b") == [1])
  }

  @Test("Names of empty levels alone are found and removed like others")
  func emptyLevels() throws {
    var trie = FilterTrie()
    trie.insert(try Filter("/+"), 1)
    trie.insert(try Filter("//"), 2)
    trie.insert(try Filter("/#"), 3)
    #expect(found(&trie, "//") == [2, 3])
    #expect(found(&trie, "/") == [1, 3])
    trie.remove(try Filter("/+"), 1)
    #expect(found(&trie, "/x") == [3])
  }

  @Test("Through any sequence of inserts and removals it finds what asking every filter finds", arguments: [21, 22, 23, 24] as [UInt64])
  func againstModel(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var trie = FilterTrie()
    var model: [(filter: String, value: UInt32)] = []
    var hits = 0
    for step in 0..<4000 {
      // Grows for a while, then shrinks to nothing: both ends of every structure are seen.
      let growing = (step / 500) % 2 == 0
      if random.below(10) < (growing ? 7 : 3) || model.isEmpty {
        let filter = FilterModel.filter(&random)
        let value = UInt32(random.below(50))
        trie.insert(try Filter(filter), value)
        model.append((filter, value))
      } else {
        let (filter, value) = model.remove(at: random.below(model.count))
        let removed = trie.remove(try Filter(filter), value)
        #expect(removed, "seed \(seed), step \(step): '\(filter)' was not there")
      }
      let topic = FilterModel.topic(&random)
      let expected = model.filter { FilterModel.matches($0.filter, topic) }.map(\.value).sorted()
      let values = found(&trie, topic)
      hits += expected.count
      if values != expected { Issue.record("seed \(seed), step \(step), '\(topic)': \(values), the model says \(expected)") }
    }
    for (filter, value) in model { trie.remove(try Filter(filter), value) }
    #expect(found(&trie, "a/b").isEmpty)
    #expect(hits > 1000, "too few matches for this to mean anything")
  }
}
