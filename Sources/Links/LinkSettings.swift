public import Core
internal import Reactor
internal import Wire

/// How links behave: times, and how much may wait.
public struct LinkSettings: Sendable {
  /// The longest message; the same on every node of a cluster.
  public var frameLimit = WireLimits.frame

  /// How long a connection may take to come about.
  public var connectTimeout = TimeSpan.seconds(3)
  /// How long the other side may take to prove itself and say who it is.
  public var handshakeTimeout = TimeSpan.seconds(5)
  /// How long a last word may take to be heard.
  public var farewellTimeout = TimeSpan.seconds(1)
  /// How long a question of the gossip and its answer may take on a stream.
  public var gossipTimeout = TimeSpan.seconds(10)
  /// How often the side that dialled asks whether the other is there.
  public var pingPeriod = TimeSpan.seconds(1)
  /// A link on which nothing was heard for so long is dead.
  public var silenceLimit = TimeSpan.seconds(3)

  /// The first wait before dialling again is at most this; it doubles with every failure.
  public var shortestBackoff = TimeSpan.milliseconds(50)
  /// No wait is longer; what will not pass by itself waits so long at once.
  public var longestBackoff = TimeSpan.seconds(5)
  /// A link that lived so long was a good one: after it, waits begin short again.
  public var steadyAfter = TimeSpan.seconds(5)

  /// What may wait in each lane of a connection before no more is taken; the message that reaches it is still taken.
  public var urgentBytes = 4 << 20
  public var liveBytes = 64 << 20
  public var bulkBytes = 16 << 20

  /// Connections that have not said who they are. One more, and the oldest of them goes.
  public var strangers = 128
  /// Streams of the gossip that are answered at once; others are refused.
  public var gossipAnswers = 16
  /// One kind of trouble with one peer is told at most this often.
  public var factPeriod = TimeSpan.seconds(60)

  public init() {}

  func bound(of lane: WireLane) -> Int {
    switch lane {
    case .urgent: urgentBytes
    case .live: liveBytes
    case .bulk: bulkBytes
    }
  }
}

/// What is the same for every link.
enum LinkBounds {
  /// The most of one lane that is sealed together: what is urgent waits for no more than this and what was sealed already.
  static let frameBytes = 64 << 10
  /// Sealed and not yet given to the kernel, per connection.
  static let sendAhead = 256 << 10
  /// Given to the kernel and not yet sent, above which it takes no more (`TCP_NOTSENT_LOWAT`).
  static let unsentInKernel = 128 << 10
  /// While the other lanes are full, every so many frames one of the bulk lane goes: it is slow, not starved.
  static let bulkShare = 16
  /// Pieces that what waits is kept in.
  static let segmentBytes = 256 << 10
  /// Received with one call.
  static let readBytes = 256 << 10
  /// The same, from a stranger.
  static let strangerBytes = 1024
  /// Calls for one connection in one turn.
  static let readsPerTurn = 4
  /// Sent for one connection in one turn.
  static let writeBytesPerTurn = 4 << 20
  /// The longest first message: a question of the gossip.
  static let firstMessage = WireLimits.gossip + 1024
  /// Kinds of trouble with peers that are remembered as told.
  static let rememberedFacts = 1024
  /// Datagrams taken in one turn.
  static let packetsPerTurn = 256

  static var options: SocketOptions {
    var options = SocketOptions()
    options.unsentLowWater = unsentInKernel
    return options
  }
}
