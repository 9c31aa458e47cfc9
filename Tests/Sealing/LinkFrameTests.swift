import Core
import TestSupport
import Testing

@testable import Sealing

@Suite("The frames of a link")
struct LinkFrameTests {
  private static let key = SealKey([UInt8](repeating: 3, count: 32).span.bytes)

  // A literal by itself is an array of Int.
  private func bytes(_ bytes: UInt8...) -> [UInt8] { bytes }

  private func frames(_ plains: [[UInt8]]) throws -> [[UInt8]] {
    var sealer = LinkSealer(Self.key)
    var frames: [[UInt8]] = []
    for plain in plains {
      var buffer = ByteBuffer()
      try sealer.seal(plain.span.bytes, into: &buffer)
      frames.append(array(buffer.bytes))
    }
    return frames
  }

  /// What a fresh opener makes of bytes that come in pieces; nil at the end is a refusal.
  private func opened(_ pieces: [[UInt8]]) -> [[UInt8]?] {
    var opener = LinkOpener(Self.key)
    var (unread, outcomes): ([UInt8], [[UInt8]?]) = ([], [])
    for piece in pieces {
      unread += piece
      do {
        while true {
          var buffer = ByteBuffer()
          guard let taken = try opener.open(unread.span.bytes, into: &buffer) else { break }
          unread.removeFirst(taken)
          outcomes.append(array(buffer.bytes))
        }
      } catch {
        return outcomes + [nil]
      }
    }
    return outcomes
  }

  @Test("What is sealed comes back in its order, wherever the bytes are cut")
  func order() throws {
    let plains = [[1, 2, 3], [], Array(0...40), [9]] as [[UInt8]]
    let bytes = try frames(plains).flatMap { $0 }
    #expect(bytes.count == plains.reduce(0) { $0 + $1.count + 20 })
    try CodecVerifier.verify(bytes) { pieces in opened(pieces) }
    #expect(opened([bytes]) == plains)
  }

  @Test("A frame sealed where it lies is the same frame")
  func inPlace() throws {
    let plains = [[1, 2, 3], [], Array(0...200)] as [[UInt8]]
    var sealer = LinkSealer(Self.key)
    // Full, so that the tag's room moves the bytes.
    var buffer = ByteBuffer(capacity: 7)
    for plain in plains {
      let start = sealer.beginFrame(in: &buffer)
      buffer.append(plain)
      try sealer.endFrame(start, in: &buffer)
    }
    #expect(array(buffer.bytes) == (try frames(plains)).flatMap { $0 })
  }

  @Test("A header of the caller's own is authenticated")
  func header() throws {
    for damage in [0, 1] as [UInt8] {
      var sealer = LinkSealer(Self.key)
      var opener = LinkOpener(Self.key)
      var sealed = ByteBuffer()
      var plain = ByteBuffer()
      try sealer.seal(bytes(1, 2).span.bytes, header: bytes(5, 6).span.bytes, into: &sealed)
      do throws(LinkFrameFailure) {
        try opener.open(sealed.bytes, header: bytes(5, 6 ^ damage).span.bytes, into: &plain)
        #expect(damage == 0 && array(plain.bytes) == [1, 2])
      } catch {
        let left = plain.count
        #expect(damage == 1 && error == .forged && left == 0)
      }
    }
  }

  @Test("Repeated, exchanged and left out frames are refused, and everything after them")
  func sequence() throws {
    let plains = [[1], [2], [3]] as [[UInt8]]
    let frames = try frames(plains)
    #expect(opened([frames[0], frames[0], frames[1]]) == [[1], nil])
    #expect(opened([frames[1], frames[0]]) == [nil])
    #expect(opened([frames[0], frames[2]]) == [[1], nil])
    var opener = LinkOpener(Self.key)
    var buffer = ByteBuffer()
    let (first, second) = (frames[0], frames[1])
    #expect(throws: LinkFrameFailure.forged) { try opener.open(second.span.bytes, into: &buffer) }
    #expect(throws: LinkFrameFailure.forged) { try opener.open(first.span.bytes, into: &buffer) }
    let left = buffer.count
    #expect(left == 0)
  }

