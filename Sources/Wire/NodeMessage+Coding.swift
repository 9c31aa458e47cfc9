public import Core
internal import Feeds
internal import Placement

extension NodeMessage {
  /// Appends the whole frame. What exceeds a bound is refused here already, and nothing is appended.
  public func encode(into buffer: inout ByteBuffer, limit: Int = WireLimits.frame) throws(WireRefusal) {
    let start = buffer.count
    do throws(WireRefusal) {
      if let shard, shard.value >= WireLimits.shards { throw .outOfBounds }
      buffer.append(littleEndian: UInt32(0))
      buffer.append(kind.rawValue)
      buffer.append(lane.rawValue)
      buffer.append(littleEndian: shard?.value ?? WireFrame.noShard)
      try encodePayload(into: &buffer)
      let length = buffer.count - start
      guard length <= limit else { throw .tooLong }
      buffer.store(littleEndian: UInt32(length), at: start)
    } catch {
      buffer.truncate(to: start)
      throw error
    }
  }

  private func encodePayload(into buffer: inout ByteBuffer) throws(WireRefusal) {
    switch self {
    case .hello(let hello): try hello.encode(into: &buffer)
    case .farewell(let farewell): farewell.encode(into: &buffer)
    case .ping(let stamp), .pong(let stamp): buffer.append(littleEndian: stamp)
    case .replica(_, let message): try message.encode(into: &buffer)
    case .heartbeats(let beats): try buffer.append(beats)
    case .request(_, let request): try request.encode(into: &buffer)
    case .reply(let edge, let reply):
      buffer.append(littleEndian: edge.value)
      try reply.encode(into: &buffer)
    case .gossipRequest(let ticket, let bytes): try buffer.append(ticket, bytes, atMost: WireLimits.gossip)
    case .gossipReply(let ticket, let bytes):
      buffer.append(littleEndian: ticket)
      buffer.append(isSo: bytes != nil)
      guard let bytes else { return }
      guard bytes.count <= WireLimits.gossip else { throw .tooLong }
      buffer.append(bytes)
    case .birth(let message): message.encode(into: &buffer)
    case .statusAsk(let ticket, let bytes), .statusAnswer(let ticket, let bytes):
      try buffer.append(ticket, bytes, atMost: WireLimits.status)
    case .order(_, let order): order.encode(into: &buffer)
    }
  }

  /// Reads exactly one frame. Records, entries and pieces of snapshots are not copied: they share the memory of `bytes`,
  /// and every one of them is whole.
  public init(decoding bytes: Bytes, limit: Int = WireLimits.frame) throws(WireRefusal) {
    let frame = try WireFrame(header: bytes.bytes, limit: limit)
    guard frame.length >= bytes.count else { throw .trailingBytes }
    guard frame.length == bytes.count else { throw .truncated }
    self = try NodeMessage(frame, payload: bytes.slice(WireFrame.headerSize..<bytes.count))
    guard lane == frame.lane, shard == frame.shard else { throw .contradiction }
  }

  private init(_ frame: WireFrame, payload: Bytes) throws(WireRefusal) {
    var reader = WireReader(payload.bytes)
    switch frame.kind {
    case .hello: self = .hello(try reader.hello())
    case .farewell: self = .farewell(try reader.farewell())
    case .ping: self = .ping(stamp: try reader.u64())
    case .pong: self = .pong(stamp: try reader.u64())
    case .replica:
      guard let shard = frame.shard else { throw .contradiction }
      self = .replica(shard, try reader.replicaMessage(in: payload))
    case .heartbeats: self = .heartbeats(try reader.heartbeats(in: payload))
    case .request:
      guard let shard = frame.shard else { throw .contradiction }
      self = .request(shard, try reader.request(in: payload))
    case .reply:
      guard let shard = frame.shard else { throw .contradiction }
      self = .reply(edge: try reader.edge(), try reader.reply(of: shard, in: payload))
    case .gossipRequest: self = .gossipRequest(ticket: try reader.u64(), try reader.blob(of: payload, atMost: WireLimits.gossip))
    case .gossipReply:
      let ticket = try reader.u64()
      let isAnswer = try reader.boolean()
      self = .gossipReply(ticket: ticket, isAnswer ? try reader.blob(of: payload, atMost: WireLimits.gossip) : nil)
    case .birth:
      let message = try reader.blob(of: payload, atMost: WireLimits.birth)
      do throws(PlacementRefusal) { self = .birth(try BirthMessage(decoding: message.bytes)) } catch { throw .placement(error) }
    case .statusAsk: self = .statusAsk(ticket: try reader.u64(), try reader.blob(of: payload, atMost: WireLimits.status))
    case .statusAnswer: self = .statusAnswer(ticket: try reader.u64(), try reader.blob(of: payload, atMost: WireLimits.status))
    case .order:
      guard let shard = frame.shard else { throw .contradiction }
      let order = try reader.blob(of: payload, atMost: WireLimits.order)
      do throws(PlacementRefusal) { self = .order(shard, try PlacementOrder(decoding: order.bytes, of: shard)) } catch { throw .placement(error) }
    }
    guard reader.isAtEnd else { throw .trailingBytes }
  }
}

extension FieldReader<WireRefusal> {
  @_lifetime(self: copy self)
  fileprivate mutating func blob(of payload: Bytes, atMost limit: Int) throws(WireRefusal) -> Bytes {
    guard remaining <= limit else { throw .tooLong }
    return try rest(of: payload)
  }
}

extension ByteBuffer {
  fileprivate mutating func append(_ ticket: UInt64, _ bytes: Bytes, atMost limit: Int) throws(WireRefusal) {
    guard bytes.count <= limit else { throw .tooLong }
    append(littleEndian: ticket)
    append(bytes)
  }
}
