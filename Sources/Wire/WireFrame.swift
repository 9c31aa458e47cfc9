public import Core

/// What lies on a link, one after another, little-endian.
///
/// ```
/// 0  u32  length of the whole frame, this field included
/// 4  u8   kind (WireKind)
/// 5  u8   lane (WireLane)
/// 6  u16  shard, 0xffff if it is about none
/// 8       what the kind says
/// ```
public struct WireFrame: Hashable, Sendable {
  public static let headerSize = 8
  static let noShard: UInt16 = 0xffff

  /// Of the whole frame.
  public var length: Int
  public var kind: WireKind
  public var lane: WireLane
  /// Whom it goes to without being read further.
  public var shard: ShardID?

  /// What stands at the beginning of bytes that came in.
  public enum Step: Hashable, Sendable {
    /// So many more are needed before there is anything to say.
    case needMore(Int)
    /// A whole frame: `NodeMessage(decoding:)` takes its `length` bytes.
    case frame(WireFrame)
    /// Nothing behind it can be believed: the link ends.
    case refused(WireRefusal)
  }

  /// Looks at the first frame of `buffered`. What is wrong with a header is said before its payload is there.
  public static func next(in buffered: RawSpan, limit: Int = WireLimits.frame) -> Step {
    guard buffered.byteCount >= headerSize else { return .needMore(headerSize - buffered.byteCount) }
    do throws(WireRefusal) {
      let frame = try WireFrame(header: buffered, limit: limit)
      return buffered.byteCount >= frame.length ? .frame(frame) : .needMore(frame.length - buffered.byteCount)
    } catch {
      return .refused(error)
    }
  }

  /// Reads the header alone.
  init(header bytes: RawSpan, limit: Int) throws(WireRefusal) {
    var reader = WireReader(bytes)
    let length = try reader.u32()
    guard length >= Self.headerSize else { throw .truncated }
    guard length <= limit else { throw .tooLong }
    let number = try reader.u8()
    guard let kind = WireKind(rawValue: number) else { throw .unknownKind(number) }
    let place = try reader.u8()
    guard let lane = WireLane(rawValue: place) else { throw .unknownLane(place) }
    let shard = try reader.u16()
    guard shard == Self.noShard || shard < WireLimits.shards else { throw .outOfBounds }
    self.length = Int(length)
    self.kind = kind
    self.lane = lane
    self.shard = shard == Self.noShard ? nil : ShardID(shard)
  }
}

/// What is urgent never waits behind what is large. Order holds within a lane.
public enum WireLane: UInt8, Hashable, Sendable, CaseIterable {
  /// Beats, votes, acknowledgements, and what a link says of itself.
  case urgent = 0
  /// Records on their way: entries, publishes, pushes, and the answers that must keep their place among them.
  case live = 1
  /// Snapshots, and the past that readers catch up on.
  case bulk = 2
}

public enum WireKind: UInt8, Hashable, Sendable, CaseIterable {
  case hello = 1
  case farewell = 2
  case ping = 3
  case pong = 4
  case replica = 5
  case heartbeats = 6
  case request = 7
  case reply = 8
  case gossipRequest = 9
  case gossipReply = 10
  case birth = 11
  case statusAsk = 12
  case statusAnswer = 13
  case order = 14
}
