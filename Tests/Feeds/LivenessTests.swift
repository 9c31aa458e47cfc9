import Core
import Feeds
import Testing

@Suite("A feed's liveness")
struct LivenessTests {
  private func filter(_ text: String) throws -> Filter { try Filter(text) }

  /// What the feed asks of its shard now.
  private func asked(_ feed: inout FeedClient) throws -> InterestChange {
    let change = feed.change(for: EdgeID(0))
    return try #require(change)
  }

  @Test("A filter is live from the offset that the shard answered, and not before it answered")
  func liveFromTheAnswer() throws {
    var feed = FeedClient(shard: ShardID(3))
    let a = try filter("a")
    feed.hold(a)
    let change = try asked(&feed)
    #expect(change.add == [a])
    #expect(feed.liveFrom(a) == nil)
    #expect(feed.coverage(of: [a]) == nil)
    let isNews = feed.live(InterestReply(shard: ShardID(3), ticket: change.ticket, liveFrom: Offset(7)))
    #expect(isNews)
    #expect(feed.liveFrom(a) == Offset(7))
    #expect(feed.upTo == Offset(7))
    #expect(feed.coverage(of: [a]) == Offset(7))
  }

  @Test("A filter held by two is let go with the second")
  func heldTwice() throws {
    var feed = FeedClient(shard: ShardID(0))
    let a = try filter("a")
    feed.hold(a)
    _ = feed.change(for: EdgeID(0))
    feed.hold(a)
    #expect(!feed.hasChange)
    feed.release(a)
    #expect(!feed.hasChange)
    feed.release(a)
    let change = try asked(&feed)
    #expect(change.remove == [a])
  }

  @Test("After a time with nothing live the cache vouches for nothing older than the new beginning")
  func restarts() throws {
    var feed = FeedClient(shard: ShardID(0))
    let a = try filter("a")
    feed.hold(a)
    var change = try asked(&feed)
    _ = feed.live(InterestReply(shard: ShardID(0), ticket: change.ticket, liveFrom: Offset(1)))
    feed.release(a)
    _ = feed.change(for: EdgeID(0))
    feed.hold(a)
    change = try asked(&feed)
    _ = feed.live(InterestReply(shard: ShardID(0), ticket: change.ticket, liveFrom: Offset(50)))
    #expect(feed.coverage(of: [a]) == Offset(50))
    #expect(feed.upTo == Offset(50))
  }
}
