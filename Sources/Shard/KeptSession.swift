public import Core
public import Feeds

/// One client's session, between its connections and during them.
public struct KeptSession: Hashable, Sendable {
  /// Of the newest opening.
  public var epoch: UInt64
  public var identity: UInt64
  var nonce: UInt64
  /// Whether there was a session at the newest opening, and whether what was kept of it was exact.
  var wasPresent = false
  var wasExact = false
  /// Nil while nobody is connected.
  public internal(set) var owner: SessionOwner?
  /// The newest save's.
  var number: UInt64 = 0
  /// Whether the last holder saved it as it let go.
  var isExact = false
  /// Seconds without an owner after which it is over; `.max` for never.
  public internal(set) var expiry: UInt32
  /// Since when it has no owner; means nothing while it has one.
  var left = WallTime(milliseconds: 0)
  private var testament = Testament.none
  public internal(set) var subscriptions = Bytes()
  public internal(set) var progress = Bytes()

  /// Apart, because few have one and every session would have the room.
  private enum Testament: Hashable {
    case none
    indirect case some(SessionWill, due: WallTime?)
  }

  var will: SessionWill? {
    get { if case .some(let will, due: _) = testament { will } else { nil } }
    set { testament = newValue.map { .some($0, due: willDue) } ?? .none }
  }

  /// When the will is due, once the client is gone.
  var willDue: WallTime? {
    get { if case .some(_, due: let due) = testament { due } else { nil } }
    set { if let will { testament = .some(will, due: newValue) } }
  }

  init(epoch: UInt64, identity: UInt64, nonce: UInt64, expiry: UInt32) {
    self.epoch = epoch
    self.identity = identity
    self.nonce = nonce
    self.expiry = expiry
  }

  var kept: SessionKept? { wasPresent ? SessionKept(subscriptions: subscriptions, progress: progress, isExact: wasExact) : nil }

  var opened: SessionOpened { SessionOpened(epoch: epoch, identity: identity, kept: kept) }

  /// The bytes it counts for, its name aside.
  var size: Int { KeptSession.ownSize + subscriptions.count + progress.count + (will?.record.count ?? 0) }

  /// What any session takes beside its parts.
  static let ownSize = 256

  /// Whether its time is over.
  func isOver(at time: WallTime) -> Bool {
    owner == nil && expiry != .max && time.milliseconds - left.milliseconds >= Int64(expiry) * 1000
  }

  /// Whether its will is due when the client connects anew.
  func isWillDue(asTheClientComes time: WallTime, goesOn: Bool) -> Bool {
    // The connection that it was for is broken by this one: it is too late for a will without a delay.
    if owner != nil { return !goesOn || will?.delay == 0 }
    if let willDue, time >= willDue { return true }
    // Before it was due: only the end of a session that could have gone on brings it about. One that was over already was
    // kept so that its client could come back.
    return !goesOn && !isOver(at: time)
  }

  /// When there is something to be done about it, its will first, since a session's end brings that about; nil if there never is.
  var due: WallTime? {
    if owner != nil { return nil }
    return willDue ?? (expiry == .max ? nil : left.adding(seconds: expiry))
  }

  func isDue(at time: WallTime) -> Bool { due.map { time >= $0 } ?? false }
}

extension WallTime {
  func adding(seconds: UInt32) -> WallTime { WallTime(milliseconds: milliseconds + Int64(seconds) * 1000) }
}
