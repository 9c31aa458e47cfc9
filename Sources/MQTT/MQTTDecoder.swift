/// What a decoder made of the bytes it was shown.
public enum MQTTStep: Equatable, Sendable {
  /// Nothing more can be said before at least so many more bytes are there. What was not taken must be shown again.
  case needMore(atLeast: Int)
  /// A packet. The places in a PUBLISH are offsets into the span of this call.
  case packet(MQTTPacket)
  /// The peer broke the protocol; nothing it sends after this is read.
  case failed(MQTTDecodeFailure)
  /// The connection ended with a DISCONNECT or failed before; the bytes were dropped.
  case finished
}

/// Packets as they arrive, one decoder per connection. It holds no bytes: a packet is decoded where it lies once it is whole,
/// and one that is larger than the limit is refused by its fixed header.
///
/// ```
///   server: connect ──CONNECT──▶ packets ──DISCONNECT or failure──▶ finished
///   client:                      packets ──DISCONNECT or failure──▶ finished
/// ```
public struct MQTTDecoder: Sendable {
  /// What the peer is held to.
  public let limits: MQTTLimits
  /// Nil before a CONNECT has told it. Known as soon as the version was read, also when the CONNECT was refused for something
  /// behind it; of a version that is not spoken here it is the nearest one, to refuse it in.
  public private(set) var version: MQTTVersion?
  private let role: MQTTRole
  private var isFinished = false

  /// A server's, which learns the version from CONNECT and takes nothing before it.
  public init(serverWith limits: MQTTLimits = .standard) {
    role = .server
    self.limits = limits
  }

  /// A client's, which knows what it asked for.
  public init(client version: MQTTVersion, limits: MQTTLimits = .standard) {
    role = .client
    self.version = version
    self.limits = limits
  }

  /// Decodes from `offset` on and moves it past what was taken. Taken bytes are never needed again.
  public mutating func next(_ input: RawSpan, _ offset: inout Int) -> MQTTStep {
    guard !isFinished else {
      offset = input.byteCount
      return .finished
    }
    do {
      return try step(input, &offset)
    } catch {
      isFinished = true
      offset = input.byteCount
      return .failed(error)
    }
  }

  private mutating func step(_ input: RawSpan, _ offset: inout Int) throws(MQTTDecodeFailure) -> MQTTStep {
    let header = try MQTTFixedHeader.read(input, at: offset, role: role, version: version, limits: limits)
    // Every packet has two bytes at least.
    guard let header else { return .needMore(atLeast: max(1, 2 - (input.byteCount - offset))) }
    let start = offset + header.size
    let end = start + header.remaining
    guard end <= input.byteCount else { return .needMore(atLeast: end - input.byteCount) }
    var reader = MQTTFieldReader(input, start..<end)
    let packet = try decode(header, &reader)
    guard reader.isAtEnd else { throw .trailingBytes }
    offset = end
    if header.type == .disconnect { isFinished = true }
    return .packet(packet)
  }

  private mutating func decode(_ header: MQTTFixedHeader, _ reader: inout MQTTFieldReader) throws(MQTTDecodeFailure) -> MQTTPacket {
    if let version {
      return try MQTTPacket.decode(header, &reader, MQTTDecodeRules(role: role, version: version, limits: limits))
    }
    return .connect(
      try MQTTConnect.decode(&reader, isLengthMinimal: header.isMinimal, role: role, limits: limits, version: &version))
  }
}
