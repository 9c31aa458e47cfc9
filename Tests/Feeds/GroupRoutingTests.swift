import Core
import Feeds
import Testing

@Suite("Members of groups, on their way to the leader") struct GroupRoutingTests {
  private static let (a, b) = (NodeID(1), NodeID(2))
  private static let shard = ShardID(0)
  private let group = GroupName(name: Bytes("g"), filter: try! Filter("t"))

  private func request(_ ticket: UInt64, _ operation: GroupRequest.Operation = .acknowledge([Offset(1)])) -> ShardRequest {
    .group(GroupRequest(edge: EdgeID(0), ticket: Ticket(ticket), group: group, operation: operation))
  }

  private func reply(_ content: GroupReply.Content) -> ShardReply { .group(GroupReply(shard: Self.shard, content)) }

  private func tickets(_ sends: [RoutedSend], to broker: NodeID) -> [UInt64] {
    sends.filter { $0.to == broker }.compactMap { if case .group(let request) = $0.request { request.ticket.value } else { nil } }
  }

  /// What the edge was told: tickets answered, and 0 for each time that it is to join anew.
  private func told(_ replies: [ShardReply]) -> [UInt64] {
    replies.compactMap { reply in
      guard case .group(let group) = reply else { return nil }
      return switch group.content {
      case .answer(let ticket, _): ticket.value
      case .ended: 0
      case .push: nil
      }
    }
  }

  @Test("What a lost leader did not answer is asked of the next, in its order; the edge joins anew if it had been heard")
  func moves() {
    var desk = Desk(leader: Self.a, [Self.a, Self.b])
    desk.ask(request(1))
    desk.flush()
    #expect(tickets(desk.takeSends(), to: Self.a) == [1])
    // Nobody has been heard yet: what is on its way is all there is.
    desk.receive(Self.a, reply(.answer(Ticket(1), .notLeader(Self.b))))
    desk.flush()
    #expect(tickets(desk.takeSends(), to: Self.b) == [1] && told(desk.takeReplies()) == [])
    desk.receive(Self.b, reply(.answer(Ticket(1), nil)))
    desk.ask(request(2))
    desk.ask(request(3))
    desk.flush()
    desk.router.went(Self.b, at: desk.now, into: &desk.output)
    desk.router.heard(Self.a, of: Self.shard, at: desk.now, into: &desk.output)
    desk.ask(request(4))
    desk.flush()
    #expect(told(desk.takeReplies()) == [1, 0])
    #expect(tickets(desk.takeSends(), to: Self.a) == [2, 3, 4])
  }

  @Test("A leader that says that it leads no more ends what was joined; one that was never heard, or is not, ends nothing")
  func ends() {
    var desk = Desk(leader: Self.a, [Self.a, Self.b])
    desk.receive(Self.a, reply(.ended(.notLeader(Self.b))))
    #expect(told(desk.takeReplies()) == [])
    desk.ask(request(1))
    desk.flush()
    desk.receive(Self.a, reply(.answer(Ticket(1), nil)))
    desk.receive(Self.b, reply(.ended(.notLeader(nil))))
    #expect(told(desk.takeReplies()) == [1])
    desk.receive(Self.a, reply(.ended(.notLeader(Self.b))))
    #expect(told(desk.takeReplies()) == [0])
    desk.ask(request(2))
    desk.flush()
    #expect(tickets(desk.takeSends(), to: Self.b) == [2])
  }
}
