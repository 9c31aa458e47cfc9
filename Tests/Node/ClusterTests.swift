import Core
import Placement
import TestSupport
import Testing

@testable import Node

@Suite("Being one of several nodes") struct ClusterTests {
  private func report(_ node: UInt64, shards: Int, seed: UInt64) -> NodeReport {
    var random = SeededGenerator(seed: seed)
    var report = NodeReport(node: NodeID(node), json: Bytes("{\"id\":\"\(node)\"}"))
    report.connections = random.next() >> 8
    report.publishRate = random.next() >> 8
    report.why = (0..<random.below(4)).map { "reason \($0) ü" }
    report.shards = (0..<shards).map {
      NodeReport.Shard(
        id: ShardID($0), leads: random.below(2) == 0, isRefusing: random.below(2) == 0, isShort: random.below(2) == 0, knowsLeader: random.below(2) == 0, term: random.next() >> 8, committed: random.next() >> 8,
        topics: random.next() >> 8, situation: situation(of: ShardID($0), ledBy: report.node, &random), json: Bytes("{\"id\":\($0)}"))
    }
    return report
  }

  private func situation(of shard: ShardID, ledBy leader: NodeID, _ random: inout SeededGenerator) -> ShardSituation? {
    guard random.below(3) > 0 else { return nil }
    var situation = ShardSituation(shard: shard, voters: (0..<random.below(4)).map { _ in NodeID(random.next()) }, leader: leader)
    situation.learners = (0..<random.below(3)).map { _ in LearnerSituation(id: NodeID(random.next()), isCaughtUp: random.below(2) == 0) }
    situation.isChanging = random.below(2) == 0
    situation.load = random.next()
    return situation
  }

  private func encode(_ reports: [(NodeReport, TimeSpan)]) -> Bytes {
    var buffer = ByteBuffer()
    for (report, age) in reports { report.encode(age: age, into: &buffer) }
    return buffer.freeze()
  }

  private func same(_ a: NodeReport, _ b: NodeReport) -> Bool { encode([(a, .zero)]) == encode([(b, .zero)]) }

  @Test("Reports of other nodes are read as they were written, with their age", arguments: 1...20 as ClosedRange<UInt64>)
  func reports(seed: UInt64) {
    let first = report(1, shards: 3, seed: seed)
    let second = report(2, shards: 0, seed: seed + 100)
    var reader = ReportReader(encode([(first, .zero), (second, .milliseconds(1500))]))
    let a = reader.next()
    let b = reader.next()
    #expect(a.map { same($0.0, first) && $0.age == .zero } == true)
    #expect(b.map { same($0.0, second) && $0.age == .milliseconds(1500) } == true)
    #expect(reader.next() == nil)
  }

