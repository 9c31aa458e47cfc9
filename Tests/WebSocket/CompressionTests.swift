import Core
import Testing
import WebSocket

@Suite struct CompressionTests {
  private func compressed(_ payload: [UInt8], _ deflater: Deflater = Deflater()) -> [UInt8] {
    written { buffer in payload.withUnsafeBytes { deflater.compress($0, into: &buffer) } }
  }

  private func message(_ opcode: WebSocketOpcode, _ wire: [UInt8]) -> [UInt8] { frame(opcode, wire, compressed: true) }

  @Test(
    "The examples of RFC 7692 section 7.2.3",
    arguments: [
      [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
      [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
      [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
      [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] as [[UInt8]])
  func examples(wire: [UInt8]) {
    #expect(receive(message(.text, wire), .compressing) == [.text("Hello")])
    for cut in 0...wire.count {
      let fragments =
        frame(.text, Array(wire[..<cut]), final: false, compressed: true) + frame(.ping, "")
        + frame(.continuation, Array(wire[cut...]))
      #expect(receive(fragments, .compressing) == [.ping(""), .text("Hello")])
      #expect(receive(fragments.map { [$0] }, .compressing) == [.ping(""), .text("Hello")])
    }
  }

  @Test("A block marked final may be referred back to by the blocks after it")
  func afterFinalBlock() {
    // "Hello" in a final block, then a block that copies five bytes from five back, then the flush.
    let wire: [UInt8] = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00] + [0x02, 0x13, 0x00, 0x00]
    #expect(receive(message(.text, wire), .compressing) == [.text("HelloHello")])
  }

  @Test("A message that refers to the one before it fails, since both ends agreed not to")
  func contextTakeover() {
    let second: [UInt8] = [0xf2, 0x00, 0x11, 0x00, 0x00]
    let bytes = message(.text, [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]) + message(.text, second)
    #expect(receive(bytes, .compressing) == [.text("Hello"), .failed(.compressionInvalid)])
  }

  @Test("Messages of every size survive every window", arguments: 9...15)
  func windows(bits: Int) {
    let deflater = Deflater(windowBits: bits)
    for count in [0, 1, 2, 10, 255, 256, 257, 5000, 65536, 200_000] {
      for payload in [sample(count), [UInt8](repeating: 0x61, count: count)] {
        let wire = compressed(payload, deflater)
        #expect(wire.last == 0x00 || count > 0)
        #expect(receive(message(.binary, wire), .compressing) == [.binary(payload)])
        #expect(receive(serverFrame(.binary, wire, compressed: true), Setting(role: .client, compression: true)) == [.binary(payload)])
      }
    }
    #expect(compressed([UInt8](repeating: 0x61, count: 10_000), deflater).count < 100)
  }

  @Test("A deflater starts every message afresh")
  func noContext() {
    let deflater = Deflater()
    let text = Array("the same text, compressed twice, is the same bytes twice".utf8)
    #expect(compressed(text, deflater) == compressed(text, deflater))
    #expect(compressed([], deflater) == [0x00])
  }

  @Test("A set keeps one deflater for each window")
  func sharedDeflaters() {
    let deflaters = DeflaterSet()
    #expect(deflaters[15] === deflaters[15])
    #expect(deflaters[9] !== deflaters[15])
    #expect(deflaters[9].windowBits == 9)
  }

  @Test("Compressed and plain messages may alternate, and an empty one may be compressed to nothing")
  func alternating() {
    let bytes = message(.text, compressed(Array("one".utf8))) + frame(.text, "two") + message(.binary, []) + message(.text, [0x00])
    #expect(receive(bytes, .compressing) == [.text("one"), .text("two"), .binary(""), .text("")])
  }

  @Test("The compressed bit is refused where it was not agreed, and on continuations and control frames")
  func misplacedBit() {
    let wire = compressed(Array("x".utf8))
    #expect(receive(message(.text, wire)) == [.failed(.reservedBits)])
    let first = frame(.text, wire, final: false, compressed: true)
    #expect(receive(first + frame(.continuation, [], compressed: true), .compressing) == [.failed(.reservedBits)])
    #expect(receive(frame(.ping, [], compressed: true), .compressing) == [.failed(.reservedBits)])
  }

  @Test("Invalid and cut-off compressed data is refused with 1007")
  func invalid() {
    for wire in [[0xff, 0xff, 0xff], [0x06], [0xf2, 0x48, 0xcd], [0x00, 0x05, 0x00, 0x00, 0x00, 0x48]] as [[UInt8]] {
      #expect(receive(message(.binary, wire), .compressing) == [.failed(.compressionInvalid)])
    }
    let whole = compressed(sample(300))
    for count in 1..<whole.count - 1 {
      #expect(receive(message(.binary, Array(whole[..<count])), .compressing) == [.failed(.compressionInvalid)])
    }
    #expect(WebSocketFailure.compressionInvalid.code.rawValue == 1007)
  }

  @Test("Inflated text is checked")
  func invalidText() {
    for bad in TextTests.bad {
      #expect(receive(message(.text, compressed(bad)), .compressing) == [.failed(.textNotUTF8)])
      #expect(receive(message(.binary, compressed(bad)), .compressing) == [.binary(bad)])
    }
    let text = Array(String(repeating: "a€😀", count: 20_000).utf8)
    #expect(receive(message(.text, compressed(text)), .compressing) == [.text(text)])
  }

  @Test("The limit holds for what comes out, to the byte")
  func limit() {
    let setting = Setting(compression: true, limit: 1000)
    for payload in [[UInt8](repeating: 0x61, count: 1000), (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 167 ^ $0 >> 3) }] {
      #expect(receive(message(.binary, compressed(payload)), setting) == [.binary(payload)])
      #expect(receive(message(.binary, compressed(payload + [0])), setting) == [.failed(.messageTooBig)])
    }
  }

  @Test("A bomb is stopped at the limit, and one of bad text at its first chunk")
  func bombs() {
    let inflater = Inflater()
    let zeros = compressed([UInt8](repeating: 0x61, count: 32 << 20))
    #expect(zeros.count < 200_000)
    #expect(throws: WebSocketFailure.messageTooBig) {
      try zeros.withUnsafeBytes { _ = try inflater.inflate($0, limit: 1 << 20, isText: true) }
    }
    #expect(inflater.heldBytes <= 4 << 20)
    let bad = compressed([UInt8](repeating: 0xff, count: 32 << 20))
    let other = Inflater()
    #expect(throws: WebSocketFailure.textNotUTF8) {
      try bad.withUnsafeBytes { _ = try other.inflate($0, limit: 32 << 20, isText: true) }
    }
    #expect(other.heldBytes <= 64 << 10)
  }

  @Test("One inflater serves connections whose messages arrive interleaved")
  func sharedInflater() {
    let inflater = Inflater()
    var first = WebSocketReceiver(role: .server, allowsCompression: true)
    var second = WebSocketReceiver(role: .server, allowsCompression: true)
    let wires = [message(.text, compressed(Array("first first first".utf8))), message(.text, compressed(Array("second second".utf8)))]
    var texts: [String] = []
    func feed(_ receiver: inout WebSocketReceiver, _ bytes: ArraySlice<UInt8>) {
      var bytes = Array(bytes)
      bytes.withUnsafeMutableBytes {
        var offset = 0
        if case .message(let message) = receiver.next($0, &offset, inflater: inflater) {
          texts.append(String(decoding: message.bytes, as: UTF8.self))
        }
      }
    }
    feed(&first, wires[0][..<12])
    feed(&second, wires[1][..<10])
    feed(&first, wires[0][12...])
    feed(&second, wires[1][10...])
    #expect(texts == ["first first first", "second second"])
  }
}
