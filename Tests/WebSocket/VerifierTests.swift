import Core
import TestSupport
import Testing
import WebSocket

/// Where the bytes are cut must not change what they mean, for good input and for every way of damaging it.
@Suite struct VerifierTests {
  @Test("A conversation means the same however it is cut, and damage too")
  func conversation() throws {
    let bytes =
      frame(.text, "κόσμε", final: false) + frame(.ping, "p") + frame(.continuation, "!") + frame(.binary, sample(130))
      + closeFrame(1000, Array("bye".utf8))
    let outcomes = try CodecVerifier.verify(bytes) { receive($0) }
    #expect(outcomes == [.ping("p"), .text("κόσμε!"), .binary(sample(130)), .close(1000, "bye")])
  }

  @Test("A compressed conversation means the same however it is cut, and damage too")
  func compressed() throws {
    let hello: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
    let bytes =
      frame(.text, Array(hello[..<3]), final: false, compressed: true) + frame(.pong, "") + frame(.continuation, Array(hello[3...]))
      + frame(.binary, hello, compressed: true)
    let outcomes = try CodecVerifier.verify(bytes) { receive($0, .compressing) }
    #expect(outcomes == [.pong(""), .text("Hello"), .binary("Hello")])
  }

  @Test("A server's frames mean the same however they are cut")
  func client() throws {
    let bytes = serverFrame(.text, Array("€".utf8), final: false) + serverFrame(.continuation, sample(3).map { $0 & 0x7f })
    try CodecVerifier.verify(bytes) { receive($0, .client) }
    try CodecVerifier.verify(bytes, followedBy: serverFrame(.ping, [])) { receive($0, .client) }
  }

  @Test("A frame that fails fails alike however it is cut")
  func failing() throws {
    for bad in TextTests.bad { try CodecVerifier.verify(frame(.text, Array("ok ".utf8) + bad)) { receive($0) } }
  }
}
