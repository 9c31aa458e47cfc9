import Core
import Testing

@Suite("Cursor")
struct CursorTests {
  static let cluster = ClusterID(0x5f0c_9a1b_e27d)

  private func cursor(_ positions: (Int, UInt64)...) -> Cursor {
    Cursor(cluster: CursorTests.cluster, positions: positions.map { Position(ShardID($0.0), Offset($0.1)) })
  }

  @Test("Is written as version, cluster and places in order of shard")
  func written() {
    #expect(cursor().description == "v1~5f0c9a1be27d")
    #expect(cursor((7, 1042), (3, 9)).description == "v1~5f0c9a1be27d~3.9~7.1042")
    #expect(Cursor(cluster: ClusterID(1)).description == "v1~000000000001")
  }

  @Test("Is read back as it was written", arguments: [31, 32, 33] as [UInt64])
  func roundTrip(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      var original = Cursor(cluster: ClusterID(random.next()))
      for _ in 0..<random.below(20) { original[ShardID(random.below(65536))] = Offset(random.next() >> UInt64(random.below(64))) }
      let read = try Cursor(parsing: original.description)
      #expect(read == original, "seed \(seed)")
      #expect(original.description.utf8.allSatisfy { Array("0123456789abcdefv~.".utf8).contains($0) })
    }
  }

  @Test("The largest cursor there can be fits its bound and is read back")
  func largest() throws {
    let positions = (0..<Cursor.maximumPositions).map { Position(ShardID(65535 - $0), Offset(.max)) }
    let cursor = Cursor(cluster: ClusterID(.max), positions: positions)
    #expect(cursor.description.utf8.count <= Cursor.maximumLength)
    #expect(try Cursor(parsing: cursor.description) == cursor)
  }

  @Test(
    "What is not a cursor is refused with a hint",
    arguments: [
      "", "v1", "v1~", "v1~5f0c9a1be27", "v1~5f0c9a1be27dd", "v1~5f0c9a1be27g", "v1~5f0c9a1be27d~", "v1~5f0c9a1be27d~3",
      "v1~5f0c9a1be27d~3.", "v1~5f0c9a1be27d~.3", "v1~5f0c9a1be27d~3.4.5", "v1~5f0c9a1be27d~-1.4", "v1~5f0c9a1be27d~+1.4",
      "v1~5f0c9a1be27d~1.+4", "v1~5f0c9a1be27d~1.-4", "v1~5f0c9a1be27d~65536.1", "v1~5f0c9a1be27d~1.18446744073709551616",
      "v1~5f0c9a1be27d~3.1~3.2", "v1~5f0c9a1be27d~3.1~2.2", "v1~5f0c9a1be27d~~3.1", "v1~5f0c9a1be27d~3.1~", "v2~5f0c9a1be27d~3.1",
      "V1~5f0c9a1be27d", " v1~5f0c9a1be27d", "v1~5f0c9a1be27d ", "v1~5f0c9a1be27d~3.1 ", "v1~5f0c9a1be27d~٣.1", "v1~5f0c9a1be27d~0x3.1",
      "42", "5f0c9a1be27d~3.1", "v1-5f0c9a1be27d-3.1", "v1~+f0c9a1be27d~3.1",
    ])
  func malformed(text: String) {
    let error = #expect(throws: CursorError.self) { try Cursor(parsing: text) }
    #expect(error?.description.contains("a cursor looks like") == true)
  }

  @Test("A text longer than any cursor is refused before it is taken apart, as is one with too many places")
  func tooLong() {
    #expect(throws: CursorError.self) { try Cursor(parsing: String(repeating: "9", count: Cursor.maximumLength + 1)) }
    let places = (0...Cursor.maximumPositions).map { "~\($0).1" }.joined()
    #expect(throws: CursorError.self) { try Cursor(parsing: "v1~5f0c9a1be27d" + places) }
  }

  @Test("A shard that is not named stands at the beginning")
  func unnamed() {
    #expect(cursor((3, 9))[ShardID(4)] == .zero)
    #expect(cursor((3, 9))[ShardID(3)] == Offset(9))
  }

  @Test("Folding a message in moves its shard's place forward and never back")
  func folding() {
    var cursor = cursor((3, 9))
    cursor.fold(Position(ShardID(3), Offset(12)))
    cursor.fold(Position(ShardID(3), Offset(10)))
    cursor.fold(Position(ShardID(1), Offset(5)))
    #expect(cursor.description == "v1~5f0c9a1be27d~1.5~3.12")
    cursor[ShardID(3)] = Offset(2)
    #expect(cursor[ShardID(3)] == Offset(2))
  }

  @Test("Setting places in any order keeps them in order, each once", arguments: [41, 42] as [UInt64])
  func ordered(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var cursor = Cursor(cluster: CursorTests.cluster)
    var model: [Int: UInt64] = [:]
    for _ in 0..<1000 {
      let shard = random.below(64)
      let offset = UInt64(random.below(1000))
      cursor[ShardID(shard)] = Offset(offset)
      model[shard] = offset
    }
    #expect(cursor.positions == model.sorted { $0.key < $1.key }.map { Position(ShardID($0.key), Offset($0.value)) }, "seed \(seed)")
  }
}
