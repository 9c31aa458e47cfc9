import Core
import Testing
import WebSocket

@Suite struct FramingTests {
  @Test("The unmasked examples of RFC 6455 section 5.7, read by a client")
  func unmaskedExamples() {
    #expect(receive([0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], .client) == [.text("Hello")])
    #expect(receive([0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f], .client) == [.text("Hello")])
    #expect(receive([0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], .client) == [.ping("Hello")])
    let short = sample(256)
    #expect(receive([0x82, 0x7e, 0x01, 0x00] + short, .client) == [.binary(short)])
    let long = sample(65536)
    #expect(receive([0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0] + long, .client) == [.binary(long)])
  }

  @Test("The masked examples of RFC 6455 section 5.7, read by a server")
  func maskedExamples() {
    let masked: [UInt8] = [0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
    #expect(receive([0x81] + masked) == [.text("Hello")])
    #expect(receive([0x8a] + masked) == [.pong("Hello")])
    #expect(frame(.text, "Hello") == [0x81] + masked)
  }

  @Test("Payloads of every length around the three sizes of header", arguments: [0, 1, 7, 8, 125, 126, 127, 128, 65535, 65536, 65537])
  func lengths(count: Int) {
    let payload = sample(count)
    for whole in [[frame(.binary, payload)], frame(.binary, payload).chunks(997)] {
      #expect(receive(whole) == [.binary(payload)])
    }
    #expect(receive(serverFrame(.binary, payload), .client) == [.binary(payload)])
    #expect(serverFrame(.binary, payload).count == WebSocketEncoder.headerSize(payloadCount: count) + count)
  }

  @Test("Pings and pongs carry up to 125 bytes, and any bytes")
  func pings() {
    for payload in [[], [0x00, 0xff, 0xfe, 0xfd, 0x00], sample(125)] as [[UInt8]] {
      #expect(receive(frame(.ping, payload)) == [.ping(payload)])
      #expect(receive(frame(.pong, payload)) == [.pong(payload)])
      #expect(receive(frame(.ping, payload).map { [$0] }) == [.ping(payload)])
    }
    let tooLong: [UInt8] = [0x89, 0x80 | 126, 0, 126] + [UInt8](repeating: 0, count: 130)
    #expect(receive(tooLong) == [.failed(.controlFrameTooLong)])
    #expect(failurePosition(tooLong) == 1)
    #expect(receive((0..<10).flatMap { frame(.ping, "\($0)") }) == (0..<10).map { .ping("\($0)") })
  }

  @Test("Reserved bits are refused at once, also when the frame is a control frame", arguments: 1...7)
  func reservedBits(bits: Int) {
    let good = frame(.text, "one")
    for opcode in [WebSocketOpcode.text, .binary, .ping, .pong, .close] {
      let bad = with(firstByte: 0x80 | UInt8(bits) << 4 | opcode.rawValue, frame(opcode, []))
      #expect(receive(good + bad + frame(.ping, "not seen")) == [.text("one"), .failed(.reservedBits)])
      #expect(failurePosition(bad) == 0)
    }
  }

  @Test("Reserved opcodes are refused at once", arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8])
  func reservedOpcodes(opcode: UInt8) {
    let bad = with(firstByte: 0x80 | opcode, frame(.text, "x"))
    #expect(receive(frame(.text, "one") + bad + frame(.ping, "")) == [.text("one"), .failed(.reservedOpcode)])
    #expect(failurePosition(bad) == 0)
  }

  @Test("A client must mask, a server must not")
  func masking() {
    #expect(receive(serverFrame(.text, [0x61])) == [.failed(.notMasked)])
    #expect(receive(serverFrame(.ping, [])) == [.failed(.notMasked)])
    #expect(receive(frame(.text, "a"), .client) == [.failed(.masked)])
    #expect(WebSocketFailure.notMasked.code == .protocolError)
  }

  @Test("Lengths must be minimal and below 2^63")
  func longLengths() {
    #expect(receive([0x82, 0x80 | 126, 0, 125]) == [.failed(.lengthNotMinimal)])
    #expect(receive([0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) == [.failed(.lengthNotMinimal)])
    #expect(receive([0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0]) == [.failed(.lengthOutOfRange)])
    #expect(receive([0x82, 0x80 | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) == [.failed(.lengthOutOfRange)])
    #expect(receive([0x82, 0x80 | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) == [.failed(.messageTooBig)])
  }

