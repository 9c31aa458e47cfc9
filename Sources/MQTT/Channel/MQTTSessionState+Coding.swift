public import Core

/// Why bytes are no session.
public enum MQTTSessionFailure: FieldRefusal, Equatable {
  case truncated
  case unknownVersion
  case trailingBytes
  /// A value that no session has: a QoS of 3, an identifier of 0, two of what there may be one of.
  case impossible
}

/// A session's subscriptions as bytes, little-endian: the version, how many, and of each u32 identifier, u8 options, u16 length
/// and the filter.
extension MQTTSessionState {
  /// The first byte.
  static let codingVersion: UInt8 = 1
  /// Subscriptions that are read; no channel has more.
  public static let subscriptionsMost = 1 << 20

  public static func encode(_ subscriptions: [Subscription], into buffer: inout ByteBuffer) {
    buffer.append(codingVersion)
    buffer.append(littleEndian: UInt32(subscriptions.count))
    for held in subscriptions {
      buffer.append(littleEndian: held.identifier)
      buffer.append(held.subscription.options(.v5))
      buffer.append(littleEndian: UInt16(held.subscription.filter.count))
      buffer.append(held.subscription.filter.bytes)
    }
  }

  /// Reads what `encode` wrote, and nothing else.
  public static func subscriptions(decoding bytes: RawSpan) throws(MQTTSessionFailure) -> [Subscription] {
    var reader = FieldReader<MQTTSessionFailure>(bytes)
    guard try reader.u8() == codingVersion else { throw .unknownVersion }
    let count = Int(try reader.u32())
    // Each takes seven bytes at least.
    guard count <= subscriptionsMost, count * 7 <= reader.remaining else { throw .truncated }
    var subscriptions: [Subscription] = []
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
    guard reader.isAtEnd else { throw .trailingBytes }
    return subscriptions
  }
}
