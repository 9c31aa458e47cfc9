import Core
import Sealing
import Testing
import Wire

@testable import Links

@Suite("Lanes in sealed frames")
struct ChannelTests {
  /// Two ends with keys that fit each other.
  private static func pair() throws -> (LinkKeys, LinkKeys) {
    let shared = try secret(homeSecret)
    var toOther = ByteBuffer()
    var back = ByteBuffer()
    var initiator = LinkHandshake.initiator(secret: shared, privateKey: [UInt8](repeating: 1, count: 32).span.bytes, into: &toOther)
    var responder = LinkHandshake.responder(secret: shared, privateKey: [UInt8](repeating: 2, count: 32).span.bytes)
    _ = try responder.receive(toOther.bytes, into: &back)
    toOther.removeAll()
    let one = try initiator.receive(back.bytes, into: &toOther).established
    let two = try responder.receive(toOther.bytes, into: &back).established
    return (try #require(one).keys, try #require(two).keys)
  }

  private static func array(_ span: RawSpan) -> [UInt8] { (0..<span.byteCount).map { span.byte(at: $0) } }

  /// The numbers of all messages in bytes shown in pieces of this length.
  private static func numbers(_ bytes: [UInt8], by piece: Int, _ keys: LinkKeys) throws -> [UInt64?] {
    var channel = LinkChannel(keys)
    var unread: [UInt8] = []
    var numbers: [UInt64?] = []
    var at = 0
    while at < bytes.count {
      let end = min(bytes.count, at + piece)
      unread += bytes[at..<end]
      at = end
      while let opened = try channel.open(unread.span.bytes) {
        unread.removeFirst(opened.taken)
        guard let whole = try channel.takeWhole(opened.lane, limit: WireLimits.frame) else { continue }
        var from = 0
        while case .frame(let frame) = WireFrame.next(in: whole.bytes.extracting(from..<whole.count)) {
          numbers.append(try NodeMessage(decoding: whole.slice(from..<from + frame.length)).number)
          from += frame.length
        }
        #expect(from == whole.count)
      }
    }
    #expect(unread.isEmpty)
    return numbers
  }

  @Test("However the bytes are cut, the same messages come out in the same order", arguments: [1, 7, 1000, 65_557, 1 << 24])
  func cuts(piece: Int) throws {
    let (one, two) = try Self.pair()
    var channel = LinkChannel(one)
    for number in 1...30 {
      switch number % 3 {
      case 0: try channel.append(urgent(UInt64(number)), limit: WireLimits.frame)
      case 1: try channel.append(live(UInt64(number), results: number * 200), limit: WireLimits.frame)
      default: try channel.append(bulk(UInt64(number), bytes: number * 100), limit: WireLimits.frame)
      }
    }
    let queued = channel.queuedBytes()
    var buffer = ByteBuffer()
    while try channel.sealNext(into: &buffer) {}
    #expect(channel.queuedBytes() == 0 && buffer.count > queued)
    let numbers = try Self.numbers(Self.array(buffer.bytes), by: piece, two).compactMap { $0 }
    let urgentOnes = (1...30).filter { $0 % 3 == 0 }.map(UInt64.init)
    #expect(Array(numbers.prefix(10)) == urgentOnes)
    #expect(numbers.filter { $0 % 3 == 1 } == (1...30).filter { $0 % 3 == 1 }.map(UInt64.init))
    #expect(numbers.filter { $0 % 3 == 2 } == (1...30).filter { $0 % 3 == 2 }.map(UInt64.init))
    #expect(numbers.count == 30)
  }

  @Test("A message is interrupted by one that is more urgent")
  func interruption() throws {
    let (one, two) = try Self.pair()
    var channel = LinkChannel(one)
    var buffer = ByteBuffer()
    try channel.append(bulk(1, bytes: 500_000), limit: WireLimits.frame)
    #expect(try channel.sealNext(into: &buffer))
    try channel.append(urgent(2), limit: WireLimits.frame)
    while try channel.sealNext(into: &buffer) {}
    #expect(try Self.numbers(Self.array(buffer.bytes), by: 1 << 20, two) == [2, 1])
  }

  @Test("What waits in pieces comes out as it went in, whatever was taken meanwhile", arguments: [1, 2, 3])
  func queue(seed: UInt64) throws {
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let queue = LaneQueue()
    var expected = ByteBuffer()
    var taken: [UInt8] = []
    for number in 0..<400 {
      let message = bulk(UInt64(number), bytes: random.below(random.below(10) == 0 ? 400_000 : 3000))
      try queue.append(message, limit: WireLimits.frame)
      try message.encode(into: &expected)
      while queue.count > 0, random.below(3) > 0 {
        queue.take(atMost: 1 + random.below(100_000)) { (bytes: RawSpan) in taken += Self.array(bytes) }
      }
      #expect(queue.count == expected.count - taken.count)
    }
    while queue.count > 0 { queue.take(atMost: 65_536) { (bytes: RawSpan) in taken += Self.array(bytes) } }
    #expect(taken == Self.array(expected.bytes))
  }

  @Test("A lane, a length or a seal that is wrong is refused, and so is a message in another lane than its own")
  func wrong() throws {
    let (one, two) = try Self.pair()
    func sealed(_ harm: (inout [UInt8]) -> Void) throws -> LinkChannel.Failure? {
      var channel = LinkChannel(one)
      try channel.append(urgent(1), limit: WireLimits.frame)
      var buffer = ByteBuffer()
      _ = try channel.sealNext(into: &buffer)
      var bytes = Self.array(buffer.bytes)
      harm(&bytes)
      var opener = LinkChannel(two)
      do throws(LinkChannel.Failure) {
        _ = try opener.open(bytes.span.bytes)
        return nil
      } catch {
        return error
      }
    }
    #expect(try sealed { _ in } == nil)
    #expect(try sealed { $0[4] = 9 } == .wire(.unknownLane(9)))
    #expect(try sealed { $0[4] = 1 } == .seal(.forged))
    #expect(try sealed { $0[0] = 3 } == .seal(.tooShort(bytes: 3)))
    #expect(try sealed { $0[3] = 1 } != nil)
    #expect(try sealed { $0[8] ^= 1 } == .seal(.forged))
    let assembly = LaneAssembly(.live)
    try urgent(1).encode(into: &assembly.buffer)
    #expect(throws: WireRefusal.contradiction) { try assembly.takeWhole(limit: WireLimits.frame) }
  }
}
