import Core
import Feeds
import Journal
import Testing

@testable import Replica
@testable import Shard

extension GroupReply {
  fileprivate var push: GroupPush? { if case .push(let push) = content { push } else { nil } }
}

extension Harness {
  static let group = GroupName(name: Bytes("g"), filter: try! Filter("a/#"))

  @discardableResult func share(_ operation: GroupRequest.Operation, edge: UInt32 = 1) -> Ticket {
    let request = GroupRequest(edge: EdgeID(edge), ticket: ticket(), group: Harness.group, operation: operation)
    receive(.group(request))
    return request.ticket
  }

  func join(_ opening: UInt64, credit: Int = 256, holding: [UInt64] = [], edge: UInt32 = 1) -> Ticket {
    share(.join(GroupMembership(opening: opening, members: 1, credit: credit, holding: holding.map { Offset($0) })), edge: edge)
  }

  /// What was answered: nil if nothing was, and a refusal or none.
  func answer(_ ticket: Ticket) -> Refusal?? {
    for reply in replies {
      if case .group(let group) = reply.reply, case .answer(ticket, let refusal) = group.content { return refusal }
    }
    return nil
  }

  func takeGiven(edge: UInt32 = 1) -> [Seen] {
    defer { replies.removeAll { if case .group(let reply) = $0.reply { $0.edge == EdgeID(edge) && reply.push != nil } else { false } } }
    return replies.flatMap { reply -> [Seen] in
      guard reply.edge == EdgeID(edge), case .group(let group) = reply.reply, let push = group.push else { return [] }
      return Seen.all(push.pieces)
    }
  }

  /// Turn after turn, until what was committed is given out.
  func rest() { for _ in 0..<4 { settle() } }

  func acknowledge(_ seen: [Seen], edge: UInt32 = 1) -> Ticket { share(.acknowledge(seen.map { Offset($0.offset) }), edge: edge) }
}

@Suite("Groups, by replica") struct SharingTests {
  @Test("A group begins where its first member joins, and one edge of several is given each message, once it is committed")
  func gives() throws {
    let harness = try Harness { $0.presenceSettling = .zero }
    harness.publish([Draft("a/1", "before")])
    harness.rest()
    let first = harness.join(1)
    #expect(harness.answer(first) == nil)
    harness.rest()
    let second = harness.join(2, edge: 2)
    harness.rest()
    #expect(harness.answer(first) == .some(nil) && harness.answer(second) == .some(nil))
    harness.publish((1...10).map { Draft($0 % 5 == 0 ? "b" : "a/\($0)", "\($0)") })
    harness.turnEnds()
    #expect(harness.takeGiven().isEmpty)
    harness.rest()
    let given = [harness.takeGiven(), harness.takeGiven(edge: 2)]
    #expect(given.map { $0.map(\.payload) } == [["1", "3", "6", "8"], ["2", "4", "7", "9"]])
    // Joining anew under the same opening brings nothing.
    _ = harness.join(1)
    harness.rest()
    #expect(harness.takeGiven().isEmpty)
    #expect(harness.replica.status.groups == 1 && harness.replica.status.groupMembers == 2)
  }

  @Test("What is acknowledged is answered once it is in the log, in one entry for many, and given to nobody after a restart")
  func acknowledges() throws {
    let harness = try Harness { $0.presenceSettling = .zero }
    _ = harness.join(1)
    harness.rest()
    harness.publish((1...8).map { Draft("a/x", "\($0)") })
    harness.rest()
    let given = harness.takeGiven()
    let before = harness.replica.committed
    let tickets = [harness.acknowledge([given[0], given[1]]), harness.acknowledge([given[4]]), harness.acknowledge([given[6]])]
    harness.rest()
    #expect(tickets.allSatisfy { harness.answer($0) == nil })
    harness.tick()
    harness.turnEnds()
    #expect(tickets.allSatisfy { harness.answer($0) == nil })
    harness.rest()
    #expect(tickets.allSatisfy { harness.answer($0) == .some(nil) })
    #expect(harness.replica.committed == before.next)
    var random = SeededGenerator(seed: 1)
    try harness.restart(losing: &random)
    harness.rest()
    _ = harness.join(9, holding: [given[2].offset])
    harness.rest()
    #expect(harness.takeGiven().map(\.payload) == ["4", "6", "8"])
  }

  @Test("A group without members keeps its place, and is given a backlog from the disk, page by page, as it makes room")
  func catchesUp() throws {
    let harness = try Harness { settings in
      settings.presenceSettling = .zero
      settings.recentTailBytes = 2 << 10
      settings.readChunkBytes = 4 << 10
    }
    _ = harness.join(1)
    harness.rest()
    harness.share(.leave(opening: 1, forGood: false))
    let payload = String(repeating: "p", count: 200)
    for number in 0..<1500 {
      harness.publish([Draft(number % 3 == 0 ? "b" : "a/\(number % 7)", "\(number) \(payload)")])
      if number % 50 == 49 { harness.rest() }
    }
    harness.rest()
    #expect(harness.takeGiven().isEmpty)
    _ = harness.join(2, credit: 40)
    _ = harness.join(3, credit: 10, edge: 2)
    var all: [Int] = []
    for _ in 0..<200 {
      harness.rest()
      for edge in [1, 2] as [UInt32] {
        let given = harness.takeGiven(edge: edge)
        #expect(given.count <= (edge == 1 ? 40 : 10))
        all += given.map { Int($0.payload.split(separator: " ")[0])! }
        if !given.isEmpty { _ = harness.acknowledge(given, edge: edge) }
      }
      harness.tick()
    }
    #expect(all.sorted() == (0..<1500).filter { $0 % 3 != 0 })
    harness.tick(after: 1000)
    harness.rest()
    #expect(harness.replica.state.groups[Harness.group]?.done == [])
  }

