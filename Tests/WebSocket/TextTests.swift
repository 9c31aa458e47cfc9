import Testing
import WebSocket

@Suite struct TextTests {
  static let good: [String] = [
    "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\u{0}", "\u{80}", "\u{800}", "\u{10000}", "\u{7f}", "\u{7ff}", "\u{ffff}", "\u{10ffff}",
    "\u{d7ff}", "\u{e000}", "\u{fffd}", "\u{fffe}", "\u{1fffe}", "😀 and more", "",
  ]

  static let bad: [[UInt8]] = [
    [0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xce, 0xbc, 0xce, 0xb5, 0xed, 0xa0, 0x80, 0x65, 0x64, 0x69, 0x74, 0x65, 0x64],
    [0x80], [0xbf], [0x80, 0xbf], [0xc0, 0x20], [0xfc, 0x20], [0xfe], [0xff], [0xfe, 0xfe, 0xff, 0xff],
    [0xf8, 0x88, 0x80, 0x80, 0x80], [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80], [0xf7, 0xbf, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80],
    [0xc0, 0xaf], [0xe0, 0x80, 0xaf], [0xf0, 0x80, 0x80, 0xaf], [0xc1, 0xbf], [0xe0, 0x9f, 0xbf], [0xf0, 0x8f, 0xbf, 0xbf],
    [0xed, 0xa0, 0x80], [0xed, 0xaf, 0xbf], [0xed, 0xbf, 0xbf], [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80],
    [0xce, 0xba, 0xe1, 0xbd], [0xc3], [0xf0, 0x9f, 0x98],
  ]

  @Test("Valid text passes whole, in fragments cut anywhere, and in reads of any size", arguments: good)
  func valid(text: String) {
    let bytes = Array(text.utf8)
    #expect(receive(frame(.text, bytes)) == [.text(bytes)])
    for cut in 0...bytes.count {
      let fragments = frame(.text, Array(bytes[..<cut]), final: false) + frame(.continuation, Array(bytes[cut...]))
      #expect(receive(fragments) == [.text(bytes)])
      #expect(receive(fragments.map { [$0] }) == [.text(bytes)])
    }
  }

  @Test("Invalid text is refused with 1007", arguments: bad)
  func invalid(bytes: [UInt8]) {
    #expect(receive(frame(.text, bytes)) == [.failed(.textNotUTF8)])
    #expect(receive(frame(.text, bytes).map { [$0] }) == [.failed(.textNotUTF8)])
    #expect(receive(frame(.binary, bytes)) == [.binary(bytes)])
    #expect(WebSocketFailure.textNotUTF8.code.rawValue == 1007)
  }

  @Test("A bad byte in the middle of a frame fails as soon as it arrives")
  func failsWithinAFrame() {
    let start = Array("κόσμε".utf8)
    let bytes = frame(.text, start + [0xf4, 0x90, 0x80, 0x80] + Array("edited".utf8))
    // Two bytes of header, four of mask, the good ones and F4, which may begin a character; 90 after it may not.
    #expect(failurePosition(bytes) == 2 + 4 + start.count + 1)
  }

  @Test("A bad byte in a fragment fails before the message ends")
  func failsWithinAFragment() {
    let first = frame(.text, "κόσμε", final: false)
    let second = frame(.continuation, [0xf4, 0x90, 0x80, 0x80], final: false)
    #expect(receive(first + second) == [.failed(.textNotUTF8)])
    #expect(failurePosition(first + second) == first.count + 6 + 1)
  }

  @Test("A character that the message's end cuts off is refused")
  func cutOff() {
    #expect(receive(frame(.text, [0x61, 0xe2], final: false) + frame(.continuation, [0x82])) == [.failed(.textNotUTF8)])
    #expect(receive(frame(.text, [0xe2], final: false) + frame(.ping, "") + frame(.continuation, [0x82, 0xac])) == [.ping(""), .text("€")])
  }

  @Test("The text of one message says nothing about the next")
  func startsAfresh() {
    #expect(receive(frame(.binary, [0xe2]) + frame(.text, "ok")) == [.binary([0xe2]), .text("ok")])
  }
}
