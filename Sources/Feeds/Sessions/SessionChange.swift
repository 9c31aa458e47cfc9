public import Core

/// Who holds a session while its client is connected: one reactor of one life of a node, by numbers it drew at its start.
public struct SessionOwner: Hashable, Sendable {
  public var high: UInt64
  public var low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}

/// A client's session as one holder of it knows it: each opening raises the epoch, and only the newest may change it.
public struct SessionClaim: Hashable, Sendable {
  public var client: Bytes
  public var epoch: UInt64

  public init(client: Bytes, epoch: UInt64) {
    self.client = client
    self.epoch = epoch
  }
}

/// A message that is published for a client that is gone.
public struct SessionWill: Hashable, Sendable {
  /// The unstamped record, with a key of its own: however often it is published, it is there once.
  public var record: Bytes
  /// Seconds.
  public var delay: UInt32

  public init(record: Bytes, delay: UInt32) {
    self.record = record
    self.delay = delay
  }
}

/// A client connects: its session is this owner's from here on, whoever had it before.
public struct SessionOpening: Hashable, Sendable {
  public var client: Bytes
  public var owner: SessionOwner
  /// Drawn for this opening: one that comes twice is one.
  public var nonce: UInt64
  /// What was kept is forgotten first.
  public var isClean: Bool
  /// Seconds that it is kept when the client is gone; `.max` for ever.
  public var expiry: UInt32
  public var will: SessionWill?

  public init(client: Bytes, owner: SessionOwner, nonce: UInt64, isClean: Bool, expiry: UInt32, will: SessionWill?) {
    self.client = client
    self.owner = owner
    self.nonce = nonce
    self.isClean = isClean
    self.expiry = expiry
    self.will = will
  }
}

/// What of a session is to be kept from here on; nil leaves a part as it is.
public struct SessionSave: Hashable, Sendable {
  public var claim: SessionClaim
  /// Rises with each save of an epoch: an older one that comes late changes nothing.
  public var number: UInt64
  public var subscriptions: Bytes?
  public var progress: Bytes?

  public init(_ claim: SessionClaim, number: UInt64, subscriptions: Bytes?, progress: Bytes?) {
    self.claim = claim
    self.number = number
    self.subscriptions = subscriptions
    self.progress = progress
  }

  var byteCount: Int { claim.client.count + (subscriptions?.count ?? 0) + (progress?.count ?? 0) + 64 }
}

/// The client is gone.
public struct SessionClosing: Hashable, Sendable {
  public enum WillFate: Hashable, Sendable {
    /// It took its leave.
    case dropped
    /// After its delay, or when the session ends.
    case due
    /// The node goes, not the client: not before so many seconds, which it has to come back elsewhere.
    case waits(seconds: UInt32)
  }

  public var save: SessionSave
  public var expiry: UInt32
  public var will: WillFate

  public init(_ save: SessionSave, expiry: UInt32, will: WillFate) {
    self.save = save
    self.expiry = expiry
    self.will = will
  }
}

/// Changes to the sessions of a shard: those whose clients' identifiers hash to it.
public enum SessionChange: Hashable, Sendable {
  case open(SessionOpening)
  case save(SessionSave)
  case close(SessionClosing)
  /// The owner is gone, and took no leave of any.
  case lose(SessionOwner)
  /// Its time is over, or that of its will.
  case settle(SessionClaim)
  /// A will that was due has been published.
  case forgetWill(UInt64)

  /// About as many bytes as it takes where it is written down.
  public var byteCount: Int {
    switch self {
    case .open(let opening): opening.client.count + (opening.will?.record.count ?? 0) + 64
    case .save(let save): save.byteCount
    case .close(let closing): closing.save.byteCount
    case .lose, .settle, .forgetWill: 64
    }
  }

  /// Bytes of the longest client identifier.
  public static let clientLength = 1024
  /// Bytes of either part of what is kept of one session.
  public static let partLength = 256 << 10
  /// Bytes of the largest will, with all that goes with it.
  public static let willLength = RecordView.maximumLength / 2
}

/// What an opening came to.
public struct SessionOpened: Hashable, Sendable {
  public var epoch: UInt64
  /// The same as long as the session lasts, over all its epochs.
  public var identity: UInt64
  /// Nil when it is a new session.
  public var kept: SessionKept?

  public init(epoch: UInt64, identity: UInt64, kept: SessionKept?) {
    self.epoch = epoch
    self.identity = identity
    self.kept = kept
  }
}

/// A session as it was kept. The shard does not look into its parts.
public struct SessionKept: Hashable, Sendable {
  public var subscriptions: Bytes
  public var progress: Bytes
  /// Whether the last holder saved it as it let go: else it may have come further than that.
  public var isExact: Bool

  public init(subscriptions: Bytes, progress: Bytes, isExact: Bool) {
    self.subscriptions = subscriptions
    self.progress = progress
    self.isExact = isExact
  }
}
