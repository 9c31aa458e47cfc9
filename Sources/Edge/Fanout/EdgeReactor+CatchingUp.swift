internal import Core
internal import Feeds
internal import Reactor

/// A feed that broke and is open again: everyone who followed goes on as if nothing had been.
extension EdgeReactor {
  func deliver(_ push: FeedPush) {
    fanout.deliver(push, now: now, wallTime: loop.wallTime)
    pumpReadersWaiting(on: push.shard)
  }

  /// Takes a read that was made for the feed. False if it was somebody else's.
  func goesOnCatchingUp(_ reply: ReadReply) -> Bool {
    let index = reply.shard.index
    switch fanout.feeds[index].takes(reply) {
    case .notAsked: return false
    case .failed: return true
    case .page(let push):
      counters.reads += 1
      fanout.deliver(push, now: now, wallTime: loop.wallTime)
    case .gone:
      // Each at its own place: that is where its gap begins.
      for case let audience? in fanout.audiences where audience.places[index] >= 0 { releaseEveryone(of: audience) }
      fanout.feeds[index].forgoCatchUp()
    }
    endCatchingUp(reply.shard)
    return true
  }

  func endCatchingUp(_ shard: ShardID) {
    guard let pushes = fanout.feeds[shard.index].caughtUp() else { return }
    for push in pushes { fanout.deliver(push, now: now, wallTime: loop.wallTime) }
    pumpReadersWaiting(on: shard)
  }

  private func releaseEveryone(of audience: Audience) {
    unpark(audience)
    for key in audience.members.map(\.connection) { if let connection = connections[key] { fallBehind(connection) } }
    for key in audience.waiters.map(\.connection) {
      if let connection = connections[key], case .http(let session) = connection.role { waitIsOver(connection, session) }
    }
  }
}
