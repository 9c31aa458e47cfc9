internal import Core
internal import Sealing
internal import Wire

/// Three lanes each way through one sealed connection: messages in, bytes out, and back. Knows no socket.
///
/// Each lane is a stream of messages of its own; a sealed frame carries a piece of one of them, so that a long message in
/// one lane is interrupted by a short one in another:
///
///     u32 length of what follows the header, u8 lane, ciphertext, tag; the header is authenticated
struct LinkChannel: ~Copyable {
  static let headerSize = 5
  private static let tagLength = LinkLimits.sealed - LinkLimits.plain

  /// What came cannot be what the other side sent, or meant.
  enum Failure: Error, Hashable {
    case seal(LinkFrameFailure)
    case wire(WireRefusal)
  }

  private var sealer: LinkSealer
  private var opener: LinkOpener
  private let queues: [LaneQueue]
  private let assemblies: [LaneAssembly]
  private var framesSinceBulk = 0

  init(_ keys: LinkKeys) {
    sealer = LinkSealer(keys.sending)
    opener = LinkOpener(keys.receiving)
    queues = WireLane.allCases.map { _ in LaneQueue() }
    assemblies = WireLane.allCases.map { LaneAssembly($0) }
  }

  func isWearingOut() -> Bool { sealer.isWearingOut }

  func queued(_ lane: WireLane) -> Int { queues[Int(lane.rawValue)].count }

  func queuedBytes() -> Int { queues[0].count + queues[1].count + queues[2].count }

  func append(_ message: NodeMessage, limit: Int) throws(WireRefusal) {
    try queues[Int(message.lane.rawValue)].append(message, limit: limit)
  }

  /// Seals the next piece: urgent before live before bulk. False if nothing waits.
  mutating func sealNext(into buffer: inout ByteBuffer) throws(LinkFrameFailure) -> Bool {
    guard let lane = nextLane() else { return false }
    let queue = queues[Int(lane.rawValue)]
    try queue.take(atMost: LinkBounds.frameBytes) { (plain: RawSpan) throws(LinkFrameFailure) in
      let start = buffer.count
      buffer.append(littleEndian: UInt32(plain.byteCount + LinkChannel.tagLength))
      buffer.append(lane.rawValue)
      var header = ByteBuffer(capacity: LinkChannel.headerSize)
      header.append(buffer.bytes.extracting(start..<buffer.count))
      try sealer.seal(plain, header: header.bytes, into: &buffer)
    }
    return true
  }

  private mutating func nextLane() -> WireLane? {
    let hasBulk = queued(.bulk) > 0
    if queued(.urgent) > 0 { return .urgent }
    if queued(.live) > 0 {
      framesSinceBulk += 1
      guard hasBulk, framesSinceBulk >= LinkBounds.bulkShare else { return .live }
    }
    framesSinceBulk = 0
    return hasBulk ? .bulk : nil
  }

  /// Opens the frame at the beginning of `input`. Says how many bytes it had and in which lane; nil until it is whole.
  mutating func open(_ input: RawSpan) throws(Failure) -> (taken: Int, lane: WireLane)? {
    guard input.byteCount >= LinkChannel.headerSize else { return nil }
    let length = Int(UInt32(littleEndian: unsafe input.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self)))
    // Said before the rest is waited for; the seal says it again.
    guard length > LinkChannel.tagLength else { throw .seal(.tooShort(bytes: length)) }
    guard length <= LinkBounds.frameBytes + LinkChannel.tagLength else { throw .seal(.tooLong(bytes: length)) }
    guard let lane = WireLane(rawValue: input.byte(at: 4)) else { throw .wire(.unknownLane(input.byte(at: 4))) }
    let end = LinkChannel.headerSize + length
    guard input.byteCount >= end else { return nil }
    do throws(LinkFrameFailure) {
      try opener.open(
        input.extracting(LinkChannel.headerSize..<end), header: input.extracting(0..<LinkChannel.headerSize),
        into: &assemblies[Int(lane.rawValue)].buffer)
    } catch {
      throw .seal(error)
    }
    return (end, lane)
  }

  /// The whole messages that have come in a lane.
  func takeWhole(_ lane: WireLane, limit: Int) throws(Failure) -> Bytes? {
    do throws(WireRefusal) {
      return try assemblies[Int(lane.rawValue)].takeWhole(limit: limit)
    } catch {
      throw .wire(error)
    }
  }
}
