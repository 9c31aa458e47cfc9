public import Core

/// What a feed that broke is about to read, until it stands where the shard pushes from now.
struct CatchingUp {
  /// Everything up to here has to be read.
  var target: Offset
  /// The read under way.
  var asked: Ticket?
  /// Filters that are live once it is done, and what the shard pushes for each from.
  var pending: [(filter: Filter, liveFrom: Offset)] = []
  /// Pushed meanwhile.
  var held: [FeedPush] = []
  var heldBytes = 0

  /// More is not held; it is read instead.
  static let mostHeldBytes = 1 << 20
  /// With more filters everything is read, and what nobody wants is passed over.
  static let mostFilters = 256
  /// Tickets of these reads, apart from those of readers.
  static let tickets: UInt64 = 1 << 42
}

/// A feed that broke has lost nothing: whoever followed it gets what was kept meanwhile, read once for all of them.
///
/// ```
///  reopen ─▶ change ─▶ live(reply): upTo ··········▶ liveFrom ── pushes ──▶
///                                    └─ read, as if pushed ─┘      held meanwhile
/// ```
extension FeedClient {
  /// Whether everything up to `upTo` that the filter wants was pushed, from some point on.
  public func follows(_ filter: Filter) -> Bool { wants[filter].map { $0.liveFrom != nil || $0.resumesFrom != nil } ?? false }

  /// Whether filters were live when the feed broke, so that it must go on from where it was.
  func resumes(at liveFrom: Offset) -> Bool {
    liveFrom >= upTo && wants.values.contains { $0.resumesFrom != nil }
  }

  mutating func awaitCatchingUp(_ filters: [Filter], liveFrom: Offset) {
    var catching = catching ?? CatchingUp(target: liveFrom)
    catching.target = max(catching.target, liveFrom)
    for filter in filters where wants[filter] != nil { catching.pending.append((filter, liveFrom)) }
    self.catching = catching
  }

  /// Whether a push may be delivered now. One that may not is kept, or read later.
  public mutating func admits(_ push: FeedPush) -> Bool {
    // While nothing is live it is of an opening that is over: what it brings is read.
    guard catching != nil else { return liveCount > 0 }
    catching!.held.append(push)
    for piece in push.pieces { catching!.heldBytes += piece.count }
    if catching!.heldBytes > CatchingUp.mostHeldBytes {
      for each in catching!.held { catching!.target = max(catching!.target, each.upTo) }
      catching!.held.removeAll()
      catching!.heldBytes = 0
    }
    return false
  }

  public var wantsCatchUp: Bool { catching.map { $0.asked == nil && upTo < $0.target } ?? false }

  /// The next read to ask of the shard, if one is due.
  public mutating func catchUp(for edge: EdgeID, maximumBytes: Int) -> ReadRequest? {
    guard wantsCatchUp else { return nil }
    var filters = wants.filter { $0.value.resumesFrom != nil }.map(\.key).sorted { $0.description < $1.description }
    if filters.count > CatchingUp.mostFilters || filters.isEmpty { filters = [FeedClient.everything] }
    let ticket = Ticket(CatchingUp.tickets + nextTicket)
    nextTicket += 1
    catching?.asked = ticket
    return ReadRequest(edge: edge, ticket: ticket, filters: filters, start: .after(upTo), maximumBytes: maximumBytes)
  }

  private static let everything = try! Filter("#")

  public enum CatchUpStep: Sendable {
    /// The read was another's.
    case notAsked
    /// It failed: asked again with the next turn.
    case failed
    /// To be delivered as a push.
    case page(FeedPush)
    /// Part of it is gone: whoever followed reads on from where they are, and is told.
    case gone
  }

  /// An answer to such a read.
  public mutating func takes(_ reply: ReadReply) -> CatchUpStep {
    guard let asked = catching?.asked, asked == reply.ticket else {
      return reply.ticket.value >= CatchingUp.tickets && reply.ticket.value < CatchingUp.tickets << 1 ? .failed : .notAsked
    }
    catching?.asked = nil
    switch reply.result {
    case .failure: return .failed
    case .success(let page):
      return page.gap == nil ? .page(FeedPush(shard: shard, pieces: page.pieces, upTo: page.upTo)) : .gone
    }
  }

  /// Gives up what was missed: the feed begins anew where the shard pushes from.
  public mutating func forgoCatchUp() {
    guard let catching else { return }
    cache.restart(at: catching.target)
    upTo = catching.target
    for filter in wants.keys { wants[filter]!.resumesFrom = nil }
  }

  /// What was pushed meanwhile, once everything before it was delivered; nil while it was not. The filters are live then.
  public mutating func caughtUp() -> [FeedPush]? {
    guard let done = catching, asked.isEmpty, upTo >= done.target else { return nil }
    catching = nil
    for (filter, liveFrom) in done.pending where wants[filter] != nil && wants[filter]!.liveFrom == nil {
      // What was read was read for the others.
      wants[filter]!.liveFrom = wants[filter]!.resumesFrom ?? max(liveFrom, upTo)
      wants[filter]!.resumesFrom = nil
      liveCount += 1
    }
    return done.held.compactMap { push in
      guard push.upTo > upTo else { return nil }
      return FeedPush(shard: shard, pieces: push.pieces.compactMap { $0.records(after: upTo) }, upTo: push.upTo)
    }
  }
}

extension Bytes {
  /// The records of a piece after an offset; nil if there are none.
  fileprivate func records(after offset: Offset) -> Bytes? {
    var start = 0
    withUnsafeBytes { memory in
      for record in RecordSequence(trusting: memory) {
        if record.offset > offset { break }
        start += record.length
      }
    }
    return start < count ? slice(start..<count) : nil
  }
}
