internal import Core
internal import Feeds
internal import Shard

/// What the leader alone knows of sessions, in memory: where their owners are reached, and when each was last heard of.
struct SessionDesk {
  /// How often due wills are handed out until they are known to be published.
  static let willAgain = TimeSpan.seconds(5)
  /// Sessions looked at with each tick, and changes that come of it at most.
  static let lookedAt = 4096
  static let changesAtOnce = 256
  /// Wills handed out at once.
  static let willsAtOnce = 64

  /// How long whoever has a session is waited for to give it back, before it is taken.
  static let takeoverPatience = TimeSpan.milliseconds(500)
  /// Clients that are waited for so; past it sessions are taken at once.
  static let waitingMost = 10_000

  /// How long a will of an earlier connection keeps its client waiting: its topic's shard may have no leader.
  static let willPatience = TimeSpan.seconds(1)

  /// A client whose session is open, and who is not told yet.
  struct Held {
    var client: Bytes
    var opened: SessionOpened
    var asker: CommandAsker
    var until: Instant
  }

  /// A client that connects while another edge holds its session.
  struct Waiting {
    var opening: SessionOpening
    var asker: CommandAsker
    var wall: WallTime
    var until: Instant
  }

  private(set) var waiting: [Waiting] = []
  private var held: [Held] = []

  private struct Holder {
    var edge: EdgeID?
    var heard: Instant
  }

  private var holders: [SessionOwner: Holder] = [:]
  private var handedOut: [UInt64: Instant] = [:]
  /// What was proposed is decided on when this is committed: until then nothing is proposed again.
  var proposedUpTo = Offset.zero

  mutating func heard(_ owner: SessionOwner, from edge: EdgeID, at now: Instant) { holders[owner] = Holder(edge: edge, heard: now) }

  func edge(of owner: SessionOwner) -> EdgeID? { holders[owner]?.edge }

  mutating func wait(_ opening: SessionOpening, _ asker: CommandAsker, wall: WallTime, at now: Instant) {
    waiting.append(Waiting(opening: opening, asker: asker, wall: wall, until: now + SessionDesk.takeoverPatience))
  }

  /// Those that need not wait any more, in the order in which they came.
  mutating func takeReady(_ sessions: SessionTable, at now: Instant) -> [Waiting] {
    guard !waiting.isEmpty else { return [] }
    func isReady(_ one: Waiting) -> Bool { now >= one.until || sessions[one.opening.client]?.owner == nil }
    let ready = waiting.filter(isReady)
    if !ready.isEmpty { waiting.removeAll(where: isReady) }
    return ready
  }

  mutating func hold(_ opened: SessionOpened, of client: Bytes, _ asker: CommandAsker, at now: Instant) {
    held.append(Held(client: client, opened: opened, asker: asker, until: now + SessionDesk.willPatience))
  }

  /// Those that need not be held any more, in the order in which they came.
  mutating func takeHeld(_ sessions: SessionTable, at now: Instant) -> [Held] {
    guard !held.isEmpty else { return [] }
    func isReady(_ one: Held) -> Bool { now >= one.until || !sessions.owesWill(of: one.client) }
    let ready = held.filter(isReady)
    if !ready.isEmpty { held.removeAll(where: isReady) }
    return ready
  }

  mutating func takeHeld() -> [Held] {
    defer { held.removeAll() }
    return held
  }

  mutating func takeWaiting() -> [Waiting] {
    defer { waiting.removeAll() }
    return waiting
  }

  /// Owners of sessions that have said nothing for too long. One of whom this leader has not heard yet begins to be waited for.
  mutating func silent(of owners: some Sequence<SessionOwner>, at now: Instant) -> [SessionOwner] {
    var silent: [SessionOwner] = []
    for owner in owners {
      guard let holder = holders[owner] else {
        holders[owner] = Holder(edge: nil, heard: now)
        continue
      }
      if now - holder.heard >= SessionLimits.silence { silent.append(owner) }
    }
    // Owners without sessions are not waited for, and forgotten in their time.
    if holders.count > 1024 { holders = holders.filter { now - $0.value.heard < SessionLimits.silence } }
    return silent.sorted { ($0.high, $0.low) < ($1.high, $1.low) }
  }

  /// Whether a will that is due is to be handed out now.
  mutating func handsOut(_ number: UInt64, at now: Instant) -> Bool {
    if let last = handedOut[number], now - last < SessionDesk.willAgain { return false }
    handedOut[number] = now
    return true
  }

  mutating func keep(wills numbers: some Sequence<UInt64>) {
    guard !handedOut.isEmpty else { return }
    let kept = Set(numbers)
    handedOut = handedOut.filter { kept.contains($0.key) }
  }
}
