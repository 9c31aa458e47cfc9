internal import Core
internal import Feeds

/// What a client asked to read: filters, and where to begin.
struct ReadWish {
  var filters: [Filter]
  var start: Start

  enum Start: Equatable {
    case latest
    case earliest
    case time(WallTime)
    case last(Int)
    /// Current values first, then everything later.
    case current
    case cursor(Cursor)
  }
}

/// A reader that is not (or not yet) kept up with by its audience: it has a cursor and reads at its own pace.
///
/// It reads from recent pushes where they reach back far enough, else from the shards, so much at a time as its
/// socket takes; when it stands where the feeds stand it joins its audience, or answers, and is gone.
///
/// A WebSocket that adds a subscription reads the new filters as a second leg, beside the one that goes on.
final class Reader {
  struct Leg {
    var filters: [Filter]
    /// The subscription that asked, for its answer; empty where there is none.
    var subscription: String
    /// Parallel to `places`.
    var places: [Place]
    /// Where delivery of this leg began, by place; what came after is not delivered again by a later leg.
    var began: [Offset]
    var isAnnounced = false
    /// Set when the leg's cursor was another cluster's: told before anything else.
    var foreign: String?
    /// Whether the leg goes on from a cursor of the client's.
    var isResumed = false
    /// A durable consumer whose cursor follows this subscription.
    var consumer: ConsumerBinding?
  }

  struct Place {
    var shard: ShardID
    /// Those of the leg's filters that can match in this shard.
    var filters: [Filter]
    var offset: Offset
    var phase: Phase
    /// Whether the last read reached the end of what was committed.
    var isRead = false
    /// What a read must find out about where the place begins; nil when it is known.
    var start: ReadStart? {
      switch phase {
      case .start(let start): start
      case .awaitsLive: .latest
      case .ready: nil
      }
    }

    /// The page that told where the place begins, until the others know too.
    var held: ReadReply.Page?
  }

  enum Phase: Equatable {
    /// Where to begin is still to be found out by a read.
    case start(ReadStart)
    /// Waits for the audience to be live, and begins there.
    case awaitsLive
    /// Has an offset and reads on from it.
    case ready
  }

  enum Goal {
    /// To keep up with an audience's stream.
    case follow(EventFormat)
    /// One answer: what is there, up to a limit; with `wait`, the first that comes.
    case answer(limit: Int, waits: Bool)
    /// One topic's current value, as it was published.
    case value
    /// Only where the wish begins, as a cursor.
    case locate((EdgeReactor, Connection, Result<Cursor, Refusal>) -> Void)
  }

  let goal: Goal
  var legs: [Leg]
  /// The audience it is on its way to; nil for a poll, which keeps nothing alive.
  var audience: Audience?
  /// The one question under way; a probe only finds out whether there is such a place.
  var question: (sequence: UInt32, lane: Lane, isProbe: Bool)?
  /// A durable consumer whose cursor follows this reader.
  var consumer: ConsumerBinding?
  /// At the end, and written to alone: its audience knows where it stands.
  var isParked = false
  /// It has been parked, and its audience wakes it when something comes.
  var isAtHome = false
  /// Its audience tells it of whatever moves on its shards.
  var isAwaited = false
  /// Whether the stream has told its starting cursor.
  var toldStart = false
  /// Messages may have been skipped because they are no longer there: told once each.
  var limitReached = false

  // For answers.
  var events = ByteBuffer()
  var eventCount = 0
  var gap: Gap?

  init(goal: Goal, legs: [Leg]) {
    self.goal = goal
    self.legs = legs
  }

  var filters: [Filter] { legs.flatMap(\.filters) }

  var format: EventFormat? { if case .follow(let format) = goal { format } else { nil } }

  /// The shards of every leg, each once, in order.
  var shards: [ShardID] {
    if legs.count == 1 { return legs[0].places.map(\.shard) }
    return Set(legs.flatMap { $0.places.map(\.shard) }).sorted()
  }

  /// The reader's cursor over `shards`: where legs share a shard, the least advanced counts, so that nothing is skipped.
  func offsets(of shards: [ShardID]) -> [Offset] {
    if legs.count == 1, legs[0].places.count == shards.count { return legs[0].places.map(\.offset) }
    return shards.map { shard in
      legs.compactMap { leg in leg.places.first { $0.shard == shard }?.offset }.min() ?? .zero
    }
  }

  /// Whether the cursor means something in every place.
  var hasPlaces: Bool { legs.allSatisfy { leg in leg.places.allSatisfy { $0.phase == .ready } } }

  /// Whether no place must still ask where it begins.
  var knowsStarts: Bool {
    legs.allSatisfy { leg in
      leg.places.allSatisfy { place in
        if case .start(let start) = place.phase { start == .earliest } else { true }
      }
    }
  }

}

/// A durable consumer that a reader reads for.
struct ConsumerBinding {
  var name: String
  /// Whether what was written counts as acknowledged.
  var acknowledgesItself: Bool
  var acknowledged: Cursor?

  init(_ parameters: ReadParameters, _ consumer: Consumer) {
    name = consumer.name
    acknowledgesItself = parameters.acknowledgesItself
    acknowledged = consumer.cursor
  }
}
