import Core
import Feeds

/// What a shard keeps of sessions, as an edge sees it.
struct ModelSessions {
  struct Kept {
    var epoch: UInt64 = 0
    var identity: UInt64 = 0
    var owner: SessionOwner?
    var subscriptions = Bytes()
    var progress = Bytes()
    var isExact = false
  }

  private(set) var byClient: [Bytes: Kept] = [:]
  /// Every change that was asked for.
  private(set) var changes: [SessionChange] = []
  /// Answers everything, when it is set.
  var refusal: Refusal?

  mutating func answer(_ operation: SessionRequest.Operation) -> Result<SessionReply.Answer, Refusal> {
    if let refusal { return .failure(refusal) }
    switch operation {
    case .alive: return .success(.alive(term: 1))
    case .claim: return .success(.lost([]))
    case .change(let change):
      changes.append(change)
      switch change {
      case .open(let opening): return .success(.opened(open(opening)))
      case .save(let save): return take(save) ? .success(.done) : .failure(.sessionLost)
      case .close(let closing):
        guard take(closing.save) else { return .failure(.sessionLost) }
        let client = closing.save.claim.client
        byClient[client]?.owner = nil
        byClient[client]?.isExact = true
        if closing.expiry == 0 { byClient[client] = nil }
        return .success(.done)
      case .lose, .settle, .forgetWill: return .success(.done)
      }
    }
  }

  private mutating func open(_ opening: SessionOpening) -> SessionOpened {
    let before = opening.isClean ? nil : byClient[opening.client]
    var kept = before ?? Kept(epoch: byClient[opening.client]?.epoch ?? 0, identity: opening.nonce)
    kept.epoch += 1
    kept.owner = opening.owner
    byClient[opening.client] = kept
    return SessionOpened(
      epoch: kept.epoch, identity: kept.identity,
      kept: before.map { SessionKept(subscriptions: $0.subscriptions, progress: $0.progress, isExact: $0.isExact) })
  }

  private mutating func take(_ save: SessionSave) -> Bool {
    guard let kept = byClient[save.claim.client], kept.epoch == save.claim.epoch, kept.owner != nil else { return false }
    if let subscriptions = save.subscriptions { byClient[save.claim.client]?.subscriptions = subscriptions }
    if let progress = save.progress { byClient[save.claim.client]?.progress = progress }
    return true
  }
}
