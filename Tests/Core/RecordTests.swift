import Core
import Testing

@Suite("Record")
struct RecordTests {
  static var stamp: RecordStamp {
    RecordStamp(offset: Offset(1042), previous: Offset(1040), time: WallTime(milliseconds: 1_754_000_000_123), term: 3)
  }

  private func record(
    topic: String = "orders/42", type: String = "created", contentType: String = "text/plain", key: String = "k-1",
    properties: [UInt8] = [1, 2, 3], payload: [UInt8] = Array("two coffees".utf8), padding: Int = 0
  ) -> [UInt8] {
    var draft = RecordDraft()
    draft.flags = [.retain, .text]
    draft.timeToLiveMilliseconds = 30_000
    draft.publisher = 77
    var buffer = ByteBuffer()
    buffer.append([UInt8](repeating: 0, count: padding))
    draft.encode(topic: topic, type: type, contentType: contentType, key: key, properties: properties, payload: payload, into: &buffer)
    buffer.withUnsafeMutableBytes { RecordTests.stamp.stamp($0.baseAddress! + padding) }
    return Array(buffer.freeze().array.dropFirst(padding))
  }

  private func check(_ bytes: some Collection<UInt8>) -> EntryCheck { Array(bytes).withUnsafeBytes(RecordView.check) }

  @Test("Every part comes out as it went in")
  func roundTrip() {
    record().withUnsafeBytes { bytes in
      let view = RecordView(trusting: bytes.baseAddress!)
      #expect(view.length == bytes.count)
      #expect(view.kind == .record)
      #expect(view.flags == [.retain, .text])
      #expect(view.offset == Offset(1042))
      #expect(view.previous == Offset(1040))
      #expect(view.time == WallTime(milliseconds: 1_754_000_000_123))
      #expect(view.term == 3)
      #expect(view.timeToLiveMilliseconds == 30_000)
      #expect(view.publisher == 77)
      #expect(view.topic.elementsEqual("orders/42".utf8))
      #expect(view.type.elementsEqual("created".utf8))
      #expect(view.contentType.elementsEqual("text/plain".utf8))
      #expect(view.key.elementsEqual("k-1".utf8))
      #expect(view.properties.elementsEqual([1, 2, 3]))
      #expect(view.payload.elementsEqual("two coffees".utf8))
      #expect(view.encoded.count == bytes.count)
    }
  }

  @Test("The layout is what is on disks already: a known record has known bytes")
  func golden() {
    let bytes = record()
    #expect(bytes.count == 64 + 9 + 7 + 10 + 3 + 3 + 11)
    #expect(Array(bytes[0..<4]) == [107, 0, 0, 0])
    #expect(Array(bytes[8..<16]) == [1, 5, 9, 0, 7, 0, 10, 0])
    #expect(Array(bytes[16..<32]) == [0x12, 0x04, 0, 0, 0, 0, 0, 0, 0x10, 0x04, 0, 0, 0, 0, 0, 0])
    #expect(Array(bytes[48..<64]) == [0x30, 0x75, 0, 0, 3, 0, 3, 0, 11, 0, 0, 0, 77, 0, 0, 0])
    #expect(String(decoding: bytes[64...], as: UTF8.self) == "orders/42createdtext/plaink-1\u{1}\u{2}\u{3}two coffees")
  }

  @Test("It may begin at any address", arguments: 0..<9)
  func unaligned(padding: Int) {
    #expect(record(padding: padding) == record())
  }

  @Test("A whole record is valid, alone and with others behind it")
  func valid() {
    let bytes = record()
    #expect(check(bytes) == .valid(length: bytes.count))
    #expect(check(bytes + bytes) == .valid(length: bytes.count))
    #expect(check(record(topic: "a", type: "", contentType: "", key: "", properties: [], payload: [])) == .valid(length: 65))
  }

