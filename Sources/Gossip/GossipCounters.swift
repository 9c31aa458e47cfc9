/// What happened since the start, for a shell to publish.
public struct GossipCounters: Sendable, Equatable {
  public var packetsReceived = 0
  public var packetsSent = 0
  public var streamsOpened = 0
  public var probes = 0
  public var probesFailed = 0
  /// Probes that only a stream answered: datagrams do not get through.
  public var streamAcks = 0
  /// How often this node had to say that it is alive.
  public var refutations = 0
  /// How often it noticed that it had slept past its own deadlines.
  public var overslept = 0
  public var exchanges = 0
  /// Members not taken up because too many are known.
  public var membersRefused = 0
  public var relaysRefused = 0

  // What was refused, by reason.
  public var refusedMalformed = 0
  public var refusedVersion = 0
  public var refusedKind = 0
  public var refusedCluster = 0
  public var refusedMisdirected = 0
  public var refusedProfile = 0
  public var refusedUnexpected = 0

  public var refused: Int {
    refusedMalformed + refusedVersion + refusedKind + refusedCluster + refusedMisdirected + refusedProfile
      + refusedUnexpected
  }

  mutating func count(_ refusal: GossipRefusal) {
    switch refusal {
    case .tooLong, .truncated, .trailingBytes: refusedMalformed += 1
    case .unknownVersion: refusedVersion += 1
    case .unknownForm, .unknownKind: refusedKind += 1
    case .foreignCluster: refusedCluster += 1
    case .misdirected: refusedMisdirected += 1
    case .malformedProfile: refusedProfile += 1
    case .unexpected: refusedUnexpected += 1
    }
  }
}
