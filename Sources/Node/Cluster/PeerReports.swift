internal import Core
internal import Placement

/// What the nodes of a cluster tell of themselves for the status, once a second.
struct PeerReports {
  /// Older ones say nothing any more.
  static let freshness = TimeSpan.seconds(5)
  static let most = 1024

  private struct Heard {
    var report: NodeReport
    var at: Instant
    /// How many milliseconds its clock is ahead of this node's; nil where it did not tell.
    var ahead: Int64?
  }

  private var reports: [NodeID: Heard] = [:]

  /// Those that are fresh, by identity.
  func fresh(at now: Instant) -> [NodeReport] {
    reports.values.filter { now - $0.at < PeerReports.freshness }.map(\.report).sorted { $0.node < $1.node }
  }

  /// How many milliseconds the clocks of those that are fresh are ahead of this node's.
  func clocks(at now: Instant) -> [NodeID: Int64] {
    reports.values.reduce(into: [:]) { clocks, heard in
      if now - heard.at < PeerReports.freshness, let ahead = heard.ahead { clocks[heard.report.node] = ahead }
    }
  }

  /// This node's own.
  mutating func take(_ report: NodeReport, at now: Instant) {
    guard reports[report.node] != nil || reports.count < PeerReports.most else { return }
    reports[report.node] = Heard(report: report, at: now)
  }

  /// Reports in a row, each with its age: they are passed on. True if one of them is of other leaders or other troubles
  /// than the one before it.
  @discardableResult
  mutating func take(_ bytes: Bytes, at now: Instant, clock: WallTime) -> Bool {
    var reader = ReportReader(bytes)
    var isNews = false
    while let (report, age) = reader.next() {
      let at = now.before(age)
      if let known = reports[report.node], known.at > at { continue }
      guard reports[report.node] != nil || reports.count < PeerReports.most else { continue }
      isNews = isNews || reports[report.node].map { !report.tellsTheSame(as: $0.report) } ?? true
      let ahead = report.clock.map { $0.milliseconds &+ age.nanoseconds / 1_000_000 &- clock.milliseconds }
      reports[report.node] = Heard(report: report, at: at, ahead: ahead)
    }
    return isNews
  }

  /// All fresh ones, for another node.
  func encoded(at now: Instant) -> Bytes {
    var buffer = ByteBuffer()
    for heard in reports.values.sorted(by: { $0.report.node < $1.report.node }) where now - heard.at < PeerReports.freshness {
      heard.report.encode(age: now - heard.at, into: &buffer)
    }
    return buffer.freeze()
  }
}

extension Instant {
  fileprivate func before(_ span: TimeSpan) -> Instant { Instant(nanoseconds: nanoseconds - span.nanoseconds) }
}

/// One node and what it hosts. The parts that only people read are ready-made JSON.
struct NodeReport: Sendable {
  struct Shard: Sendable {
    var id: ShardID
    var leads: Bool
    var isRefusing: Bool
    /// Its leader misses a replica.
    var isShort = false
    /// Whether this replica leads, or hears from one that does.
    var knowsLeader = false
    var term: UInt64
    var committed: UInt64
    var topics: UInt64
    /// What placement is to know; told by the shard's leader.
    var situation: ShardSituation?
    /// The object of the status page.
    var json: Bytes
  }

  var node: NodeID
  /// The object of the status page.
  var json: Bytes
  var connections: UInt64 = 0
  var published: UInt64 = 0
  var delivered: UInt64 = 0
  /// Tenths of messages a second.
  var publishRate: UInt64 = 0
  var deliverRate: UInt64 = 0
  var why: [String] = []
  var shards: [Shard] = []
  /// Clients that read on at their own pace.
  var behind: UInt64 = 0
  var latencies = LatencyTable()
  /// What its clock said when it told this; older nodes do not tell.
  var clock: WallTime?
  var mqttClients: UInt64 = 0
  /// Current values in the shards that it leads.
  var retained: UInt64 = 0

  /// Whether nothing but numbers changed, which can wait for the next second.
  func tellsTheSame(as other: NodeReport) -> Bool {
    why == other.why && shards.count == other.shards.count
      && zip(shards, other.shards).allSatisfy { $0.id == $1.id && $0.leads == $1.leads && $0.isRefusing == $1.isRefusing && $0.isShort == $1.isShort }
  }

  func encode(age: TimeSpan, into buffer: inout ByteBuffer) {
    let start = buffer.count
    buffer.append(littleEndian: UInt32(0))
    buffer.append(littleEndian: UInt32(clamping: age.nanoseconds / 1_000_000))
    buffer.append(littleEndian: node.value)
    for number in [connections, published, delivered, publishRate, deliverRate] { buffer.append(littleEndian: number) }
    append(json, to: &buffer)
    buffer.append(littleEndian: UInt16(clamping: why.count))
    for text in why.prefix(Int(UInt16.max)) { append(Bytes(text), to: &buffer) }
    buffer.append(littleEndian: UInt16(clamping: shards.count))
    for shard in shards {
      buffer.append(littleEndian: shard.id.value)
      buffer.append(UInt8((shard.leads ? 1 : 0) | (shard.isRefusing ? 2 : 0) | (shard.isShort ? 4 : 0) | (shard.knowsLeader ? 8 : 0)))
      buffer.append(littleEndian: shard.term)
      buffer.append(littleEndian: shard.committed)
      buffer.append(littleEndian: shard.topics)
      append(shard.situation, to: &buffer)
      append(shard.json, to: &buffer)
    }
    buffer.append(littleEndian: behind)
    latencies.encode(into: &buffer)
    if let clock {
      buffer.append(littleEndian: UInt64(bitPattern: clock.milliseconds))
      buffer.append(littleEndian: mqttClients)
      buffer.append(littleEndian: retained)
    }
    buffer.store(littleEndian: UInt32(buffer.count - start), at: start)
  }

