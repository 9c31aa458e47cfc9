import Core
import Feeds
import Testing

@testable import Replica

@Suite("Who is present, by replica") struct PresenceTests {
  private let room = Topic(trusting: Bytes("room"))
  private var question: PresenceRequest.Operation { .ask(PresenceQuestion(filters: [try! Filter("room")], limit: 10)) }

  private func whole(_ source: UInt64, _ ids: [String], watch: Bool = false) -> PresenceRequest.Operation {
    let entries = ids.map { id in
      PresenceEntry(topic: room, member: PresenceMember(id: Bytes(id), data: Bytes(), since: WallTime(milliseconds: 1), connections: 1))
    }
    return .announce(
      PresenceAnnouncement(source: source, sequence: 1, begins: true, completes: true, entries: entries, watch: watch ? [room] : []))
  }

  private func list(_ answer: Result<PresenceReply.Answer, Refusal>?) throws -> PresenceList {
    guard case .list(let list) = try #require(answer).get() else { throw Refusal.noSuchConsumer }
    return list
  }

  private func pushes(_ member: GroupHarness.Member, to edge: EdgeID) -> [PresenceChange] {
    member.replies.filter { $0.edge == edge }.flatMap { addressed -> [PresenceChange] in
      if case .presencePush(let push) = addressed.reply { return push.changes }
      return []
    }
  }

  @Test("The leader alone is told and asked, and whoever else is asked says who it is")
  func leads() throws {
    let harness = try GroupHarness(3)
    let leader = try harness.elect()
    harness.run(milliseconds: 500)
    _ = harness.ask(whole(1, ["ann", "bob"]), at: leader)
    let list = try self.list(harness.ask(question, at: leader))
    #expect(list.count == 2 && list.isPartial)
    #expect(leader.present == 2)
    for other in harness.members where other !== leader {
      #expect(throws: Refusal.notLeader(leader.node)) { try harness.ask(question, at: other)?.get() }
      #expect(throws: Refusal.notLeader(leader.node)) { try harness.ask(whole(1, ["ann"]), at: other)?.get() }
    }
    harness.run(milliseconds: 5000)
    #expect(try self.list(harness.ask(question, at: leader)).isPartial == false)
  }

  @Test("A new leader knows nobody, and an old one that comes back has forgotten all")
  func changes() throws {
    let harness = try GroupHarness(3)
    let first = try harness.elect()
    _ = harness.ask(whole(1, ["ann"]), at: first)
    harness.cut = [first.node]
    harness.run { harness.leader != nil && !first.isServing }
    let second = try #require(harness.leader)
    #expect(second !== first)
    #expect(try list(harness.ask(question, at: second)).count == 0)
    #expect(first.present == 0)
    let delta = PresenceAnnouncement(source: 1, sequence: 2)
    guard case .receipt(let receipt)? = try harness.ask(.announce(delta), at: second)?.get() else {
      Issue.record("no receipt")
      return
    }
    #expect(receipt.wantsWhole)
  }

  @Test("An edge that is gone loses its members after the grace, and those who watch are told with the ticks")
  func forgotten() throws {
    let harness = try GroupHarness(1) { $0.presenceSettling = .zero }
    let leader = try harness.elect()
    _ = harness.ask(whole(1, ["ann"]), from: EdgeID(1), at: leader)
    _ = harness.ask(whole(2, ["bob"], watch: true), from: EdgeID(2), at: leader)
    #expect(pushes(leader, to: EdgeID(2)).map { $0.came.map(\.id.text) } == [["ann", "bob"]])
    leader.replies = []
    leader.replica!.forget(EdgeID(1))
    harness.run(milliseconds: 4800)
    #expect(pushes(leader, to: EdgeID(2)).isEmpty)
    harness.run(milliseconds: 400)
    #expect(pushes(leader, to: EdgeID(2)).map { $0.left.map(\.text) } == [["ann"]])
    #expect(pushes(leader, to: EdgeID(1)).isEmpty)
    #expect(try list(harness.ask(question, at: leader)).topics[0].members.map(\.id.text) == ["bob"])
  }
}
