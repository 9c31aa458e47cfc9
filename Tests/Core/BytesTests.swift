import Core
import Testing

@Suite("Bytes")
struct BytesTests {
  @Test("A slice is the bytes of its range, and a slice of a slice counts from the slice")
  func slices() {
    let bytes = Bytes(Array(0..<20))
    let middle = bytes.slice(5..<15)
    #expect(middle.array == Array(5..<15))
    #expect(middle.slice(2..<4).array == [7, 8])
    #expect(middle[0] == 5)
    #expect(middle.slice(10..<10).isEmpty)
    #expect(middle.slice(0..<10) == middle)
  }

  @Test("A slice outlives the bytes it was cut from")
  func sliceKeepsMemory() {
    func cut() -> Bytes { Bytes([UInt8](repeating: 3, count: 10_000)).slice(9_990..<10_000) }
    #expect(cut().array == [UInt8](repeating: 3, count: 10))
  }

  @Test("Equality and hashing look at the bytes, not at where they lie")
  func equality() {
    let whole = Bytes("xxorders/42yy")
    let slice = whole.slice(2..<11)
    #expect(slice == Bytes("orders/42"))
    #expect(slice.hashValue == Bytes("orders/42").hashValue)
    #expect(slice != Bytes("orders/43"))
    #expect(slice != Bytes("orders/4"))
    #expect(Bytes() == Bytes([]))
    #expect(Set([slice, Bytes("orders/42"), Bytes()]).count == 2)
  }

  @Test("Text comes out as it went in; broken text is replaced, never a crash")
  func text() {
    #expect(Bytes("grüße 東京").text == "grüße 東京")
    #expect(Bytes([0x61, 0xff, 0x62]).text == "a\u{fffd}b")
    #expect(Bytes().text == "")
  }

  @Test("Spans and pointers show the same bytes")
  func spans() {
    let bytes = Bytes(Array(10..<30)).slice(3..<9)
    let span = bytes.bytes
    #expect(span.byteCount == 6)
    #expect((0..<6).map { span.byte(at: $0) } == bytes.array)
    #expect(span.text(0..<2) == "\u{0d}\u{0e}")
    #expect(Bytes(copying: span) == bytes)
  }
}
