public import Core

/// An edge's end of one shard's feed: which filters are held for its readers, since when each is live, how far
/// the feed has come, and what it pushed lately.
///
/// ```
///   hold(filter) ──▶ change() ──▶ shard ──▶ live(reply) ──▶ liveFrom(filter)
///                                    └────▶ take(push)  ──▶ upTo, cache
/// ```
///
/// One that broke goes on from `upTo`: what the shard kept meanwhile is read (`FeedClient+CatchingUp`) before anything newer
/// is taken.
///
/// Invariant: everything after `liveFrom(filter)` and up to `upTo` that the filter wants was pushed, and all of
/// it after `cache.floor` is still here.
public struct FeedClient {
  struct Want {
    var holders: Int
    var liveFrom: Offset?
    /// What `liveFrom` was when the feed broke: everything after it and up to `upTo` was pushed.
    var resumesFrom: Offset?
  }

  public let shard: ShardID
  public internal(set) var upTo: Offset = .zero
  public internal(set) var cache: RecentCache

  var wants: [Filter: Want] = [:]
  var liveCount = 0
  private var additions: [Filter] = []
  /// Let go and not told to the shard yet: until then they are live as before.
  private var removals: [(filter: Filter, liveFrom: Offset?)] = []
  var asked: [(ticket: Ticket, filters: [Filter])] = []
  var nextTicket: UInt64 = 1
  var catching: CatchingUp?
  /// The next change is the first to whoever serves the shard now.
  private var restarts = false

  public init(shard: ShardID, cacheBytes: Int = RecentCache.defaultMaximumBytes) {
    self.shard = shard
    cache = RecentCache(maximumBytes: cacheBytes)
  }

  /// Whether there is something for `change` to say.
  public var hasChange: Bool { !additions.isEmpty || !removals.isEmpty }

  public var heldFilters: Int { wants.count }

  /// One more reader wants `filter`. Filters held already cost nothing.
  public mutating func hold(_ filter: Filter) {
    if wants[filter] != nil {
      wants[filter]!.holders += 1
      return
    }
    if let index = removals.firstIndex(where: { $0.filter == filter }) {
      // The shard never heard of the release: telling it to add what it has would leave it there for ever.
      let liveFrom = removals.remove(at: index).liveFrom
      wants[filter] = Want(holders: 1, liveFrom: liveFrom)
      if liveFrom != nil { liveCount += 1 }
      return
    }
    wants[filter] = Want(holders: 1, liveFrom: nil)
    additions.append(filter)
  }

  /// One reader less. The last one's filter is taken out of the feed.
  public mutating func release(_ filter: Filter) {
    guard var want = wants[filter] else { preconditionFailure("released a filter that nobody holds") }
    want.holders -= 1
    if want.holders > 0 {
      wants[filter] = want
      return
    }
    wants[filter] = nil
    // Few are left of many: what they were is not held for ever.
    if wants.capacity > FeedClient.smallCapacity, wants.count * 8 < wants.capacity { wants = wants.filter { _ in true } }
    if want.liveFrom != nil { liveCount -= 1 }
    if let index = additions.firstIndex(of: filter) {
      additions.remove(at: index)
    } else {
      removals.append((filter, want.liveFrom))
    }
  }

  /// Up to so many filters memory is not given back.
  private static let smallCapacity = 1024

  /// One change names no more filters than this; what is left over is the next change.
  public static let filtersPerChange = 1000

  /// The next change to send to the shard, if any; it is answered with the same ticket.
  public mutating func change(for edge: EdgeID) -> InterestChange? {
    guard hasChange else { return nil }
    let leaving = removals.prefix(FeedClient.filtersPerChange)
    let coming = Array(additions.prefix(FeedClient.filtersPerChange - leaving.count))
    let change = InterestChange(
      edge: edge, ticket: Ticket(nextTicket), add: coming, remove: leaving.map(\.filter), restarts: restarts, seen: upTo)
    restarts = false
    if !coming.isEmpty { asked.append((change.ticket, coming)) }
    nextTicket += 1
    additions.removeFirst(coming.count)
    removals.removeFirst(leaving.count)
    return change
  }

  /// The shard's answer to a change. True if filters became live by it.
  public mutating func live(_ reply: InterestReply) -> Bool {
    guard let index = asked.firstIndex(where: { $0.ticket == reply.ticket }) else { return false }
    let filters = asked.remove(at: index).filters
    if catching != nil || resumes(at: reply.liveFrom) {
      awaitCatchingUp(filters, liveFrom: reply.liveFrom)
      return false
    }
    // Nothing was live, so nothing was pushed up to here: what the cache holds has an end.
    if liveCount == 0 {
      cache.restart(at: reply.liveFrom)
      // Lower than before only when the shard has lost its past.
      upTo = reply.liveFrom
      for filter in wants.keys { wants[filter]!.resumesFrom = nil }
    }
    for filter in filters where wants[filter] != nil && wants[filter]!.liveFrom == nil {
      // A filter let go and held again meanwhile has a later question of its own, under way or still to be put.
      if additions.contains(filter) || asked.contains(where: { $0.filters.contains(filter) }) { continue }
      wants[filter]!.liveFrom = reply.liveFrom
      liveCount += 1
    }
    if upTo < reply.liveFrom { upTo = reply.liveFrom }
    return true
  }

  public func liveFrom(_ filter: Filter) -> Offset? { wants[filter]?.liveFrom }

  /// Moves on to a record that is being delivered now.
  public mutating func advance(to offset: Offset) {
    if upTo < offset { upTo = offset }
  }

  /// Keeps a push for readers that come back, and moves on to its end.
  public mutating func take(_ push: FeedPush) {
    cache.append(push.pieces, upTo: push.upTo)
    if upTo < push.upTo { upTo = push.upTo }
  }

  /// From which offset on everything that `filters` want is in the cache; nil while one of them is not live.
  public func coverage(of filters: [Filter]) -> Offset? {
    var lowest = cache.floor
    for filter in filters {
      guard let live = wants[filter]?.liveFrom else { return nil }
      if lowest < live { lowest = live }
    }
    return lowest
  }

  /// The feed broke (its broker or link went away): everything held is asked for anew.
  public mutating func reopen() {
    asked.removeAll()
    removals.removeAll()
    restarts = true
    liveCount = 0
    catching = nil
    let held = wants.keys.sorted { $0.description < $1.description }
    for filter in held {
      if let live = wants[filter]!.liveFrom { wants[filter]!.resumesFrom = live }
      wants[filter]!.liveFrom = nil
    }
    additions = held
  }
}
