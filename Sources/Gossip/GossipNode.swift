public import Core

/// One member of the gossip: who is there, who is silent, who is gone. SWIM with Lifeguard; the README says in which
/// words and with which deviations.
///
/// Lives on one reactor. Call `tick` when `nextTick` is reached; late is harmless.
public struct GossipNode: Sendable {
  public let id: NodeID
  public let settings: GossipSettings
  public internal(set) var counters = GossipCounters()

  // What this node says of itself.
  public internal(set) var incarnation: UInt64
  public internal(set) var address: GossipAddress
  public internal(set) var profile: MemberProfile
  var profileBytes: Bytes
  var departure: Departure?

  var table = MemberTable()
  var rumours = Rumours()
  var health: LocalHealth
  var random: SeededGenerator

  // Probing.
  var order: [NodeID] = []
  var position = 0
  var probe: Probe?
  var relays: [Relay] = []
  var nextSequence: UInt32
  var nextProbeAt: Instant

  // Streams and states.
  var streams: [OpenStream] = []
  var nextExchangeAt: Instant
  var nextSeedsAt: Instant
  var nextForgettingAt: Instant

  /// What a packet holds, kept so that reading one makes no new array.
  var messages: [GossipMessage] = []

  /// A node that starts at `now`. It need not remember its incarnation: whoever remembers a later one is answered
  /// with a later one still.
  public init(
    id: NodeID, address: GossipAddress, profile: MemberProfile, incarnation: UInt64 = 1,
    settings: GossipSettings = GossipSettings(), seed: UInt64, at now: Instant
  ) {
    self.id = id
    self.address = address
    self.profile = profile
    self.incarnation = incarnation
    self.settings = settings
    profileBytes = profile.encoded
    health = LocalHealth(isWatched: settings.lifeguard)
    random = SeededGenerator(seed: seed)
    nextSequence = UInt32(truncatingIfNeeded: random.next())
    // Nodes that start together do not probe, or exchange, together.
    nextProbeAt = now + random.span(below: settings.period)
    nextExchangeAt = now + random.span(below: settings.exchangePeriod)
    nextSeedsAt = now
    nextForgettingAt = now + settings.exchangePeriod
  }

  /// Everyone else that is known, the remembered dead among them.
  public var members: [Member] { table.entries.map(\.member) }

  public func member(_ id: NodeID) -> Member? { table[id]?.member }

  /// How many others are alive or only suspected.
  public var liveCount: Int { table.liveCount }

  /// 0 when this node is well; up to 8 the more it seems to be its own fault that others do not answer.
  public var healthScore: Int { health.score }

  /// When `tick` has something to do.
  public var nextTick: Instant {
    var next = nextForgettingAt
    if let departure {
      if !departure.isTold { next = min(next, departure.nextTellingAt) }
    } else {
      next = min(next, probe?.nextStep ?? nextProbeAt, nextExchangeAt)
      if table.liveCount == 0 { next = min(next, nextSeedsAt) }
      if table.suspectCount > 0 { next = min(next, earliestVerdict) }
    }
    for relay in relays { next = min(next, relay.nextStep) }
    for stream in streams { next = min(next, stream.deadline) }
    return next
  }

  /// Time passed.
  public mutating func tick(at now: Instant, into output: inout GossipOutput) {
    forgiveOwnPause(at: now)
    answerRelays(at: now, into: &output)
    dropStreams(at: now)
    if departure == nil {
      pronounceDeaths(at: now, into: &output)
      continueProbe(at: now, into: &output)
      exchange(at: now, into: &output)
      askForSeeds(at: now, into: &output)
    } else {
      tellDeparture(at: now, into: &output)
    }
    forget(at: now, into: &output)
  }

  /// Says something new of this node to everyone.
  public mutating func update(profile: MemberProfile, address: GossipAddress? = nil) {
    self.profile = profile
    self.address = address ?? self.address
    profileBytes = profile.encoded
    incarnation += 1
    if departure == nil { tellOfSelf() }
  }

  /// How often a rumour is told.
  var timesTold: Int {
    // The whole number at or above log10(n + 1): what is looked for is the number of digits, found without rounding.
    var digits = 1
    var power = 10
    while power < table.liveCount + 2 {
      digits += 1
      power *= 10
    }
    return settings.retransmitMultiplier * digits
  }
}

extension SeededGenerator {
  mutating func span(below limit: TimeSpan) -> TimeSpan {
    TimeSpan(nanoseconds: Int64(below(max(1, Int(limit.nanoseconds)))))
  }
}
