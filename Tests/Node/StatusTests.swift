import Core
import Testing

@testable import Edge
@testable import Node

@Suite("What the status tells") struct StatusTests {
  private func histogram(_ milliseconds: [Int64]) -> LatencyHistogram {
    var histogram = LatencyHistogram()
    for value in milliseconds { histogram.record(milliseconds: value) }
    return histogram
  }

  @Test("Latencies are those of the last half minute, from the first message on: what was slow before is forgotten")
  func window() {
    var now = Instant.zero + .seconds(1)
    var window = LatencyWindow(at: now, transports: 1)
    var all = histogram(Array(repeating: 900, count: 100))
    func median() -> Int64? { window.recent(of: [all])[0].percentile(0.5) }
    #expect(median() == 1000, "of the first second")
    for _ in 0..<24 {
      now = now + .seconds(1)
      window.sample([all], at: now)
      all.record(milliseconds: 3)
      #expect(median() == 1000)
    }
    for second in 25..<60 {
      now = now + .seconds(1)
      window.sample([all], at: now)
      all.record(milliseconds: 3)
      let recent = window.recent(of: [all])[0]
      #expect(second < 31 || recent.percentile(0.99) == 5, "in second \(second)")
      #expect(second < 31 || (25...31).contains(recent.total))
    }
    for _ in 0..<31 {
      now = now + .seconds(1)
      window.sample([all], at: now)
    }
    #expect(median() == nil, "nothing was delivered, so nothing is said")
  }

  private func report(of latencies: LatencyTable) -> NodeReport {
    var report = NodeReport(node: NodeID(7), json: Bytes("{}"))
    report.behind = 12
    report.latencies = latencies
    report.why = ["reason"]
    return report
  }

  private func encode(_ report: NodeReport) -> [UInt8] {
    var buffer = ByteBuffer()
    report.encode(age: .zero, into: &buffer)
    return buffer.freeze().withUnsafeBytes { [UInt8]($0) }
  }

  private var table: LatencyTable {
    LatencyTable([[LatencyHistogram(), histogram([1, 1, 40]), LatencyHistogram(), histogram([7])], [LatencyHistogram(), histogram([2])]])
  }

  @Test("Clients behind and latencies go to other nodes as they were counted")
  func latenciesOfOthers() throws {
    var reader = ReportReader(Bytes(encode(report(of: table))))
    let read = try #require(reader.next()?.0)
    #expect(read.behind == 12)
    #expect(read.latencies.byTransport.map(\.counts) == table.byTransport.map(\.counts))
    #expect(read.latencies.byTransport[Transport.sse.rawValue].total == 4)
  }

  @Test("A report of an older node, which tells less, is read; so is one of a newer node, which tells more")
  func otherVersions() throws {
    func relabelled(_ bytes: [UInt8]) -> [UInt8] {
      var bytes = bytes
      withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { bytes.replaceSubrange(0..<4, with: $0) }
      return bytes
    }
    let plain = encode(report(of: LatencyTable()))
    // Eight bytes of clients behind and one that says that no transport follows.
    let older = relabelled(Array(plain.dropLast(9)))
    let newer = relabelled(encode(report(of: table)) + [1, 2, 3, 4, 5])
    var reader = ReportReader(Bytes(older + newer + plain))
    let read = [reader.next(), reader.next(), reader.next()].map { $0?.0 }
    #expect(read.map { $0?.why } == [["reason"], ["reason"], ["reason"]])
    #expect(read.map { $0?.behind } == [0, 12, 12])
    for cut in 1..<9 {
      var reader = ReportReader(Bytes(relabelled(Array(plain.dropLast(cut)))))
      #expect(reader.next() == nil, "cut by \(cut)")
    }
  }

  @Test("MQTT clients and current values come behind the clock, and may be missing behind it")
  func behindTheClock() throws {
    var report = report(of: table)
    report.clock = WallTime(milliseconds: 5)
    report.mqttClients = 13
    report.retained = 14
    let whole = encode(report)
    for (dropped, clients, retained) in [(0, 13, 14), (16, 0, 0)] as [(Int, UInt64, UInt64)] {
      var bytes = Array(whole.dropLast(dropped))
      withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { bytes.replaceSubrange(0..<4, with: $0) }
      var reader = ReportReader(Bytes(bytes))
      let read = try #require(reader.next()?.0)
      #expect(read.clock == WallTime(milliseconds: 5) && read.mqttClients == clients && read.retained == retained)
    }
  }

  @Test("A transport that this node has not is passed over")
  func unknownTransport() {
    var table = LatencyTable()
    table.take([1, 2, 3], of: 200)
    table.take([1, 2, 3] + [UInt32](repeating: .max, count: 40), of: Transport.sse.rawValue)
    #expect(table.byTransport[Transport.sse.rawValue].counts.prefix(3) == [1, 2, 3])
    #expect(table.byTransport.count == Transport.allCases.count)
  }

  @Test("A moved leader or another trouble is news; numbers are not")
  func news() {
    func shard(_ id: Int, leads: Bool, committed: UInt64 = 1) -> NodeReport.Shard {
      NodeReport.Shard(id: ShardID(id), leads: leads, isRefusing: false, term: 1, committed: committed, topics: 0, json: Bytes())
    }
    func isNews(_ change: (inout NodeReport) -> Void) -> Bool {
      var reports = PeerReports()
      var report = NodeReport(node: NodeID(1), json: Bytes())
      report.shards = [shard(0, leads: true), shard(1, leads: false)]
      let now = Instant.zero + .seconds(9)
      let isFirst = reports.take(Bytes(encode(report)), at: now, clock: WallTime(milliseconds: 0))
      #expect(isFirst, "a node that was not known")
      change(&report)
      return reports.take(Bytes(encode(report)), at: now + .seconds(1), clock: WallTime(milliseconds: 0))
    }
    #expect(!isNews { _ in })
    #expect(!isNews { $0.published = 9 })
    #expect(!isNews { $0.shards[0].committed = 9 })
    #expect(isNews { $0.shards[1].leads = true })
    #expect(isNews { $0.shards[0].isRefusing = true })
    #expect(isNews { $0.shards[0].isShort = true })
    #expect(isNews { _ = $0.shards.removeLast() })
    #expect(isNews { $0.why = ["the disk is full"] })
  }

  @Test("Many things that happen together are told once, and what happens meanwhile is told after the pause")
  func pace() {
    let now = Instant.zero + .seconds(10)
    var desk = NewsDesk(at: now)
    let stirred = [(0, 1000), (3, 1000), (4, 1050), (4, 1250), (4, 2000)].map { desk.isStirred($0, at: now + .milliseconds($1)) }
    #expect(stirred == [false, true, false, true, false])
    let told = [desk.isToldToOthers(), desk.isToldToOthers()]
    #expect(told == [true, false])
    let news = [desk.hasNews(0), desk.hasNews(1), desk.hasNews(1)]
    #expect(news == [false, true, false])
  }
}
