public import Core
public import Feeds

/// The MQTT sessions of one shard: those whose clients' identifiers hash to it.
///
/// A session costs its entry and nothing per message: what it has missed stands in the log, behind its cursor.
public struct SessionTable {
  /// No shard keeps more sessions, nor more bytes of them.
  public static let maximumCount = 1_000_000
  public static let maximumBytes = 512 << 20

  private var byClient = ByteKeyTable<KeptSession>()
  /// How many sessions each owner holds.
  public private(set) var owners: [SessionOwner: Int] = [:]
  /// To be published, oldest first.
  public private(set) var dueWills: [DueWill] = []
  /// Whose they are, of those that became due since this replica began: not kept with them.
  private var clientsOfWills: [UInt64: Bytes] = [:]
  private var willsOfClients: [Bytes: Int] = [:]
  private var lastWill: UInt64 = 0
  private var bytes = 0
  /// Nothing is due before this; it may be too early, never too late. Follows from the sessions, and is not kept with them.
  private var nothingDueBefore = WallTime(milliseconds: .max)
  private var sweep = Sweep()

  /// A look at every session in turn, a part of them at a time.
  private struct Sweep {
    var at = 0
    var earliest = WallTime(milliseconds: .max)
  }

  public struct DueWill: Hashable, Sendable {
    public var number: UInt64
    public var record: Bytes
  }

  public init() {}

  public var count: Int { byClient.count }
  public var connectedCount: Int { owners.values.reduce(0, +) }
  var newestWill: UInt64 { lastWill }

  public subscript(client: Bytes) -> KeptSession? { client.withUnsafeBytes { byClient[$0] } }

  /// `offset` is that of the change in the log.
  mutating func perform(_ change: SessionChange, at time: WallTime, _ offset: Offset) -> CommandOutcome {
    switch change {
    case .open(let opening): return open(opening, at: time, offset)
    case .save(let save): return apply(save)
    case .close(let closing): return close(closing, at: time)
    case .lose(let owner): lose(owner, at: time)
    case .settle(let claim): settle(claim, at: time)
    case .forgetWill(let number): forgetWill(number)
    }
    return .done
  }

  /// Whether the claim is still the newest, and held.
  public func holds(_ claim: SessionClaim, _ owner: SessionOwner) -> Bool {
    guard let session = self[claim.client] else { return false }
    return session.epoch == claim.epoch && session.owner == owner
  }

  // Coming and going -----------------------------------------------------------------------------------

  private mutating func open(_ opening: SessionOpening, at time: WallTime, _ offset: Offset) -> CommandOutcome {
    guard let index = index(of: opening.client) else {
      guard count < SessionTable.maximumCount, bytes < SessionTable.maximumBytes else { return .refused(.overloaded) }
      // Higher than any epoch of a session of this client that is over: who held that one has no claim to this one.
      var session = KeptSession(epoch: offset.value, identity: opening.nonce, nonce: opening.nonce, expiry: opening.expiry)
      session.owner = opening.owner
      session.will = opening.will
      insert(opening.client, session)
      return .session(session.opened, of: opening.client, ended: nil, heldBy: nil)
    }
    var session = byClient[at: index]
    if session.nonce == opening.nonce, session.owner == opening.owner { return .session(session.opened, of: opening.client, ended: nil, heldBy: nil) }
    let holder = session.owner
    let ended = SessionClaim(client: opening.client, epoch: session.epoch)
    // One that ends with its connection ends now.
    let isOver = session.isOver(at: time) || (session.owner != nil && session.expiry == 0)
    let goesOn = !opening.isClean && !isOver
    if let will = session.will, session.isWillDue(asTheClientComes: time, goesOn: goesOn) { makeDue(will, of: opening.client) }
    if !goesOn {
      session = KeptSession(epoch: session.epoch, identity: opening.nonce, nonce: opening.nonce, expiry: opening.expiry)
    }
    session.epoch += 1
    session.nonce = opening.nonce
    session.wasPresent = goesOn
    session.wasExact = session.isExact
    session.isExact = false
    session.number = 0
    session.owner = opening.owner
    session.expiry = opening.expiry
    session.will = opening.will
    session.willDue = nil
    replace(index, session)
    return .session(session.opened, of: opening.client, ended: ended, heldBy: holder)
  }

  private mutating func apply(_ save: SessionSave) -> CommandOutcome {
    guard let index = index(of: save.claim.client), byClient[at: index].epoch == save.claim.epoch, byClient[at: index].owner != nil else {
      return .refused(.sessionLost)
    }
    var session = byClient[at: index]
    take(save, into: &session)
    replace(index, session)
    return .done
  }

  private func take(_ save: SessionSave, into session: inout KeptSession) {
    guard save.number > session.number else { return }
    session.number = save.number
    // A session that ends with its connection has nothing to be found again.
    guard session.expiry > 0 else { return }
    if let subscriptions = save.subscriptions { session.subscriptions = subscriptions }
    if let progress = save.progress { session.progress = progress }
  }

  private mutating func close(_ closing: SessionClosing, at time: WallTime) -> CommandOutcome {
    guard let index = index(of: closing.save.claim.client), byClient[at: index].epoch == closing.save.claim.epoch else {
      return .refused(.sessionLost)
    }
    var session = byClient[at: index]
    // It has been closed before: the answer was lost.
    guard session.owner != nil else { return .done }
    take(closing.save, into: &session)
    session.expiry = closing.expiry
    session.isExact = true
    let patience: UInt32
    switch closing.will {
    case .dropped:
      session.will = nil
      patience = 0
    case .due: patience = 0
    case .waits(let seconds): patience = seconds
    }
    leave(index, session, patience: patience, at: time)
    return .done
  }

