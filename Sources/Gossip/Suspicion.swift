internal import Core

/// The time a suspect has left to be heard of. It shrinks as others, independently, find it silent too.
struct Suspicion: Sendable {
  let since: Instant
  private(set) var accusers: [NodeID]
  private let shortest: Double
  private let longest: Double
  private let wanted: Int
  /// What the accusing member slept through does not count.
  private(set) var forgiven = TimeSpan.zero

  /// `members` counts everyone alive, this member and the suspect among them.
  init(since: Instant, accuser: NodeID, members: Int, settings: GossipSettings) {
    self.since = since
    accusers = [accuser]
    let scale = max(1, Logarithm.decimal(Double(max(members, 1))))
    shortest = Double(settings.suspicionMultiplier) * scale * Double(settings.period.nanoseconds)
    // Nobody waits for confirmations that too few are there to give.
    wanted = settings.lifeguard ? max(0, min(settings.confirmations, members - 2)) : 0
    longest = wanted > 0 ? shortest * Double(settings.suspicionSpread) : shortest
  }

  var deadline: Instant { since + timeout + forgiven }

  /// Lifeguard's equation: max(min, max − (max − min) · log(c + 1) / log(k + 1)).
  private var timeout: TimeSpan {
    guard wanted > 0 else { return TimeSpan(nanoseconds: Int64(shortest.rounded())) }
    let confirmed = Double(accusers.count - 1)
    let share = Logarithm.natural(confirmed + 1) / Logarithm.natural(Double(wanted) + 1)
    return TimeSpan(nanoseconds: Int64(max(shortest, longest - (longest - shortest) * share).rounded()))
  }

  /// Whether this is a new, independent accusation that counts; if so it is worth passing on.
  mutating func confirm(by accuser: NodeID) -> Bool {
    guard accusers.count <= wanted, !accusers.contains(accuser) else { return false }
    accusers.append(accuser)
    return true
  }

  mutating func forgive(_ span: TimeSpan) {
    forgiven = TimeSpan(nanoseconds: forgiven.nanoseconds + span.nanoseconds)
  }
}
