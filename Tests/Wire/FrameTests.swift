import Core
import Feeds
import TestSupport
import Testing

@testable import Wire

@Suite("Frames on a link")
struct FrameTests {
  static func decode(_ pieces: [[UInt8]]) -> [String] {
    var outcomes: [String] = []
    CodecVerifier.feed(pieces) { shown in
      switch WireFrame.next(in: shown) {
      case .needMore(let more):
        precondition(more > 0)
        return .needMore
      case .frame(let frame):
        let bytes = Bytes(copying: shown.extracting(0..<frame.length))
        do throws(WireRefusal) {
          let message = try NodeMessage(decoding: bytes)
          outcomes.append("\(message.kind) \(frame.lane) \(bytes.array)")
        } catch {
          outcomes.append("\(error)")
        }
        return .took(frame.length)
      case .refused(let refusal):
        outcomes.append("refused: \(refusal)")
        return .stop
      }
    }
    return outcomes
  }

  @Test("Where the bytes of a link are cut changes nothing")
  func pieces() throws {
    var source = MessageSource(seed: 4)
    let first = try encoded(.hello(source.hello()))
    let second = try encoded(.reply(edge: EdgeID(1), source.replies()[0]))
    #expect(try CodecVerifier.verify(first, decode: Self.decode).count == 1)
    try CodecVerifier.verify(first, followedBy: second, decode: Self.decode)
  }

  @Test("A header is refused before its payload is there")
  func early() {
    func step(_ bytes: [UInt8], limit: Int = 1000) -> WireFrame.Step { WireFrame.next(in: bytes.span.bytes, limit: limit) }
    #expect(step([]) == .needMore(8))
    #expect(step([16, 0, 0, 0, 3]) == .needMore(3))
    #expect(step([16, 0, 0, 0, 3, 0, 0xff, 0xff]) == .needMore(8))
    #expect(step([7, 0, 0, 0, 3, 0, 0xff, 0xff]) == .refused(.truncated))
    #expect(step([0xe9, 3, 0, 0, 3, 0, 0xff, 0xff]) == .refused(.tooLong))
    #expect(step([16, 0, 0, 0, 0, 0, 0xff, 0xff]) == .refused(.unknownKind(0)))
    #expect(step([16, 0, 0, 0, 3, 9, 0xff, 0xff]) == .refused(.unknownLane(9)))
    #expect(step([16, 0, 0, 0, 3, 0, 0, 0x10]) == .refused(.outOfBounds))
  }

  @Test("Frames grow with the largest message that a cluster allows, and not beyond the largest record")
  func limits() {
    #expect(WireLimits.frame == 9 << 20)
    #expect(WireLimits.frame(largestMessage: 64 << 20) == 65 << 20)
    #expect(WireLimits.frame(largestMessage: 1 << 40) == WireLimits.longestFrame)
  }

  @Test("A beat fits its bound, however large its numbers")
  func beats() throws {
    var source = MessageSource(seed: 6)
    let beats = (0..<WireLimits.heartbeats).map { _ in source.beat() }
    let bytes = try encoded(.heartbeats(beats))
    #expect(bytes.count < WireLimits.heartbeats * WireLimits.heartbeatBytes)
    guard case .heartbeats(let found) = try decoded(bytes).get() else {
      Issue.record("no heartbeats")
      return
    }
    #expect(found == beats)
    #expect(throws: WireRefusal.tooMany) { try encoded(.heartbeats(beats + [source.beat()])) }
  }
}