  @Test("What an edge had that is gone goes to another; what it releases too")
  func goesOn() throws {
    let harness = try Harness { $0.presenceSettling = .zero }
    _ = harness.join(1)
    harness.rest()
    harness.publish((1...6).map { Draft("a/x", "\($0)") })
    harness.rest()
    let given = harness.takeGiven()
    _ = harness.acknowledge([given[1]])
    _ = harness.join(2, edge: 2)
    harness.rest()
    harness.share(.release(opening: 1, [Offset(given[4].offset)]))
    harness.share(.release(opening: 7, [Offset(given[5].offset)]))
    harness.share(.leave(opening: 1, forGood: false))
    harness.rest()
    #expect(harness.takeGiven(edge: 2).map(\.payload) == ["5"])
    harness.replica.forget(EdgeID(1))
    harness.tick()
    harness.rest()
    #expect(harness.takeGiven(edge: 2).map(\.payload) == ["1", "3", "4", "6"])
  }

  @Test("The last to leave for good ends the group; while anybody is in it, nobody does")
  func ends() throws {
    let harness = try Harness { $0.presenceSettling = .zero }
    _ = harness.join(1)
    _ = harness.join(2, edge: 2)
    harness.rest()
    let first = harness.share(.leave(opening: 1, forGood: true))
    harness.tick()
    harness.rest()
    #expect(harness.answer(first) == .some(nil) && harness.replica.state.groups.count == 1)
    let second = harness.share(.leave(opening: 2, forGood: true), edge: 2)
    harness.tick()
    harness.rest()
    #expect(harness.answer(second) == .some(nil) && harness.replica.state.groups.count == 0)
    harness.publish([Draft("a/x", "nobody's")])
    harness.rest()
    // Into the same turn as its end: what is opened anew begins anew.
    _ = harness.join(3)
    harness.rest()
    harness.share(.leave(opening: 3, forGood: true))
    harness.publish([Draft("a/x", "its last")])
    harness.tick()
    _ = harness.join(4)
    harness.rest()
    harness.publish([Draft("a/x", "new")])
    harness.rest()
    #expect(harness.takeGiven().map(\.payload) == ["new"])
  }

  @Test("A group for which there is no room is refused, and nothing is kept of it")
  func noRoom() throws {
    let harness = try Harness { $0.presenceSettling = .zero }
    for number in 0..<GroupLimits.perShard + 3 {
      let name = GroupName(name: Bytes("\(number)"), filter: Harness.group.filter)
      let membership = GroupMembership(opening: 1, members: 1, credit: 1)
      harness.receive(.group(GroupRequest(edge: EdgeID(1), ticket: Ticket(UInt64(number + 1)), group: name, operation: .join(membership))))
      if number % 500 == 0 { harness.rest() }
    }
    harness.rest()
    for number in 0..<GroupLimits.perShard + 3 {
      #expect(harness.answer(Ticket(UInt64(number + 1))) == .some(number < GroupLimits.perShard ? nil : .overloaded))
    }
    #expect(harness.replica.status.groups == GroupLimits.perShard && harness.replica.status.groupMembers == GroupLimits.perShard)
  }

  @Test("Whom nobody comes back to is forgotten after its time; a group with members is not")
  func idles() throws {
    for isMember in [true, false] {
      let harness = try Harness { settings in
        settings.presenceSettling = .zero
        settings.retention.ageMilliseconds = 1 << 50
      }
      _ = harness.join(1)
      harness.rest()
      if !isMember { harness.share(.leave(opening: 1, forGood: false)) }
      for _ in 0..<9 {
        harness.tick(after: 24 * 3600 * 1000)
        harness.rest()
      }
      #expect(harness.replica.state.groups.count == (isMember ? 1 : 0))
    }
  }

  @Test("What retention took from a group without members is told, to one of those who come back")
  func gap() throws {
    let harness = try Harness { settings in
      settings.presenceSettling = .zero
      settings.retention = Retention(ageMilliseconds: 60_000, bytes: 20 << 10)
      settings.smallestSnapshotEveryBytes = 1 << 10
    }
    _ = harness.join(1)
    harness.rest()
    harness.share(.leave(opening: 1, forGood: false))
    let payload = String(repeating: "p", count: 400)
    for number in 0..<400 {
      harness.publish([Draft("a/x", "\(number) \(payload)")])
      harness.rest()
      harness.tick()
    }
    for _ in 0..<30 {
      harness.tick(after: 1100)
      harness.rest()
    }
    let first = harness.replica.first
    #expect(first > Offset(10))
    _ = harness.join(2)
    _ = harness.join(3, edge: 2)
    harness.rest()
    let gaps = harness.replies.compactMap { reply -> ReadGap? in
      if case .group(let group) = reply.reply { group.push?.gap } else { nil }
    }
    #expect(gaps.map(\.to) == [Offset(first.value - 1)] && gaps.map(\.reason) == [.expired])
    let given = harness.takeGiven() + harness.takeGiven(edge: 2)
    #expect(given.map(\.offset).min() == first.value)
  }

