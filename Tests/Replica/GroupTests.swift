import Core
import Feeds
import Journal
import Raft
import Testing

@testable import Replica

@Suite struct GroupTests {
  @Test("Three replicas elect one leader, and what it acknowledges is on all of them")
  func agreement() throws {
    let group = try GroupHarness(3)
    for number in 0..<20 { _ = try group.keep("m\(number)") }
    #expect(group.run { group.isLevel })
    #expect(group.members.filter(\.isServing).count == 1)
    #expect(try group.contents(of: try group.elect()).map(\.payload) == (0..<20).map { "m\($0)" })
  }

  @Test("A follower refuses publishes, and names the leader")
  func redirection() throws {
    let group = try GroupHarness(3)
    let leader = try group.elect()
    group.run(milliseconds: 300)
    let follower = try #require(group.members.first { !$0.isServing })
    let ticket = group.publish("x", at: follower)
    #expect(group.outcome(of: ticket, at: follower) == .refused(.notLeader(leader.node)))
  }

  @Test("A leader that is killed is replaced within two seconds, and every acknowledged message stays", arguments: 1...10 as ClosedRange<UInt64>)
  func failover(seed: UInt64) throws {
    let group = try GroupHarness(3, seed: seed)
    var kept: [String: Offset] = [:]
    for round in 0..<5 {
      for number in 0..<5 { kept["\(round)-\(number)"] = try group.keep("\(round)-\(number)") }
      let leader = try group.elect()
      let diedAt = group.now
      group.stop(leader, powerOff: seed % 2 == 0)
      #expect(group.run { group.leader != nil }, "seed \(seed)")
      #expect(group.now - diedAt < .seconds(3), "seed \(seed)")
      kept["\(round)-after"] = try group.keep("\(round)-after")
      try group.start(leader)
    }
    #expect(group.run { group.isLevel }, "seed \(seed)")
    let seen = try group.contents(of: try group.elect())
    #expect(seen.count == kept.count, "seed \(seed)")
    for entry in seen { #expect(kept[entry.payload] == Offset(entry.offset), "seed \(seed)") }
  }

  @Test("Without a majority nothing is acknowledged, and what was appended meanwhile gives way to what the majority keeps")
  func truncation() throws {
    let group = try GroupHarness(3)
    _ = try group.keep("before")
    let old = try group.elect()
    group.cut = [old.node]
    let lost = (0..<50).map { group.publish("lost \($0) " + String(repeating: "x", count: 300), at: old) }
    for number in 0..<10 { _ = try group.keep("after \(number)") }
    #expect(lost.allSatisfy { group.outcome(of: $0, at: old) == nil })
    group.cut = []
    #expect(group.run { group.isLevel })
    for ticket in lost { #expect(group.outcome(of: ticket, at: old) == .refused(.unknownOutcome)) }
    group.stop(old, powerOff: true)
    try group.start(old)
    #expect(group.run { group.isLevel })
    let expected = ["before"] + (0..<10).map { "after \($0)" }
    #expect(try group.contents(of: try group.elect()).map(\.payload) == expected)
    group.stop(try group.elect())
    #expect(try group.contents(of: try group.elect()).map(\.payload) == expected)
  }

  @Test("A leader that hears of nobody steps down, ends its feeds and refuses at once")
  func isolation() throws {
    let group = try GroupHarness(3)
    let old = try group.elect()
    let change = InterestChange(edge: EdgeID(4), ticket: Ticket(1), add: [try Filter("t")], remove: [])
    old.replica!.receive(.interest(change), at: group.now, wall: group.wall, into: &old.output)
    group.cut = [old.node]
    group.run { !old.isServing }
    #expect(old.replies.contains { if case .feedEnded = $0.reply { $0.edge == EdgeID(4) } else { false } })
    let ticket = group.publish("x", at: old)
    #expect(group.outcome(of: ticket, at: old) == .refused(.notLeader(nil)))
  }

  @Test("A replica that was away longer than the log reaches back gets the leader's state and its whole log")
  func snapshotTransfer() throws {
    let group = try GroupHarness(3) {
      $0.snapshotEveryEntries = 20
      $0.retention = Retention(ageMilliseconds: 3600_000, bytes: 4 << 10)
      $0.smallestSnapshotEveryBytes = 1 << 10
      $0.shortestSnapshotEvery = .milliseconds(100)
      $0.trimEvery = .milliseconds(100)
      $0.raft.tailBytes = 1 << 10
      $0.raft.snapshotChunkBytes = 500
    }
    _ = try group.keep("first")
    let away = try #require(group.members.first { !$0.isServing })
    group.stop(away)
    for number in 0..<200 { _ = try group.keep("m\(number) " + String(repeating: "y", count: 200)) }
    let leader = try group.elect()
    group.run(milliseconds: 2000)
    let reach = leader.first
    #expect(reach > Offset(20))
    try group.start(away)
    #expect(group.run { group.isLevel })
    #expect(group.takeFacts(away).contains { if case .snapshotInstalled = $0 { true } else { false } })
    // It has the past that the leader has, not only what comes after the state.
    #expect(away.first <= leader.first)
    let expected = try group.contents(of: leader)
    #expect(expected.count > 5)
    group.stop(away, powerOff: true)
    try group.start(away)
    #expect(group.run { group.isLevel })
    let verdict = try #require(group.takeFacts(away).first)
    if case .opened(.corrupt(let damage), _, _) = verdict { Issue.record("\(damage)") }
    group.stop(leader)
    for other in group.members where other !== away && other.isUp { group.cut = [other.node] }
    group.cut = []
    group.run { group.leader != nil }
    #expect(try group.contents(of: try group.elect()).suffix(5) == expected.suffix(5))
  }

  @Test("A damaged replica says so, is silent, learns everything anew and votes again", arguments: ["entry", "missing", "vote", "snapshot"])
  func repair(kind: String) throws {
    let group = try GroupHarness(3) { $0.snapshotEveryEntries = 30 }
    for number in 0..<60 { _ = try group.keep("m\(number)") }
    group.run(milliseconds: 500)
    let hurt = try #require(group.members.first { !$0.isServing })
    group.stop(hurt)
    try damage(&hurt.disk, kind)
    hurt.facts = []
    try group.start(hurt)
    #expect(hurt.facts.contains { if case .damaged = $0 { true } else { false } })
    #expect(group.run { hurt.facts.contains(.repaired) && group.isLevel })
    #expect(hurt.facts.contains(.relearns))
    _ = try group.keep("after")
    // It counts again: with it, another may go.
    let other = try #require(group.members.first { !$0.isServing && $0 !== hurt })
    group.stop(other)
    _ = try group.keep("with the repaired one")
    group.stop(hurt)
    try group.start(hurt)
    #expect(group.run { hurt.committed >= (group.leader?.committed ?? .zero) && group.leader != nil })
    let expected = (0..<60).map { "m\($0)" } + ["after", "with the repaired one"]
    #expect(try group.contents(of: try group.elect()).map(\.payload) == expected)
  }

  private func damage(_ disk: inout FaultyDisk, _ kind: String) throws {
    let segments = disk.files.keys.filter { if case .segment = $0 { true } else { false } }.sorted { $0.text < $1.text }
    switch kind {
    case "entry":
      // In the middle of what the last segment holds.
      let name = try #require(segments.last)
      let end = try #require(disk.files[name]!.content.lastIndex { $0 != 0 })
      disk.files[name]!.content[end - 200] ^= 4
      disk.files[name]!.synced = disk.files[name]!.content
    case "missing": disk.files[try #require(segments.last)] = nil
    case "vote": disk.files[.hardState] = nil
    default:
      for name in disk.files.keys { if case .snapshot = name { disk.files[name]!.content[60] ^= 1 } }
      disk.files[try #require(segments.first)]!.content[100] ^= 4
    }
  }

  @Test("A replica that joins learns the log and then votes; one that is taken out is not needed any more")
  func growth() throws {
    let group = try GroupHarness(3, joining: 2)
    for number in 0..<20 { _ = try group.keep("m\(number)") }
    let all = (1...5).map { NodeID($0) }
    func change(to target: Membership) throws {
      for _ in 0..<100 {
        let leader = try group.elect()
        let verdict = leader.replica!.changeMembership(to: target, at: group.now, into: &leader.output)
        if case .accepted = verdict { break }
        if verdict == .unchanged { break }
        group.run(milliseconds: 100)
      }
    }
    try change(to: Membership(voters: Array(all[0..<3]), learners: Array(all[3...])))
    #expect(group.run { group.members.allSatisfy { $0.voters == all } })
    #expect(group.run { group.isLevel })
    try change(to: Membership(voters: Array(all[2...])))
    #expect(group.run { group.leader?.voters == Array(all[2...]) && group.leader!.node.value > 2 })
    group.stop(group.members[0])
    group.stop(group.members[1])
    _ = try group.keep("grown")
    #expect(group.run { Set(group.members[2...].map { $0.committed }).count == 1 })
    #expect(try group.contents(of: try group.elect()).count == 21)
  }
}
