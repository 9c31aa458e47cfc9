internal import Core

// A frame is a packet or a whole state: u8 version, u8 form, u64 cluster (0: born into none yet), u64 sender,
// u16 count, then that many messages, u8 kind and its fields. Numbers are little-endian, addresses in network order.

enum FrameForm: UInt8 {
  case packet = 1
  case state = 2
}

struct FrameHeader: Hashable {
  var form: FrameForm
  var cluster: UInt64
  var sender: NodeID
}

enum GossipFrame {
  static let version: UInt8 = 1
  static let headerLength = 20
  private static let countAt = 18
  /// The shortest claim, `left`: no less room is worth looking for one that fits.
  static let shortestClaim = 17

  private enum Kind: UInt8 {
    case ping = 1
    case pingRequest = 2
    case ack = 3
    case nack = 4
    case alive = 5
    case suspect = 6
    case dead = 7
    case left = 8
  }

  static func begin(_ header: FrameHeader, into buffer: inout ByteBuffer) {
    buffer.append(version)
    buffer.append(header.form.rawValue)
    buffer.append(littleEndian: header.cluster)
    buffer.append(littleEndian: header.sender.value)
    buffer.append(littleEndian: UInt16(0))
  }

  static func end(count: Int, into buffer: inout ByteBuffer) {
    buffer.store(littleEndian: UInt16(count), at: countAt)
  }

  /// Appends one message; the profile of a member alive is given beside it.
  static func append(_ message: GossipMessage, profile: Bytes = Bytes(), into buffer: inout ByteBuffer) {
    switch message {
    case .ping(let sequence, let target):
      buffer.append(Kind.ping.rawValue)
      buffer.append(littleEndian: sequence)
      buffer.append(littleEndian: target.value)
    case .pingRequest(let sequence, let target, let address):
      buffer.append(Kind.pingRequest.rawValue)
      buffer.append(littleEndian: sequence)
      buffer.append(littleEndian: target.value)
      buffer.append(address)
    case .ack(let sequence):
      buffer.append(Kind.ack.rawValue)
      buffer.append(littleEndian: sequence)
    case .nack(let sequence):
      buffer.append(Kind.nack.rawValue)
      buffer.append(littleEndian: sequence)
    case .claim(let claim):
      append(claim, profile: profile, into: &buffer)
    }
  }

  private static func append(_ claim: Claim, profile: Bytes, into buffer: inout ByteBuffer) {
    let kind: Kind =
      switch claim.standing {
      case .alive: .alive
      case .suspect: .suspect
      case .dead: .dead
      case .left: .left
      }
    buffer.append(kind.rawValue)
    buffer.append(littleEndian: claim.subject.value)
    buffer.append(littleEndian: claim.incarnation)
    switch claim.standing {
    case .alive:
      precondition(profile.count <= GossipLimits.profile, "a profile is larger than any packet may carry")
      buffer.append(claim.address)
      buffer.append(littleEndian: UInt16(profile.count))
      buffer.append(profile)
    case .suspect, .dead: buffer.append(littleEndian: claim.accuser.value)
    case .left: break
    }
  }

  /// Reads a whole frame, or refuses all of it.
  static func decode(
    _ bytes: RawSpan, limit: Int, into messages: inout [GossipMessage]
  ) throws(GossipRefusal) -> FrameHeader {
    messages.removeAll(keepingCapacity: true)
    guard bytes.byteCount <= limit else { throw .tooLong }
    var reader = FieldReader<GossipRefusal>(bytes)
    let found = try reader.u8()
    guard found == version else { throw .unknownVersion(found) }
    let number = try reader.u8()
    guard let form = FrameForm(rawValue: number) else { throw .unknownForm(number) }
    let header = FrameHeader(form: form, cluster: try reader.u64(), sender: try reader.node())
    let count = Int(try reader.u16())
    // No more room is made than the bytes that are there could fill.
    messages.reserveCapacity(min(count, bytes.byteCount / 5))
    for _ in 0..<count { messages.append(try message(&reader)) }
    guard reader.isAtEnd else { throw .trailingBytes }
    return header
  }

  private static func message(_ reader: inout FieldReader<GossipRefusal>) throws(GossipRefusal) -> GossipMessage {
    let number = try reader.u8()
    guard let kind = Kind(rawValue: number) else { throw .unknownKind(number) }
    switch kind {
    case .ping: return .ping(sequence: try reader.u32(), target: try reader.node())
    case .pingRequest:
      return .pingRequest(sequence: try reader.u32(), target: try reader.node(), address: try reader.address())
    case .ack: return .ack(sequence: try reader.u32())
    case .nack: return .nack(sequence: try reader.u32())
    case .alive:
      var claim = Claim(standing: .alive, subject: try reader.node(), incarnation: try reader.u64())
      claim.address = try reader.address()
      let length = Int(try reader.u16())
      guard length <= GossipLimits.profile else { throw .malformedProfile }
      claim.profile = try reader.skip(length)
      return .claim(claim)
    case .suspect, .dead:
      var claim = Claim(
        standing: kind == .dead ? .dead : .suspect, subject: try reader.node(), incarnation: try reader.u64())
      claim.accuser = try reader.node()
      return .claim(claim)
    case .left: return .claim(Claim(standing: .left, subject: try reader.node(), incarnation: try reader.u64()))
    }
  }
}