  private mutating func lose(_ owner: SessionOwner, at time: WallTime) {
    guard owners[owner] != nil else { return }
    // From the end, since whoever is removed is replaced by the last one.
    for index in (0..<byClient.count).reversed() where byClient[at: index].owner == owner {
      leave(index, byClient[at: index], patience: 0, at: time)
    }
  }

  /// Nobody holds the session any more; its will is due in its time, but not before `patience` seconds.
  private mutating func leave(_ index: Int, _ left: KeptSession, patience: UInt32, at time: WallTime) {
    var session = left
    session.owner = nil
    session.left = time
    session.willDue = session.will.map { time.adding(seconds: max(min($0.delay, session.expiry), patience)) }
    replace(index, session)
    settle(index, at: time)
  }

  // What time brings -----------------------------------------------------------------------------------

  private mutating func settle(_ claim: SessionClaim, at time: WallTime) {
    guard let index = index(of: claim.client), byClient[at: index].epoch == claim.epoch else { return }
    settle(index, at: time)
  }

  /// Makes its will due and forgets it, each if it is time.
  private mutating func settle(_ index: Int, at time: WallTime) {
    guard byClient[at: index].isDue(at: time) else { return }
    var session = byClient[at: index]
    if let will = session.will {
      makeDue(will, of: byClient.withKey(at: index) { Bytes(copying: $0) })
      session.will = nil
      session.willDue = nil
      replace(index, session)
    }
    if session.isOver(at: time) { remove(index) }
  }

  private mutating func makeDue(_ will: SessionWill, of client: Bytes) {
    lastWill += 1
    dueWills.append(DueWill(number: lastWill, record: will.record))
    clientsOfWills[lastWill] = client
    willsOfClients[client, default: 0] += 1
  }

  private mutating func forgetWill(_ number: UInt64) {
    dueWills.removeAll { $0.number == number }
    guard let client = clientsOfWills.removeValue(forKey: number), let count = willsOfClients[client] else { return }
    willsOfClients[client] = count > 1 ? count - 1 : nil
  }

  /// Whether a will of an earlier connection of this client may still be on its way.
  public func owesWill(of client: Bytes) -> Bool { willsOfClients[client] != nil }

  /// What is due at this time, as far as a look at some sessions shows. Looks at none while nothing is.
  public mutating func due(at time: WallTime, looking limit: Int, atMost most: Int) -> [SessionClaim] {
    guard time >= nothingDueBefore else { return [] }
    var claims: [SessionClaim] = []
    let end = min(sweep.at + limit, byClient.count)
    while sweep.at < end, claims.count < most {
      if let due = byClient[at: sweep.at].due {
        sweep.earliest = min(sweep.earliest, due)
        if time >= due {
          let client = byClient.withKey(at: sweep.at) { Bytes(copying: $0) }
          claims.append(SessionClaim(client: client, epoch: byClient[at: sweep.at].epoch))
        }
      }
      sweep.at += 1
    }
    guard sweep.at >= byClient.count else { return claims }
    nothingDueBefore = sweep.earliest
    sweep = Sweep()
    return claims
  }

  private mutating func note(_ session: KeptSession) {
    guard let due = session.due else { return }
    nothingDueBefore = min(nothingDueBefore, due)
    // One that the sweep has passed already.
    sweep.earliest = min(sweep.earliest, due)
  }

  // The table ------------------------------------------------------------------------------------------

  private func index(of client: Bytes) -> Int? { client.withUnsafeBytes { byClient.index(of: $0) } }

  private mutating func insert(_ client: Bytes, _ session: KeptSession) {
    client.withUnsafeBytes { _ = byClient.insert($0, default: session) }
    bytes += session.size + client.count
    note(session)
    if let owner = session.owner { owners[owner, default: 0] += 1 }
  }

  private mutating func replace(_ index: Int, _ session: KeptSession) {
    let before = byClient[at: index]
    bytes += session.size - before.size
    if before.owner != session.owner {
      if let owner = before.owner { release(owner) }
      if let owner = session.owner { owners[owner, default: 0] += 1 }
    }
    byClient[at: index] = session
    note(session)
  }

  private mutating func remove(_ index: Int) {
    let session = byClient[at: index]
    let client = byClient.withKey(at: index) { Bytes(copying: $0) }
    bytes -= session.size + client.count
    if let owner = session.owner { release(owner) }
    client.withUnsafeBytes { _ = byClient.remove($0) }
    // The last one is here now, where a sweep may have passed.
    if index < byClient.count { note(byClient[at: index]) }
  }

  private mutating func release(_ owner: SessionOwner) {
    guard let count = owners[owner] else { return }
    owners[owner] = count > 1 ? count - 1 : nil
  }

  // For snapshots --------------------------------------------------------------------------------------

  func session(at index: Int) -> (client: Bytes, session: KeptSession) {
    (byClient.withKey(at: index) { Bytes(copying: $0) }, byClient[at: index])
  }

  mutating func restore(_ client: Bytes, _ session: KeptSession) -> Bool {
    guard index(of: client) == nil else { return false }
    insert(client, session)
    return true
  }

  mutating func restore(wills: [DueWill], newest: UInt64) {
    dueWills = wills
    clientsOfWills.removeAll()
    willsOfClients.removeAll()
    lastWill = newest
  }
}
