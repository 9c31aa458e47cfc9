internal import Core
internal import Feeds

/// What the committed log says of sessions, thought through once more: who holds which, which saves count, and which wills
/// are to be published.
struct SessionJudge {
  /// Delays shorter than this may pass while a client is away; longer ones never do in a run, whatever clocks do.
  static let longDelay: UInt32 = 3000

  enum Fate {
    /// The client is connected.
    case held
    /// It took its leave, or came back in time.
    case never
    /// Its client is away, and will be for a while or for good.
    case waiting
    case must
    /// Its opening came about twice, the second time after another client's: an edge had given it up.
    case either
  }

  private struct Session {
    var epoch: UInt64
    var nonce: UInt64
    /// Nil while nobody is connected.
    var owner: SessionOwner?
    var expiry: UInt32
    var will: (message: UInt32, delay: UInt32)?
  }

  /// By client, whose names are their numbers.
  private var sessions: [Session?]
  /// The newest accepted save of each epoch, by client. For look-up only.
  private var saves: [[UInt64: UInt64]]
  private var epochs: [UInt64: UInt64] = [:]
  /// For look-up; `willMessages` has them in order.
  private var fates: [UInt32: Fate] = [:]
  private var willMessages: [UInt32] = []
  private var publishedWills: Set<UInt32> = []

  private let shards: Int

  init(clients: Int, shards: Int) {
    self.shards = shards
    sessions = [Session?](repeating: nil, count: clients)
    saves = [[UInt64: UInt64]](repeating: [:], count: clients)
  }

  static func name(of client: Int) -> Bytes { Bytes("c\(client)") }

  private static func client(_ name: Bytes) -> Int { Int(name[1]) - 48 }

  mutating func take(_ change: SessionChange, of shard: Int, at offset: Offset) {
    switch change {
    case .open(let opening): open(SessionJudge.client(opening.client), opening, offset)
    case .save(let save): note(save)
    case .close(let closing): close(closing)
    case .lose(let owner):
      for client in sessions.indices where client % shards == shard && sessions[client]?.owner == owner { leave(client, takesLeave: false) }
    case .settle, .forgetWill: break
    }
  }

  private mutating func open(_ client: Int, _ opening: SessionOpening, _ offset: Offset) {
    var epoch = offset.value
    if let before = sessions[client] {
      if before.nonce == opening.nonce, before.owner == opening.owner { return }
      epoch = before.epoch + 1
      let goesOn = !opening.isClean && !(before.owner != nil && before.expiry == 0)
      if let will = before.will, fates[will.message] != .either {
        if before.owner != nil {
          fates[will.message] = !goesOn || will.delay == 0 ? .must : .never
        } else if will.delay > 0 {
          if !goesOn { fates[will.message] = .must } else if will.delay >= SessionJudge.longDelay { fates[will.message] = .never }
        }
      }
    }
    var session = Session(epoch: epoch, nonce: opening.nonce, owner: opening.owner, expiry: opening.expiry)
    if let will = opening.will {
      let message = will.record.withUnsafeBytes { Message(RecordView(trusting: $0.baseAddress.unsafelyUnwrapped)).number }
      session.will = (message, will.delay)
      willMessages.append(message)
      fates[message] = epochs[opening.nonce] == nil ? .held : .either
    }
    sessions[client] = session
    epochs[opening.nonce] = epoch
  }

  private mutating func note(_ save: SessionSave) {
    let client = SessionJudge.client(save.claim.client)
    guard let session = sessions[client], session.epoch == save.claim.epoch, session.owner != nil else { return }
    saves[client][save.claim.epoch] = max(save.number, saves[client][save.claim.epoch] ?? 0)
  }

  private mutating func close(_ closing: SessionClosing) {
    let client = SessionJudge.client(closing.save.claim.client)
    guard let session = sessions[client], session.epoch == closing.save.claim.epoch, session.owner != nil else { return }
    note(closing.save)
    sessions[client]?.expiry = closing.expiry
    leave(client, takesLeave: closing.will == .dropped)
  }

  private mutating func leave(_ client: Int, takesLeave: Bool) {
    guard let session = sessions[client] else { return }
    sessions[client]?.owner = nil
    if let will = session.will, fates[will.message] != .either {
      fates[will.message] = takesLeave ? .never : min(will.delay, session.expiry) == 0 ? .must : .waiting
      if takesLeave { sessions[client]?.will = nil }
    }
    if session.expiry == 0 { sessions[client] = nil }
  }

  // What others say, held against it ------------------------------------------------------------------------

  /// A message was committed; it may be a will.
  mutating func published(_ message: UInt32) -> Problem? {
    guard let fate = fates[message] else { return nil }
    publishedWills.insert(message)
    switch fate {
    case .held: return Problem("the will \(message) of a client that is connected was published")
    case .never: return Problem("the will \(message) of a client that took its leave, or came back in time, was published")
    case .waiting:
      for case let session? in sessions where session.will?.message == message && session.will!.delay >= SessionJudge.longDelay {
        return Problem("the will \(message) was published long before its time")
      }
      return nil
    case .must, .either: return nil
    }
  }

  /// An edge was told that a session is its client's.
  func check(_ opened: SessionOpened, of opening: SessionOpening) throws(Problem) {
    guard epochs[opening.nonce] == opened.epoch else {
      throw Problem("client \(opening.client) was given a session of epoch \(opened.epoch), and nothing such is committed")
    }
  }

  /// An edge was told that a save is kept.
  func checkSaved(_ claim: SessionClaim, number: UInt64) throws(Problem) {
    let client = SessionJudge.client(claim.client)
    let newest = saves[client][claim.epoch] ?? 0
    guard newest >= number else {
      let known = sessions[client].map { "it is in epoch \($0.epoch), \($0.owner == nil ? "held by nobody" : "held")" } ?? "it is over"
      throw Problem("save \(number) of epoch \(claim.epoch) of client \(claim.client.text) was called kept; the newest is \(newest), \(known)")
    }
  }

  /// A will that was to be published by now and was not.
  var missingWill: UInt32? {
    willMessages.first { message in
      guard !publishedWills.contains(message) else { return false }
      switch fates[message] {
      case .must: return true
      case .waiting:
        return sessions.contains { $0?.will.map { $0.message == message && $0.delay < SessionJudge.longDelay } ?? false }
      case .held, .never, .either, nil: return false
      }
    }
  }

  var willCount: Int { publishedWills.count }
}