  @Test("Whatever else comes as a report is passed over")
  func wrongReports() {
    let whole = encode([(report(1, shards: 2, seed: 4), .zero)])
    for length in 0..<whole.count {
      var reader = ReportReader(whole.slice(0..<length))
      #expect(reader.next() == nil, "cut at \(length)")
    }
    var random = SeededGenerator(seed: 9)
    for _ in 0..<5000 {
      var bytes = whole.withUnsafeBytes { [UInt8]($0) }
      for _ in 0..<1 + random.below(4) { bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
      var reader = ReportReader(Bytes(bytes))
      while reader.next() != nil {}
    }
  }

  @Test("An older report replaces no newer one, and one that is too old is not shown")
  func ages() {
    var reports = PeerReports()
    let now = Instant.zero + .seconds(100)
    var old = report(1, shards: 0, seed: 1)
    old.connections = 1
    var new = old
    new.connections = 2
    reports.take(new, at: now)
    reports.take(encode([(old, .seconds(2))]), at: now, clock: WallTime(milliseconds: 0))
    #expect(reports.fresh(at: now).map(\.connections) == [2])
    #expect(reports.fresh(at: now + PeerReports.freshness).isEmpty)
  }

  @Test("How far a node's clock is ahead is told from its report, however long that was under way")
  func clocks() {
    var reports = PeerReports()
    let now = Instant.zero + .seconds(100)
    var told = report(1, shards: 0, seed: 1)
    told.clock = WallTime(milliseconds: 10_000_000)
    var silent = report(2, shards: 0, seed: 1)
    silent.clock = nil
    reports.take(encode([(told, .seconds(2)), (silent, .zero)]), at: now, clock: WallTime(milliseconds: 9_000_000))
    #expect(reports.clocks(at: now) == [NodeID(1): 1_002_000])
    #expect(reports.clocks(at: now + PeerReports.freshness).isEmpty)
  }

  @Test("What was promised of a birth is read back; anything altered is not taken")
  func birthNotes() {
    let certificate = BirthCertificate(
      cluster: ClusterID(0xabcd_ef01_2345), terms: BirthTerms(expect: 3, shards: 16, replicas: 3), members: [NodeID(1), NodeID(5), NodeID(9)])
    for record in [BirthRecord.none, .promised(certificate), .born(certificate)] {
      let text = BirthNote.text(of: record)
      #expect(BirthNote.record(in: text) == record)
      for place in text.utf8.indices {
        var altered = Array(text.utf8)
        altered[text.utf8.distance(from: text.utf8.startIndex, to: place)] ^= 1
        #expect(BirthNote.record(in: String(decoding: altered, as: UTF8.self)) == nil)
      }
    }
    #expect(BirthNote.record(in: "") == nil)
  }

  @Test("Every broker holds, and is to lead, an equal share of the shards", arguments: [1, 2, 3, 5, 7])
  func holders(brokers: Int) {
    let members = (1...brokers).map { NodeID(UInt64($0)) }
    let terms = BirthTerms(expect: brokers, shards: 16, replicas: 3)
    let holders = ShardHolders(BirthCertificate(cluster: ClusterID(1), terms: terms, members: members))
    var held: [NodeID: Int] = [:]
    var led: [NodeID: Int] = [:]
    for shard in 0..<16 {
      let voters = holders.holders(of: ShardID(shard))
      #expect(Set(voters).count == min(3, brokers) && voters.count == min(3, brokers))
      for voter in voters { held[voter, default: 0] += 1 }
      led[voters[0], default: 0] += 1
    }
    #expect(led.values.max()! - led.values.min()! <= 1)
    #expect(held.values.max()! - held.values.min()! <= 3)
  }

  @Test("A node is one of several when anything says so", arguments: [
    (["--role", "broker", "--join", "a:1"], true), (["--role", "edge", "--join", "a:1"], true), (["--join", "a:1"], true),
    (["--bootstrap-expect", "3"], true), (["--cluster", "127.0.0.1:1"], true), ([], false), (["--cluster", "off"], false),
  ])
  func clustered(words: [String], expected: Bool) throws {
    let configuration = try ConfigurationReader.read(
      arguments: ConfigurationReader.arguments(words), environment: [:], file: nil, hostName: "h", processors: 1)
    #expect(configuration.isClustered == expected)
    #expect(configuration.exposureProblem == nil)
  }

  @Test("A cluster's port that others can reach needs a secret, and an edge needs somebody to join", arguments: [
    (["--role", "edge"], "--role edge without --join"), (["--cluster", "0.0.0.0:7400"], "--cluster 0.0.0.0:7400 can be reached"),
    (["--cluster", "off", "--role", "broker"], "--cluster off"),
  ])
  func clusterProblems(words: [String], problem: String) throws {
    let configuration = try ConfigurationReader.read(
      arguments: ConfigurationReader.arguments(words), environment: [:], file: nil, hostName: "h", processors: 1)
    #expect(configuration.exposureProblem?.problem.hasPrefix(problem) == true)
    #expect(configuration.exposureProblem?.hint != nil)
  }
}
