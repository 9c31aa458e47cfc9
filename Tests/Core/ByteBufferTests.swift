import Core
import TestSupport
import Testing

@Suite("ByteBuffer")
struct ByteBufferTests {
  @Test("Appended pieces come out one after the other, however often the buffer grows")
  func appendsAndGrows() {
    var buffer = ByteBuffer()
    var expected: [UInt8] = []
    for length in 0..<300 {
      let piece = [UInt8](repeating: UInt8(truncatingIfNeeded: length), count: length)
      buffer.append(piece)
      expected += piece
    }
    let count = buffer.count
    let capacity = buffer.capacity
    #expect(count == expected.count)
    #expect(capacity >= count)
    let frozen = buffer.freeze()
    #expect(frozen.array == expected)
  }

  @Test("Every kind of piece is appended as its bytes")
  func kindsOfPieces() {
    var buffer = ByteBuffer()
    buffer.append(UInt8(7))
    buffer.append("é")
    buffer.append(text: "雪")
    buffer.append([1, 2])
    buffer.append(Bytes([3, 4]))
    let other = Bytes([5, 6])
    buffer.append(other.bytes)
    let bytes = buffer.freeze().array
    #expect(bytes == [7] + Array("é".utf8) + Array("雪".utf8) + [1, 2, 3, 4, 5, 6])
  }

  @Test("Numbers are written in decimal as people write them", arguments: [0, 1, 9, 10, 99, 1042, -1, -10, Int.max, Int.min])
  func decimal(value: Int) {
    var buffer = ByteBuffer()
    buffer.append(decimal: value)
    let text = buffer.freeze().text
    #expect(text == String(value))
  }

  @Test("The largest unsigned number has twenty digits, written even where only they fit")
  func largestDecimal() {
    var buffer = ByteBuffer(capacity: 20)
    buffer.append(decimal: UInt64.max)
    let text = buffer.freeze().text
    #expect(text == "18446744073709551615")
  }

  @Test("Integers are laid down in the order asked for")
  func endianness() {
    var buffer = ByteBuffer()
    buffer.append(littleEndian: UInt32(0x0102_0304))
    buffer.append(bigEndian: UInt32(0x0102_0304))
    buffer.append(bigEndian: UInt16(0x0506))
    buffer.store(littleEndian: UInt16(0xaabb), at: 1)
    let bytes = buffer.freeze().array
    #expect(bytes == [4, 0xbb, 0xaa, 1, 1, 2, 3, 4, 5, 6])
  }

  @Test("Removing from the front keeps the rest in order", arguments: [0, 1, 7, 8, 9, 10])
  func removeFirst(amount: Int) {
    var buffer = ByteBuffer()
    buffer.append(Array(0..<10))
    buffer.removeFirst(amount)
    buffer.append(UInt8(99))
    let bytes = buffer.freeze().array
    #expect(bytes == Array(UInt8(amount)..<10) + [99])
  }

  @Test("Truncating drops the end, and what is appended then follows what stayed")
  func truncate() {
    var buffer = ByteBuffer()
    buffer.append(Array(0..<10))
    buffer.truncate(to: 3)
    buffer.append([9])
    let bytes = buffer.freeze().array
    #expect(bytes == [0, 1, 2, 9])
  }

  @Test("An emptied buffer keeps its memory, or gives it back when told to")
  func removeAll() {
    var buffer = ByteBuffer(capacity: 128)
    buffer.append(Array(repeating: 1, count: 100))
    buffer.removeAll()
    let kept = (buffer.count, buffer.capacity)
    #expect(kept == (0, 128))
    buffer.removeAll(keepingCapacity: false)
    let given = (buffer.count, buffer.capacity)
    #expect(given == (0, 0))
    buffer.append(UInt8(1))
    let count = buffer.count
    #expect(count == 1)
  }

  @Test("Room may be reserved and used in part, and asking for none is harmless")
  func reserve() {
    var buffer = ByteBuffer()
    _ = buffer.reserve(0)
    let space = buffer.reserve(100)
    space.storeBytes(of: 42, as: UInt8.self)
    buffer.advance(1)
    let bytes = buffer.freeze().array
    #expect(bytes == [42])
  }

  @Test("An empty buffer freezes to empty bytes, and shows empty bytes before")
  func empty() {
    let shown = ByteBuffer()
    #expect(shown.bytes.byteCount == 0)
    let frozen = ByteBuffer().freeze()
    #expect(frozen.isEmpty)
    #expect(frozen == Bytes())
  }

  @Test("Any sequence of edits leaves what the same edits leave in an array", arguments: [1, 2, 3, 4] as [UInt64])
  func againstModel(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var buffer = ByteBuffer()
    var model: [UInt8] = []
    for _ in 0..<2000 {
      switch random.below(6) {
      case 0, 1, 2:
        let piece = (0..<random.below(40)).map { _ in UInt8(random.below(256)) }
        buffer.append(piece)
        model += piece
      case 3:
        let amount = random.below(model.count + 1)
        buffer.removeFirst(amount)
        model.removeFirst(amount)
      case 4:
        let length = random.below(model.count + 1)
        buffer.truncate(to: length)
        model.removeSubrange(length...)
      default:
        buffer.append(decimal: model.count)
        model += Array(String(model.count).utf8)
      }
      let same = buffer.withUnsafeBytes { $0.elementsEqual(model) }
      #expect(same, "seed \(seed)")
    }
  }
}