  @Test("A flipped bit anywhere is refused or waits for bytes that never come; nothing comes out")
  func tampering() throws {
    let frame = try frames([Array("committed".utf8)])[0]
    for index in frame.indices {
      for bit in 0..<8 {
        var damaged = frame
        damaged[index] ^= 1 << UInt8(bit)
        let outcomes = opened([damaged])
        #expect(outcomes == [nil] || (index < 4 && outcomes == []), "bit \(bit) of byte \(index)")
      }
    }
  }

  @Test("Another key's frames, the other direction's among them, are refused")
  func otherKey() throws {
    let frame = try frames([[1]])[0]
    var opener = LinkOpener(SealKey([UInt8](repeating: 4, count: 32).span.bytes))
    var buffer = ByteBuffer()
    #expect(throws: LinkFrameFailure.forged) { try opener.open(frame.span.bytes, into: &buffer) }
  }

  @Test("A length that no frame may have is refused before the frame comes")
  func lengths() {
    var buffer = ByteBuffer()
    var short = LinkOpener(Self.key)
    #expect(throws: LinkFrameFailure.tooShort(bytes: 15)) { try short.open(bytes(15, 0, 0, 0).span.bytes, into: &buffer) }
    var long = LinkOpener(Self.key)
    #expect(throws: LinkFrameFailure.tooLong(bytes: LinkLimits.sealed + 1)) {
      try long.open(bytes(17, 0, 0, 1).span.bytes, into: &buffer)
    }
  }

  @Test("The largest frame goes through, a larger one is taken away again")
  func largest() throws {
    var sealer = LinkSealer(Self.key)
    var opener = LinkOpener(Self.key)
    var sealed = ByteBuffer()
    var plain = ByteBuffer()
    let most = [UInt8](repeating: 1, count: LinkLimits.plain + 1)
    try sealer.seal(most.span.bytes.extracting(0..<LinkLimits.plain), into: &sealed)
    let taken = try opener.open(sealed.bytes, into: &plain)
    let (frame, text) = (sealed.count, plain.count)
    #expect(taken == frame && text == LinkLimits.plain)
    sealed.truncate(to: 3)
    #expect(throws: LinkFrameFailure.tooLong(bytes: LinkLimits.sealed + 1)) {
      try sealer.seal(most.span.bytes, into: &sealed)
    }
    let start = sealer.beginFrame(in: &sealed)
    sealed.append(most.span.bytes)
    #expect(throws: LinkFrameFailure.tooLong(bytes: LinkLimits.sealed + 1)) { try sealer.endFrame(start, in: &sealed) }
    let left = sealed.count
    #expect(left == 3)
  }

  @Test("A key that has sealed its share seals and opens no more, and says so in time")
  func wornOut() throws {
    let fresh = LinkSealer(Self.key)
    let (early, late) = (fresh.isWearingOut, LinkSealer(Self.key, used: LinkLimits.blocks / 2).isWearingOut)
    #expect(!early && late)
    // Room for two blocks: one frame of up to 16 bytes.
    var sealer = LinkSealer(Self.key, used: LinkLimits.blocks - 2)
    var opener = LinkOpener(Self.key, used: LinkLimits.blocks - 2)
    var sealed = ByteBuffer()
    var plain = ByteBuffer()
    let text = [UInt8](repeating: 8, count: 17)
    #expect(throws: LinkFrameFailure.wornOut) { try sealer.seal(text.span.bytes, into: &sealed) }
    let left = sealed.count
    #expect(left == 0)
    try sealer.seal(text.span.bytes.extracting(0..<16), into: &sealed)
    #expect(try opener.open(sealed.bytes, into: &plain) == 36)
    #expect(throws: LinkFrameFailure.wornOut) { try sealer.seal(RawSpan(), into: &sealed) }
    #expect(throws: LinkFrameFailure.wornOut) { try opener.open(sealed.bytes, into: &plain) }
  }

  @Test("No bytes that were not sealed are opened")
  func anyBytes() {
    let seed: UInt64 = 20_260_704
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      let length = 16 + random.below(60)
      let noise = randomBytes(length, &random)
      #expect(opened([noise]).allSatisfy { $0 == nil })
      #expect(opened([[UInt8(length), 0, 0, 0] + noise]) == [nil])
    }
  }
}