  @Test("Control frames between fragments come out where they came in")
  func interleaved() {
    let bytes =
      frame(.text, "frag", final: false) + frame(.ping, "p") + frame(.continuation, "", final: false)
      + frame(.pong, "q") + frame(.continuation, "ment") + frame(.binary, "b")
    #expect(receive(bytes) == [.ping("p"), .pong("q"), .text("fragment"), .binary("b")])
  }

  @Test("Fragments may be empty, first, middle, last or all")
  func emptyFragments() {
    let empty = frame(.text, "", final: false)
    let middle = frame(.continuation, "", final: false)
    #expect(receive(empty + middle + frame(.continuation, "")) == [.text("")])
    #expect(receive(empty + frame(.continuation, "middle", final: false) + frame(.continuation, "")) == [.text("middle")])
    #expect(receive(empty + middle + frame(.continuation, "end") + frame(.text, "")) == [.text("end"), .text("")])
    #expect(receive(frame(.binary, "")) == [.binary("")])
  }

  @Test("Continuations without a message, and messages within a message, are refused")
  func continuationMisuse() {
    #expect(receive(frame(.continuation, "x")) == [.failed(.nothingToContinue)])
    #expect(receive(frame(.continuation, "x", final: false)) == [.failed(.nothingToContinue)])
    #expect(receive(frame(.text, "a") + frame(.continuation, "x")) == [.text("a"), .failed(.nothingToContinue)])
    #expect(receive(frame(.text, "a", final: false) + frame(.text, "b")) == [.failed(.messageUnfinished)])
    #expect(receive(frame(.text, "a", final: false) + frame(.binary, "b")) == [.failed(.messageUnfinished)])
  }

  @Test("Control frames must be whole", arguments: [WebSocketOpcode.ping, .pong, .close])
  func fragmentedControl(opcode: WebSocketOpcode) {
    #expect(receive(frame(opcode, [], final: false)) == [.failed(.controlFrameFragmented)])
  }

  @Test("A message of the largest size passes, one byte more is refused by its header")
  func limits() {
    let setting = Setting(limit: 1000)
    #expect(receive(frame(.binary, sample(1000)), setting) == [.binary(sample(1000))])
    let tooBig = frame(.binary, sample(1001))
    #expect(receive(tooBig, setting) == [.failed(.messageTooBig)])
    #expect(failurePosition(tooBig, setting) == 3)
    let first = frame(.binary, sample(600), final: false)
    #expect(receive(first + frame(.continuation, sample(400)), setting).count == 1)
    #expect(receive(first + frame(.continuation, sample(401)), setting) == [.failed(.messageTooBig)])
    #expect(WebSocketFailure.messageTooBig.code.rawValue == 1009)
  }

  @Test("A thousand fragments of one byte make one message")
  func manyFragments() {
    let payload = sample(1000)
    var bytes: [UInt8] = []
    for (index, byte) in payload.enumerated() {
      bytes += frame(index == 0 ? .binary : .continuation, [byte], final: index == 999)
    }
    #expect(receive([bytes]) == [.binary(payload)])
    #expect(receive(bytes.chunks(13)) == [.binary(payload)])
  }

  @Test("A message in one piece is not copied, and nothing is held between messages")
  func noCopy() {
    var receiver = WebSocketReceiver(role: .server)
    var bytes = frame(.binary, sample(500)) + frame(.binary, sample(300), final: false)
    bytes.withUnsafeMutableBytes { input in
      var offset = 0
      guard case .message(let message) = receiver.next(input, &offset) else { return #expect(Bool(false), "no message") }
      #expect(message.bytes.baseAddress == UnsafeRawPointer(input.baseAddress! + 8))
      #expect(receiver.heldBytes == 0)
      guard case .needMore = receiver.next(input, &offset) else { return #expect(Bool(false), "a message too many") }
      #expect(offset == input.count)
      #expect(receiver.heldBytes >= 300)
    }
    var rest = frame(.continuation, sample(3))
    rest.withUnsafeMutableBytes { input in
      var offset = 0
      guard case .message(let message) = receiver.next(input, &offset) else { return #expect(Bool(false), "no message") }
      #expect(message.bytes.count == 303)
      guard case .needMore = receiver.next(input, &offset) else { return #expect(Bool(false), "a message too many") }
      #expect(receiver.heldBytes == 0)
    }
  }
}

extension Array where Element == UInt8 {
  /// The bytes in pieces of `size`.
  func chunks(_ size: Int) -> [[UInt8]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
