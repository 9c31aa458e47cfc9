/// How much a peer may make this side hold or read. Each bound has its own refusal and its own test.
public struct MQTTLimits: Equatable, Sendable {
  // Narrow, because every connection's decoder holds a copy.
  private var packetBytes: UInt32
  private var connectBytes: UInt32
  private var filterCount: UInt16
  private var userPropertyCount: UInt16

  /// By default a message of 1 MiB fits, with 64 KiB for what stands around it.
  public init(maximumPacketSize: Int = (1 << 20) + (64 << 10), connectSize: Int = 256 << 10, filters: Int = 1024, userProperties: Int = 256) {
    precondition(maximumPacketSize > 0 && connectSize > 0 && filters > 0 && userProperties >= 0, "a limit that lets nothing through")
    packetBytes = UInt32(clamping: maximumPacketSize)
    connectBytes = UInt32(clamping: connectSize)
    filterCount = UInt16(clamping: filters)
    userPropertyCount = UInt16(clamping: userProperties)
  }

  /// What a server holds every client to.
  public static let standard = MQTTLimits()

  /// Bytes of a packet, its fixed header included, as 5.0 counts its Maximum Packet Size; past it, 0x95.
  public var maximumPacketSize: Int { Int(packetBytes) }
  /// Bytes of a CONNECT, which comes from a stranger: room for a will, a name and a password of 64 KiB each; past it, 0x95.
  public var connectSize: Int { min(Int(connectBytes), Int(packetBytes)) }
  /// Filters in one SUBSCRIBE or UNSUBSCRIBE, reason codes in their answers, subscription identifiers in a PUBLISH; past it, 0x97.
  public var filters: Int { Int(filterCount) }
  /// User properties in one packet; past it, 0x97.
  public var userProperties: Int { Int(userPropertyCount) }
}
