public import Core

/// How a member of the gossip behaves; the defaults are those of a local network.
public struct GossipSettings: Sendable {
  /// One member is probed per period.
  public var period = TimeSpan.seconds(1)
  /// How long a direct ping may take before others are asked to try.
  public var pingTimeout = TimeSpan.milliseconds(500)
  /// How many others are asked.
  public var indirectProbes = 3
  /// A suspect has at least this many periods, times log10 of the cluster's size, to be heard of.
  public var suspicionMultiplier = 4
  /// It has this many times more while nobody else confirms that it does not answer.
  public var suspicionSpread = 6
  /// After this many independent confirmations the shorter time applies.
  public var confirmations = 3
  /// A rumour is sent this many times log10 of the cluster's size.
  public var retransmitMultiplier = 4
  /// How often whole states are exchanged with one other member.
  public var exchangePeriod = TimeSpan.seconds(30)
  /// How long an exchange may take.
  public var exchangeTimeout = TimeSpan.seconds(10)
  /// How often a member that knows nobody asks for addresses to join.
  public var seedPeriod = TimeSpan.seconds(2)
  /// How long the dead and those who left are remembered.
  public var memory = TimeSpan.seconds(24 * 3600)
  /// While leaving, the news of it goes out in steps of this.
  public var leavePeriod = TimeSpan.milliseconds(100)
  /// Off makes this plain SWIM: fixed suspicion time, no local health, no nacks, no buddies.
  public var lifeguard = true
  /// Whether time that this process slept through counts against nobody.
  public var forgivesOwnPauses = true

  public init() {}
}

/// What no member exceeds, whatever it is sent.
public enum GossipLimits {
  /// The largest datagram, sealed: it fits an Ethernet frame with room for tunnels.
  public static let packet = 1400
  /// The largest packet before it is sealed.
  public static let plainPacket = packet - SealedEnvelope.overhead
  /// The largest encoded profile.
  public static let profile = 512
  /// Members known at once, the remembered dead among them.
  public static let members = 4096
  /// The largest state one exchange carries, one way.
  public static let state = 4 << 20
  /// Pings that are carried out for others at once.
  public static let relays = 256
  /// Exchanges and stream pings that are waited for at once.
  public static let streams = 16
  /// Seeds that one `join` tries.
  public static let seeds = 16
}
