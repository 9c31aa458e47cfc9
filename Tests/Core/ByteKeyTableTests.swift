import Core
import Testing

@Suite("ByteKeyTable")
struct ByteKeyTableTests {
  @Test("Holds what a dictionary holds, through inserts, changes and removals", arguments: [51, 52, 53] as [UInt64])
  func againstModel(seed: UInt64) {
    struct Key: Hashable {
      let bytes: [UInt8]
      let scope: UInt32
    }
    var random = SeededGenerator(seed: seed)
    var table = ByteKeyTable<Int>()
    var model: [Key: Int] = [:]
    for step in 0..<20_000 {
      let length = random.below(12)
      let key = Key(bytes: (0..<length).map { _ in UInt8(random.below(3)) }, scope: UInt32(random.below(3)))
      let growing = (step / 2500) % 2 == 0
      if random.below(10) < (growing ? 7 : 3) {
        let (index, inserted) = key.bytes.withUnsafeBytes { table.insert($0, scope: key.scope, default: step) }
        #expect(inserted == (model[key] == nil))
        if !inserted { table[at: index] = step }
        model[key] = step
      } else {
        let removed = key.bytes.withUnsafeBytes { table.remove($0, scope: key.scope) }
        #expect(removed == model.removeValue(forKey: key), "seed \(seed), step \(step)")
      }
      if step % 500 == 0 {
        #expect(table.count == model.count)
        for (key, value) in model {
          let index = key.bytes.withUnsafeBytes { table.index(of: $0, scope: key.scope) }
          #expect(index.map { table[at: $0] } == value, "seed \(seed), step \(step)")
        }
        for index in 0..<table.count {
          let key = Key(bytes: table.withKey(at: index) { Array($0) }, scope: table.scope(at: index))
          #expect(model[key] == table[at: index], "seed \(seed), step \(step)")
        }
      }
    }
  }

  @Test("Long keys that come and go leave no memory of themselves that could mix up others")
  func compaction() {
    var table = ByteKeyTable<Int>()
    func key(_ number: Int) -> [UInt8] { Array("a/long/enough/topic/name/\(number)/\(String(repeating: "x", count: number % 40))".utf8) }
    for number in 0..<1000 { key(number).withUnsafeBytes { _ = table.insert($0, default: number) } }
    for number in 0..<1000 where number % 10 != 0 { key(number).withUnsafeBytes { _ = table.remove($0) } }
    #expect(table.count == 100)
    for number in 0..<1000 {
      #expect(key(number).withUnsafeBytes { table[$0] } == (number % 10 == 0 ? number : nil))
    }
  }

  @Test("Entries stay in order of insertion until one is removed; then the last takes its place")
  func order() {
    var table = ByteKeyTable<Int>()
    for number in 0..<5 { Array("k\(number)".utf8).withUnsafeBytes { _ = table.insert($0, default: number) } }
    #expect((0..<table.count).map { table[at: $0] } == [0, 1, 2, 3, 4])
    Array("k1".utf8).withUnsafeBytes { _ = table.remove($0) }
    #expect((0..<table.count).map { table[at: $0] } == [0, 4, 2, 3])
  }

  @Test("The empty key is a key like others, whether or not it has an address")
  func emptyKey() {
    var table = ByteKeyTable<Int>()
    let nowhere = UnsafeRawBufferPointer(start: nil, count: 0)
    table.insert(nowhere, default: 1)
    [UInt8(1)].withUnsafeBytes { somewhere in
      let empty = UnsafeRawBufferPointer(rebasing: somewhere[0..<0])
      #expect(table[empty] == 1)
      let inserted = table.insert(empty, default: 2).inserted
      #expect(!inserted)
    }
    #expect(table.remove(nowhere) == 1)
    #expect(table.isEmpty)
  }

  @Test("The same key in two scopes is two keys")
  func scopes() {
    var table = ByteKeyTable<Int>()
    Array("a".utf8).withUnsafeBytes { key in
      table.insert(key, scope: 1, default: 1)
      table.insert(key, scope: 2, default: 2)
      #expect(table.index(of: key, scope: 1) == 0)
      #expect(table.index(of: key, scope: 2) == 1)
      #expect(table.index(of: key, scope: 0) == nil)
    }
  }

  @Test("A table of which little is left finds what is left, and grows again")
  func shrinks() {
    var table = ByteKeyTable<Int>()
    func key<R>(_ number: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R { Bytes("key \(number)").withUnsafeBytes(body) }
    for round in 0..<3 {
      for number in 0..<5000 { key(number) { _ = table.insert($0, default: number + round) } }
      for number in 0..<5000 where number % 700 != round { key(number) { _ = table.remove($0) } }
      for number in 0..<5000 { #expect(key(number) { table[$0] } == (number % 700 == round ? number + round : nil)) }
      for number in 0..<5000 { key(number) { _ = table.remove($0) } }
      #expect(table.isEmpty)
    }
  }
}