  @Test("A quiet group keeps up with retention, and is told of no gap where nothing of its own was")
  func quiet() throws {
    let harness = try Harness { settings in
      settings.presenceSettling = .zero
      settings.retention = Retention(ageMilliseconds: 60_000, bytes: 20 << 10)
      settings.smallestSnapshotEveryBytes = 1 << 10
    }
    _ = harness.join(1)
    harness.rest()
    let payload = String(repeating: "p", count: 400)
    for number in 0..<400 {
      harness.publish([Draft("b", "\(number) \(payload)")])
      harness.rest()
      harness.tick()
      harness.rest()
    }
    #expect(harness.replica.first > Offset(10))
    try harness.reopen()
    harness.rest()
    _ = harness.join(2)
    harness.publish([Draft("a/x", "its own")])
    harness.rest()
    let pushes = harness.replies.compactMap { reply -> GroupPush? in if case .group(let group) = reply.reply { group.push } else { nil } }
    #expect(pushes.compactMap(\.gap) == [])
    #expect(pushes.flatMap { Seen.all($0.pieces) }.map(\.payload) == ["its own"])
  }

  // A group of replicas ----------------------------------------------------------------------------------

  @Test("A new leader is told who holds what, waits for that, and gives out the rest; the old one's edges are told to join anew")
  func leaderChanges() throws {
    let harness = try GroupHarness(3)
    let old = try harness.elect()
    let other = try #require(harness.members.first { $0 !== old })
    #expect(harness.share(.join(GroupMembership(opening: 1, members: 1, credit: 9)), at: other) == .notLeader(old.node))
    // It leads: but not for so long that all who were there before have been heard.
    harness.share(.join(GroupMembership(opening: 1, members: 1, credit: 9)), at: old)
    harness.share(.join(GroupMembership(opening: 2, members: 1, credit: 9)), from: EdgeID(2), at: old)
    harness.run(milliseconds: 100)
    for number in 0..<6 { _ = try harness.keep("\(number)") }
    #expect(harness.given(EdgeID(1), by: old).isEmpty)
    harness.run(milliseconds: 2100)
    let (one, two) = (harness.given(EdgeID(1), by: old), harness.given(EdgeID(2), by: old))
    #expect((one + two).map(\.payload).sorted() == ["0", "1", "2", "3", "4", "5"] && one.count == 3)
    harness.share(.acknowledge([Offset(one[0].offset)]), at: old)
    harness.run { harness.isLevel }
    harness.run(milliseconds: 200)
    harness.cut = [old.node]
    harness.run { harness.leader != nil && !old.isServing }
    #expect(
      old.replies.filter { if case .group(let reply) = $0.reply, case .ended = reply.content { true } else { false } }.map(\.edge) == [EdgeID(1), EdgeID(2)])
    let new = try #require(harness.leader)
    // The first edge is there still, and holds one of its two; the second is gone for good; a third comes.
    harness.share(.join(GroupMembership(opening: 11, members: 1, credit: 9, holding: [Offset(one[1].offset)])), at: new)
    harness.share(.join(GroupMembership(opening: 12, members: 1, credit: 9)), from: EdgeID(3), at: new)
    harness.run(milliseconds: 1000)
    #expect(harness.given(EdgeID(1), by: new).isEmpty && harness.given(EdgeID(3), by: new).isEmpty)
    harness.run(milliseconds: 1500)
    let again = harness.given(EdgeID(1), by: new) + harness.given(EdgeID(3), by: new)
    #expect(Set(again.map(\.offset)) == Set(two.map(\.offset) + [one[2].offset]))
    #expect(again.count == 4)
  }
}

extension GroupHarness {
  private static let group = GroupName(name: Bytes("g"), filter: try! Filter("#"))

  /// What it answers at once, if it refuses.
  @discardableResult func share(_ operation: GroupRequest.Operation, from edge: EdgeID = EdgeID(1), at member: Member) -> Refusal? {
    let ticket = Ticket(random.next())
    let request = GroupRequest(edge: edge, ticket: ticket, group: GroupHarness.group, operation: operation)
    receive(.group(request), at: member)
    for case .group(let reply) in member.replies.map(\.reply) { if case .answer(ticket, let refusal) = reply.content { return refusal } }
    return nil
  }

  func given(_ edge: EdgeID, by member: Member) -> [Seen] {
    member.replies.filter { $0.edge == edge }.flatMap { reply -> [Seen] in
      if case .group(let group) = reply.reply, case .push(let push) = group.content { return Seen.all(push.pieces) }
      return []
    }
  }
}
