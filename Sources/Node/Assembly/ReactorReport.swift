internal import Core
internal import Edge
internal import Feeds
internal import Gossip
internal import Links
internal import Reactor
internal import Replica

/// How one reactor is, at the moment it was asked.
struct ReactorReport: Sendable {
  var index: Int
  var edge: EdgeReport
  var shards: [ReplicaStatus]
  var loop: ReactorCounters
  var rates: Rates
  /// From commit until written to followers, in the last half minute, by `Transport`.
  var latencies: [LatencyHistogram]
  /// Where there are brokers to choose from.
  var routing: RouterCounters?
  /// Of the reactor that has the cluster's port.
  var cluster: ClusterReport?
}

/// What goes through the cluster's port.
struct ClusterReport: Sendable {
  var links: LinkCounters
  var linked: Int
  var queuedBytes: Int
  var gossip: GossipCounters
  var packets: GossipPort.Counters
  var membersAlive: Int
  var remoteEdges: Int
}

struct Rates: Sendable {
  var published = 0.0
  var delivered = 0.0
}

/// A page that one reactor puts together from the reports of all.
struct ReportRequest: Sendable {
  enum Kind: Sendable {
    case status, metrics
    /// The status for those who follow it.
    case news
    /// What this node tells the others.
    case own
    /// What MQTT clients hear of the node.
    case system
  }

  var number: UInt64
  var kind: Kind
  var page: PageTicket
  var reactor: Int
}

/// Pages under way on one reactor: asked of all reactors, complete when all have answered.
struct PageDesk {
  struct Open {
    var kind: ReportRequest.Kind
    var reports: [ReactorReport]
  }

  private var open: [UInt64: Open] = [:]
  private var nextNumber: UInt64 = 1

  mutating func open(_ kind: ReportRequest.Kind, _ page: PageTicket, from reactor: Int) -> ReportRequest {
    let request = ReportRequest(number: nextNumber, kind: kind, page: page, reactor: reactor)
    nextNumber += 1
    open[request.number] = Open(kind: kind, reports: [])
    return request
  }

  /// The page, once its last report is there.
  mutating func take(_ report: ReactorReport, _ request: ReportRequest, of reactors: Int) -> Open? {
    guard var page = open[request.number] else { return nil }
    page.reports.append(report)
    if page.reports.count < reactors {
      open[request.number] = page
      return nil
    }
    open[request.number] = nil
    page.reports.sort { $0.index < $1.index }
    return page
  }
}

/// Messages a second, smoothed over a few seconds.
struct RateMeter {
  /// How much of a new second counts.
  private static let weight = 0.5
  private var published = 0
  private var delivered = 0
  private(set) var rates = Rates()

  mutating func sample(published: Int, delivered: Int, over span: TimeSpan) {
    let seconds = Double(span.nanoseconds) / 1e9
    let now = Rates(published: Double(published - self.published) / seconds, delivered: Double(delivered - self.delivered) / seconds)
    rates.published = blend(rates.published, now.published)
    rates.delivered = blend(rates.delivered, now.delivered)
    self.published = published
    self.delivered = delivered
  }

  private func blend(_ old: Double, _ new: Double) -> Double {
    let blended = old + (new - old) * Self.weight
    return blended < 0.05 ? 0 : blended
  }
}
