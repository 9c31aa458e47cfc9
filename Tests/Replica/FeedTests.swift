import Core
import Feeds
import Journal
import Testing

@testable import Replica

@Suite struct FeedTests {
  @Test("A feed is pushed what its filters match once, in slices, and told how far the shard has come")
  func pushes() throws {
    let harness = try Harness()
    #expect(try harness.interest(add: ["a/#", "a/1"]).liveFrom == .zero)
    #expect(try harness.interest(add: ["none"], edge: 2).liveFrom == .zero)
    harness.publish([Draft("a/1", "1"), Draft("a/2", "2"), Draft("b", "3"), Draft("a/1", "4")])
    harness.turnEnds()
    #expect(harness.takePushes().isEmpty)
    harness.settle()
    let push = try #require(harness.takePushes().first)
    #expect(push.pieces.count == 2)
    #expect(push.upTo == Offset(4))
    #expect(Seen.all(push.pieces).map(\.payload) == ["1", "2", "4"])
    #expect(harness.takePushes(edge: 2).isEmpty)
    harness.tick()
    #expect(harness.takePushes().isEmpty)
    let progress = harness.takePushes(edge: 2)
    #expect(progress.map(\.upTo) == [Offset(4)])
    #expect(progress.allSatisfy { $0.pieces.isEmpty })
    harness.tick()
    #expect(harness.takePushes(edge: 2).isEmpty)
  }

  @Test("A batch that matches as a whole is pushed as it is, without a copy")
  func whole() throws {
    let harness = try Harness()
    _ = try harness.interest(add: ["#"])
    harness.publish([Draft("a"), Draft("b"), Draft("c")])
    harness.settle()
    let push = try #require(harness.takePushes().first)
    #expect(push.pieces.count == 1)
    let page = try harness.page(.after(.zero), ["#"])
    #expect(page.pieces.first?.readPointer == push.pieces.first?.readPointer)
  }

  @Test("A filter taken away is pushed no more; a feed without filters is gone")
  func removal() throws {
    let harness = try Harness()
    _ = try harness.interest(add: ["a", "b"])
    harness.publish([Draft("a")])
    harness.settle()
    #expect(harness.takePushes().count == 1)
    #expect(try harness.interest(add: [], remove: ["a"]).liveFrom == Offset(1))
    harness.publish([Draft("a"), Draft("b")])
    harness.settle()
    #expect(harness.takePushes().flatMap { Seen.all($0.pieces) }.map(\.topic) == ["b"])
    _ = try harness.interest(add: [], remove: ["b"])
    #expect(harness.replica.status.feeds == 0)
    harness.publish([Draft("b")])
    harness.settle()
    harness.tick()
    #expect(harness.takePushes().isEmpty)
    #expect(try harness.interest(add: ["b"], edge: 9).liveFrom == Offset(4))
    #expect(harness.replica.status.feeds == 1)
  }

  /// A reader as an edge makes one: it asks for the feed, then reads up to where the feed is live.
  private final class Reader {
    let edge: UInt32
    let filter: String
    let start: UInt64
    var cursor: UInt64
    var liveFrom: UInt64
    var asked: Ticket?
    var seen: [Seen] = []
    /// Pushes that came before the reading was done.
    var held: [FeedPush] = []
    var isLive = false

    init(edge: UInt32, filter: String, cursor: UInt64, liveFrom: UInt64) {
      self.edge = edge
      self.filter = filter
      start = cursor
      self.cursor = cursor
      self.liveFrom = liveFrom
    }

    func take(_ push: FeedPush) {
      if !isLive { return held.append(push) }
      seen += Seen.all(push.pieces).filter { $0.offset > cursor }
      cursor = max(cursor, push.upTo.value)
    }
  }