  @Test("Cut anywhere it is incomplete")
  func cut() {
    let bytes = record()
    for length in 0..<bytes.count { #expect(check(bytes[..<length]) == .incomplete, "cut at \(length)") }
  }

  @Test("With any bit flipped it is damaged, or incomplete where the bit made it longer; never valid")
  func flipped() {
    let bytes = record()
    for index in bytes.indices {
      for bit in 0..<8 {
        var harmed = bytes
        harmed[index] ^= 1 << UInt8(bit)
        let alone = check(harmed)
        #expect(alone == .damaged || (index < 4 && alone == .incomplete), "bit \(bit) of byte \(index): \(alone)")
        // More bytes behind it must not turn a lie about the length into the truth.
        let followed = check(harmed + bytes + bytes)
        #expect(followed == .damaged || (index < 4 && followed == .incomplete), "bit \(bit) of byte \(index), followed: \(followed)")
      }
    }
  }

  @Test("Zeros, as a file system leaves them after a crash, are damaged")
  func zeros() {
    #expect(check([UInt8](repeating: 0, count: 4096)) == .damaged)
    #expect(check([UInt8](repeating: 0xff, count: 4096)) == .damaged)
  }

  @Test("A record whose parts do not add up to its length is damaged even under a right checksum", arguments: [10, 12, 14, 52, 54, 56])
  func innerLengths(field: Int) {
    var bytes = record()
    bytes[field] += 1
    bytes.withUnsafeMutableBytes { RecordTests.stamp.stamp($0.baseAddress!) }
    #expect(check(bytes) == .damaged)
  }

  @Test("An entry of an unknown kind is damaged, and so is a record without room for its header")
  func kinds() {
    var unknown = record()
    unknown[8] = 9
    unknown.withUnsafeMutableBytes { RecordTests.stamp.stamp($0.baseAddress!) }
    #expect(check(unknown) == .damaged)
    var short = [UInt8](repeating: 0, count: 48)
    short[0] = 48
    short[8] = EntryKind.record.rawValue
    short.withUnsafeMutableBytes { RecordTests.stamp.stamp($0.baseAddress!) }
    #expect(check(short) == .damaged)
  }

  @Test("Entries that are no messages carry their body", arguments: [EntryKind.nothing, .command])
  func plainEntries(kind: EntryKind) {
    let body: [UInt8] = kind == .nothing ? [] : [9, 8, 7]
    var buffer = ByteBuffer()
    buffer.append(UInt8(0))
    body.withUnsafeBytes { PlainEntry.append(kind, body: $0, stamp: RecordTests.stamp, into: &buffer) }
    let bytes = Array(buffer.freeze().array.dropFirst())
    #expect(check(bytes) == .valid(length: 48 + body.count))
    bytes.withUnsafeBytes { bytes in
      let view = RecordView(trusting: bytes.baseAddress!)
      #expect(view.kind == kind)
      #expect(view.offset == Offset(1042))
      #expect(view.body.elementsEqual(body))
    }
  }

  @Test("A sequence walks whole entries, none from no bytes")
  func sequence() {
    let joined = record(payload: [1]) + record(payload: []) + record(payload: [1, 2, 3])
    let lengths = joined.withUnsafeBytes { RecordSequence(trusting: $0).map(\.payload.count) }
    #expect(lengths == [1, 0, 3])
    #expect(RecordSequence(trusting: UnsafeRawBufferPointer(start: nil, count: 0)).map(\.length).isEmpty)
  }

  @Test("A message outlives its time to live at that very millisecond, and never without one")
  func expiry() {
    record().withUnsafeBytes { bytes in
      let view = RecordView(trusting: bytes.baseAddress!)
      let born = view.time.milliseconds
      #expect(!view.isExpired(at: WallTime(milliseconds: born + 29_999)))
      #expect(view.isExpired(at: WallTime(milliseconds: born + 30_000)))
      // A clock that was set back makes nothing expire.
      #expect(!view.isExpired(at: WallTime(milliseconds: born - 1_000_000)))
    }
    var buffer = ByteBuffer()
    RecordDraft().encode(topic: "a", payload: [], into: &buffer)
    let never = buffer.withUnsafeBytes { RecordView(trusting: $0.baseAddress!).isExpired(at: WallTime(milliseconds: .max)) }
    #expect(!never)
  }

  @Test("The checksum is CRC-32C", arguments: [("", 0), ("123456789", 0xe306_9283), ("a", 0xc1d0_4330)] as [(String, UInt32)])
  func checksum(text: String, expected: UInt32) {
    #expect(Array(text.utf8).withUnsafeBytes { CRC32C.of($0) } == expected)
  }

  @Test("A checksum may be taken piece by piece, at any alignment")
  func checksumInPieces() {
    let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 * 7) }
    bytes.withUnsafeBytes { all in
      let whole = CRC32C.of(all)
      for cut in 0...all.count {
        let first = CRC32C.of(UnsafeRawBufferPointer(rebasing: all[..<cut]))
        #expect(CRC32C.of(UnsafeRawBufferPointer(rebasing: all[cut...]), continuing: first) == whole)
      }
    }
  }
}
