public import Core

/// Why bytes are no session.
public enum MQTTSessionFailure: FieldRefusal, Equatable {
  case truncated
  case unknownVersion
  case trailingBytes
  /// A value that no session has: a QoS of 3, an identifier of 0, two of what there may be one of.
  case impossible
}

/// A session as bytes, little-endian: its version, then each list behind its length.
extension MQTTSessionState {
  /// The first byte.
  static let codingVersion: UInt8 = 1
  /// Subscriptions that are read; no channel has more.
  public static let subscriptionsMost = 1 << 20
  /// Identifiers of one kind: there are no more.
  static let identifiersMost = 0xffff
  private static let exactlyOnceFlag: UInt8 = 1
  private static let receivedFlag: UInt8 = 2

  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(MQTTSessionState.codingVersion)
    buffer.append(littleEndian: nextPacketIdentifier)
    buffer.append(littleEndian: UInt32(subscriptions.count))
    for held in subscriptions {
      buffer.append(littleEndian: held.identifier)
      buffer.append(held.subscription.options(.v5))
      buffer.append(littleEndian: UInt16(held.subscription.filter.count))
      buffer.append(held.subscription.filter.bytes)
    }
    buffer.append(littleEndian: UInt16(unreleased.count))
    for identifier in unreleased { buffer.append(littleEndian: identifier) }
    buffer.append(littleEndian: UInt16(inFlight.count))
    for message in inFlight {
      buffer.append(littleEndian: message.packetIdentifier)
      buffer.append(littleEndian: message.token)
      let flags = message.qos == .exactlyOnce ? MQTTSessionState.exactlyOnceFlag : 0
      buffer.append(flags | (message.isReceived ? MQTTSessionState.receivedFlag : 0))
    }
  }

  /// Reads what `encode` wrote, and nothing else.
  public init(decoding bytes: RawSpan) throws(MQTTSessionFailure) {
    var reader = FieldReader<MQTTSessionFailure>(bytes)
    guard try reader.u8() == MQTTSessionState.codingVersion else { throw .unknownVersion }
    nextPacketIdentifier = try reader.u16()
    guard nextPacketIdentifier != 0 else { throw .impossible }
    try readSubscriptions(&reader)
    try readUnreleased(&reader)
    try readInFlight(&reader)
    guard reader.isAtEnd else { throw .trailingBytes }
  }

  private mutating func readSubscriptions(_ reader: inout FieldReader<MQTTSessionFailure>) throws(MQTTSessionFailure) {
    let count = Int(try reader.u32())
    // Each takes seven bytes at least.
    guard count <= MQTTSessionState.subscriptionsMost, count * 7 <= reader.remaining else { throw .truncated }
    subscriptions.reserveCapacity(count)
    var filters = ByteKeyTable<Bool>()
    for _ in 0..<count {
      let identifier = try reader.u32()
      guard identifier <= MQTTVariableInteger.maximum else { throw .impossible }
      let options = try reader.u8()
      let filter = Bytes(copying: reader.bytes.extracting(try reader.skip(Int(try reader.u16()))))
      guard filter.withUnsafeBytes({ filters.insert($0, default: true).inserted }) else { throw .impossible }
      do {
        subscriptions.append(Subscription(try MQTTSubscription(filter, options: options, .v5), identifier: identifier))
      } catch {
        throw .impossible
      }
    }
  }

  private mutating func readUnreleased(_ reader: inout FieldReader<MQTTSessionFailure>) throws(MQTTSessionFailure) {
    let count = Int(try reader.u16())
    guard count * 2 <= reader.remaining else { throw .truncated }
    unreleased.reserveCapacity(count)
    for _ in 0..<count {
      let identifier = try reader.u16()
      guard identifier > unreleased.last ?? 0 else { throw .impossible }
      unreleased.append(identifier)
    }
  }

  private mutating func readInFlight(_ reader: inout FieldReader<MQTTSessionFailure>) throws(MQTTSessionFailure) {
    let count = Int(try reader.u16())
    guard count * 11 <= reader.remaining else { throw .truncated }
    inFlight.reserveCapacity(count)
    var identifiers = MQTTIdentifierSet()
    for _ in 0..<count {
      let identifier = try reader.u16()
      let token = try reader.u64()
      let flags = try reader.u8()
      guard identifier != 0, identifiers.insert(identifier), flags < 4, flags != MQTTSessionState.receivedFlag else { throw .impossible }
      inFlight.append(
        InFlight(
          packetIdentifier: identifier, token: token, qos: flags & MQTTSessionState.exactlyOnceFlag == 0 ? .atLeastOnce : .exactlyOnce,
          isReceived: flags & MQTTSessionState.receivedFlag != 0))
    }
  }
}
