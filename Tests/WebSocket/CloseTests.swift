import Core
import Testing
import WebSocket

@Suite struct CloseTests {
  @Test("Close codes that may be sent are taken", arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] as [UInt16])
  func allowed(code: UInt16) {
    #expect(receive(closeFrame(code)) == [.close(code, "")])
    #expect(receive(closeFrame(code, Array("bye €".utf8)).map { [$0] }) == [.close(code, "bye €")])
  }

  @Test("Close codes that must not be sent are refused", arguments: [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] as [UInt16])
  func refused(code: UInt16) {
    #expect(receive(closeFrame(code)) == [.failed(.closeCodeNotAllowed)])
    #expect(WebSocketFailure.closeCodeNotAllowed.code == .protocolError)
  }

  @Test("A close may be empty, but not carry half a code")
  func shortPayloads() {
    #expect(receive(frame(.close, [])) == [.close(nil, "")])
    #expect(receive(frame(.close, [0x03])) == [.failed(.closePayloadTooShort)])
  }

  @Test("The reason takes up to 123 bytes of UTF-8")
  func reasons() {
    let longest = [UInt8](repeating: 0x61, count: 123)
    #expect(receive(closeFrame(1000, longest)) == [.close(1000, longest)])
    #expect(receive([0x88, 0x80 | 126, 0, 126, 0, 0, 0, 0]) == [.failed(.controlFrameTooLong)])
    #expect(receive(closeFrame(1000, [0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xed, 0xa0, 0x80])) == [.failed(.closeReasonNotText)])
    #expect(receive(closeFrame(1000, [0xe2, 0x82])) == [.failed(.closeReasonNotText)])
    #expect(WebSocketFailure.closeReasonNotText.code.rawValue == 1007)
  }

  @Test("Nothing after a close is read, whatever it is")
  func nothingAfter() {
    let after = [frame(.text, "no"), frame(.ping, "no"), frame(.close, []), [0xff, 0xff, 0xff], sample(300)]
    for bytes in after {
      #expect(receive(closeFrame(1000) + bytes) == [.close(1000, "")])
      #expect(receive((closeFrame(1000) + bytes).map { [$0] }) == [.close(1000, "")])
      #expect(receive(frame(.continuation, "") + bytes) == [.failed(.nothingToContinue)])
    }
  }

  @Test("A close amid a message is taken")
  func amidMessage() {
    #expect(receive(frame(.text, "half", final: false) + closeFrame(1001)) == [.close(1001, "")])
  }

  @Test("Close frames are written as they are read, and long reasons end between characters")
  func writing() {
    let failure = WebSocketFailure.reservedBits
    let bytes = written { WebSocketEncoder.append(close: failure.code, reason: failure.reason, into: &$0) }
    #expect(receive(bytes, .client) == [.close(1002, "\(failure.reason)")])
    #expect(written { WebSocketEncoder.append(close: .normal, into: &$0) } == [0x88, 0x02, 0x03, 0xe8])
    let long = Array(String(repeating: "€", count: 60).utf8)
    let cut = written { buffer in
      long.withUnsafeBytes { WebSocketEncoder.append(close: .goingAway, reason: $0, into: &buffer) }
    }
    #expect(receive(cut, .client) == [.close(1001, String(repeating: "€", count: 41))])
  }

  @Test("A close is answered with its own code, an empty one with an empty one")
  func answers() {
    let code = WebSocketCloseCode(rawValue: 4321)
    #expect(written { WebSocketEncoder.append(answerToClose: code, into: &$0) } == [0x88, 0x02, 0x10, 0xe1])
    #expect(written { WebSocketEncoder.append(answerToClose: nil, into: &$0) } == [0x88, 0x00])
  }

  @Test(
    "Every failure has a reason that fits a close frame and a code that may be sent",
    arguments: [
      .reservedBits, .reservedOpcode, .notMasked, .masked, .lengthNotMinimal, .lengthOutOfRange, .controlFrameTooLong,
      .controlFrameFragmented, .nothingToContinue, .messageUnfinished, .closePayloadTooShort, .closeCodeNotAllowed,
      .closeReasonNotText, .textNotUTF8, .compressionInvalid, .messageTooBig,
    ] as [WebSocketFailure])
  func failures(failure: WebSocketFailure) {
    #expect(failure.code.mayBeSent)
    #expect(failure.reason.utf8CodeUnitCount <= WebSocketEncoder.largestCloseReason)
  }
}