  private func append(_ situation: ShardSituation?, to buffer: inout ByteBuffer) {
    guard let situation else { return buffer.append(UInt8(0)) }
    buffer.append(UInt8(situation.isChanging ? 3 : 1))
    buffer.append(littleEndian: situation.load)
    buffer.append(UInt8(clamping: situation.voters.count))
    for voter in situation.voters.prefix(255) { buffer.append(littleEndian: voter.value) }
    buffer.append(UInt8(clamping: situation.learners.count))
    for learner in situation.learners.prefix(255) {
      buffer.append(littleEndian: learner.id.value)
      buffer.append(UInt8(learner.isCaughtUp ? 1 : 0))
    }
  }

  private func append(_ bytes: Bytes, to buffer: inout ByteBuffer) {
    buffer.append(littleEndian: UInt32(bytes.count))
    buffer.append(bytes)
  }
}

/// Reads reports until something is wrong with one; what comes after that is passed over.
struct ReportReader {
  private let bytes: Bytes
  private var place = 0

  init(_ bytes: Bytes) { self.bytes = bytes }

  mutating func next() -> (NodeReport, age: TimeSpan)? {
    let start = place
    guard let length = number(4), length >= 8, start + Int(length) <= bytes.count, let age = number(4), let node = number(8) else { return nil }
    var report = NodeReport(node: NodeID(node), json: Bytes())
    guard let connections = number(8), let published = number(8), let delivered = number(8), let publishRate = number(8),
      let deliverRate = number(8), let json = piece(), let reasons = number(2)
    else { return nil }
    report.connections = connections
    report.published = published
    report.delivered = delivered
    report.publishRate = publishRate
    report.deliverRate = deliverRate
    report.json = json
    for _ in 0..<reasons {
      guard let text = piece() else { return nil }
      report.why.append(text.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
    }
    guard let count = number(2) else { return nil }
    for _ in 0..<count {
      guard let id = number(2), let flags = number(1), let term = number(8), let committed = number(8), let topics = number(8),
        let situation = situation(of: ShardID(UInt16(id)), ledBy: NodeID(node)), let json = piece()
      else { return nil }
      report.shards.append(
        NodeReport.Shard(
          id: ShardID(UInt16(id)), leads: flags & 1 != 0, isRefusing: flags & 2 != 0, isShort: flags & 4 != 0, knowsLeader: flags & 8 != 0,
          term: term, committed: committed, topics: topics, situation: situation.told, json: json))
    }
    // What follows came later: older nodes do not tell it, and newer ones may tell more.
    let end = start + Int(length)
    guard place == end || (place < end && readLater(into: &report)), place <= end else { return nil }
    if end - place >= 8 { report.clock = number(8).map { WallTime(milliseconds: Int64(bitPattern: $0)) } }
    if end - place >= 16, let clients = number(8), let retained = number(8) {
      report.mqttClients = clients
      report.retained = retained
    }
    place = end
    return (report, .milliseconds(Int(age)))
  }

  private mutating func readLater(into report: inout NodeReport) -> Bool {
    guard let behind = number(8), let transports = number(1) else { return false }
    report.behind = behind
    for _ in 0..<transports {
      guard let transport = number(1), let buckets = number(1) else { return false }
      var counts: [UInt32] = []
      for _ in 0..<buckets {
        guard let count = number(4) else { return false }
        counts.append(UInt32(count))
      }
      report.latencies.take(counts, of: Int(transport))
    }
    return true
  }

  /// nil when it cannot be read; one that was not told is `told: nil`.
  private mutating func situation(of shard: ShardID, ledBy leader: NodeID) -> (told: ShardSituation?, Void)? {
    guard let flags = number(1), flags < 4 else { return nil }
    guard flags & 1 != 0 else { return (nil, ()) }
    guard let load = number(8), let voterCount = number(1) else { return nil }
    var situation = ShardSituation(shard: shard, voters: [], leader: leader, isChanging: flags & 2 != 0, load: load)
    for _ in 0..<voterCount {
      guard let voter = number(8) else { return nil }
      situation.voters.append(NodeID(voter))
    }
    guard let learnerCount = number(1) else { return nil }
    for _ in 0..<learnerCount {
      guard let learner = number(8), let isCaughtUp = number(1) else { return nil }
      situation.learners.append(LearnerSituation(id: NodeID(learner), isCaughtUp: isCaughtUp == 1))
    }
    return (situation, ())
  }

  private mutating func number(_ size: Int) -> UInt64? {
    guard bytes.count - place >= size else { return nil }
    defer { place += size }
    return bytes.withUnsafeBytes { memory in (0..<size).reduce(UInt64(0)) { $0 | UInt64(memory[place + $1]) << UInt64(8 * $1) } }
  }

  private mutating func piece() -> Bytes? {
    guard let length = number(4), length <= UInt64(bytes.count - place) else { return nil }
    defer { place += Int(length) }
    return bytes.slice(place..<place + Int(length))
  }
}