  @Test(
    "Readers that join at random places of a random run see every committed match exactly once, in order, and nothing else",
    arguments: [101, 102, 103, 104, 105, 106, 107, 108] as [UInt64])
  func gapless(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let harness = try Harness {
      $0.recentTailBytes = 2000
      $0.readChunkBytes = 700
      $0.examinedBytesPerRead = 3000
      $0.snapshotEveryEntries = 100
      $0.snapshotBytesPerTick = 500
    }
    let filters = ["#", "t/1", "t/+", "t/2", "u/#", "t/1/x"]
    let topics = ["t/1", "t/2", "t/1/x", "u", "u/v", "w"]
    var readers: [Reader] = []
    var accepted: [UInt64: Seen] = [:]
    var published: [Ticket: (String, String)] = [:]
    var nextEdge: UInt32 = 10

    func collect() {
      for addressed in harness.replies {
        switch addressed.reply {
        case .feedEnded(_, let refusal): Issue.record("the feed ended: \(refusal)")
        case .published(_, let results):
          for result in results {
            guard case .accepted(let offset, _) = result.outcome, let (topic, payload) = published[result.ticket] else { continue }
            #expect(accepted[offset.value] == nil)
            accepted[offset.value] = Seen(offset: offset.value, topic: topic, payload: payload)
          }
        case .push(let push):
          #expect(push.upTo <= harness.replica.committed)
          for reader in readers where reader.edge == addressed.edge.value { reader.take(push) }
        case .read(let read):
          guard let reader = readers.first(where: { $0.asked == read.ticket }), case .success(let page) = read.result else {
            Issue.record("a read went wrong, seed \(seed)")
            continue
          }
          reader.asked = nil
          #expect(page.upTo <= harness.replica.committed)
          #expect(page.upTo.value > reader.cursor || page.upTo == page.committed)
          reader.seen += Seen.all(page.pieces).filter { $0.offset > reader.cursor }
          reader.cursor = max(reader.cursor, page.upTo.value)
        case .history, .interest, .consumer, .presence, .presencePush, .session, .sessionNotice, .group: break
        }
      }
      harness.replies = []
    }

    for step in 0..<600 {
      switch random.below(10) {
      case 0, 1, 2:
        let drafts = (0...random.below(4)).map { Draft(topics[random.below(topics.count)], "\(step).\($0)", key: random.below(5) == 0 ? "k\(random.below(40))" : "") }
        for (ticket, draft) in zip(harness.publish(drafts, edge: 1), drafts) { published[ticket] = (draft.topic, draft.payload) }
      case 3:
        harness.turnEnds()
      case 4, 5:
        if !harness.batches.isEmpty { harness.write() }
      case 6:
        if !harness.reads.isEmpty { harness.read(random.below(harness.reads.count)) }
      case 7:
        harness.tick(after: 60)
      default:
        if readers.count < 12, random.below(2) == 0 {
          let filter = filters[random.below(filters.count)]
          collect()
          let live = try harness.interest(add: [filter], edge: nextEdge)
          #expect(live.liveFrom == harness.replica.committed)
          let start = UInt64(random.below(Int(live.liveFrom.value) + 1))
          readers.append(Reader(edge: nextEdge, filter: filter, cursor: start, liveFrom: live.liveFrom.value))
          nextEdge += 1
        }
        for reader in readers where !reader.isLive && reader.asked == nil {
          if reader.cursor >= reader.liveFrom {
            reader.isLive = true
            let held = reader.held
            reader.held = []
            for push in held { reader.take(push) }
          } else {
            reader.asked = try harness.ask(.after(Offset(reader.cursor)), [reader.filter], maximumBytes: 1 + random.below(400), edge: reader.edge)
          }
        }
      }
      collect()
    }
    for _ in 0..<400 {
      harness.settle()
      collect()
      for reader in readers where !reader.isLive && reader.asked == nil {
        if reader.cursor >= reader.liveFrom {
          reader.isLive = true
          for push in reader.held { reader.take(push) }
        } else {
          reader.asked = try harness.ask(.after(Offset(reader.cursor)), [reader.filter], edge: reader.edge)
        }
      }
      if readers.allSatisfy(\.isLive) { break }
    }
    harness.tick()
    collect()
    #expect(accepted.count > 200, "seed \(seed)")
    for reader in readers {
      let filter = try Filter(reader.filter)
      let expected = accepted.values.filter { seen in Bytes(seen.topic).withUnsafeBytes { filter.matches($0) } }
        .sorted { $0.offset < $1.offset }
      #expect(reader.isLive)
      #expect(reader.cursor == harness.replica.committed.value)
      #expect(reader.seen == expected.filter { $0.offset > reader.start }, "seed \(seed), filter \(reader.filter)")
      #expect(reader.seen.map(\.offset) == reader.seen.map(\.offset).sorted())
    }
  }
}
