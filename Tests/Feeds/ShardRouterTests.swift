import Core
import Feeds
import Testing

@Suite struct ShardRouterTests {
  static let a = NodeID(1), b = NodeID(2), c = NodeID(3)

  @Test("A publish goes to the leader, and its answer comes back once")
  func publishes() {
    var desk = Desk()
    desk.router.came(Self.a)
    desk.publish(1)
    desk.flush()
    #expect(desk.sent(to: Self.a) == [[1]])
    desk.answer(Self.a, 1, .accepted(Offset(1), WallTime(milliseconds: 5)))
    desk.answer(Self.a, 1, .accepted(Offset(1), WallTime(milliseconds: 5)))
    #expect(desk.outcomes(of: 1) == [.accepted(Offset(1), WallTime(milliseconds: 5))])
  }

  @Test("Whoever does not lead says who does, and is believed at once")
  func redirects() {
    var desk = Desk(leader: Self.a, [Self.a, Self.b])
    desk.publish(1)
    desk.publish(2)
    desk.flush()
    desk.answer(Self.a, 1, .refused(.notLeader(Self.b)))
    desk.flush()
    #expect(desk.sent(to: Self.b) == [[1], [2]])
    #expect(desk.router.leader(of: ShardID(0)) == Self.b)
    desk.answer(Self.a, 2, .refused(.notLeader(Self.b)))
    desk.flush()
    #expect(desk.sent(to: Self.b) == [[1], [2]], "an answer to an older attempt")
  }

  @Test("What a broken link leaves open is sent to another broker, in its order, before anything newer")
  func brokenLink() {
    var desk = Desk(leader: Self.a, [Self.a, Self.b])
    for number in 1...3 { desk.publish(number) }
    desk.flush()
    desk.answer(Self.a, 1, .accepted(Offset(1), WallTime(milliseconds: 1)))
    desk.router.went(Self.a, at: desk.now, into: &desk.output)
    desk.publish(4)
    desk.flush()
    #expect(desk.sent(to: Self.b) == [[2], [3], [4]])
  }

  @Test("An attempt of its own that got through is no duplicate to the publisher; another's is")
  func duplicates() {
    var desk = Desk(leader: Self.a, [Self.a, Self.b])
    desk.publish(1)
    desk.publish(2, key: "mine")
    desk.flush()
    desk.router.went(Self.a, at: desk.now, into: &desk.output)
    desk.flush()
    let use = PublishResult.Outcome.duplicate(Offset(9), WallTime(milliseconds: 3))
    desk.answer(Self.b, 1, use)
    desk.answer(Self.b, 2, use)
    #expect(desk.outcomes(of: 1) == [.accepted(Offset(9), WallTime(milliseconds: 3))])
    #expect(desk.outcomes(of: 2) == [use])
  }

  @Test("A publish whose publisher does not wait finds its way too, and nobody is told of it")
  func silent() {
    var desk = Desk(leader: Self.a, [Self.a, Self.b])
    desk.publish(1, wantsAnswer: false)
    desk.flush()
    let ticket = desk.sent(to: Self.a)[0][0]
    desk.answer(Self.a, ticket, .refused(.notLeader(Self.b)))
    desk.flush()
    #expect(desk.sent(to: Self.b) == [[ticket]])
    desk.answer(Self.b, ticket, .accepted(Offset(1), WallTime(milliseconds: 1)))
    #expect(desk.outcomes(of: ticket) == [] && desk.outcomes(of: 0) == [])
    desk.router.went(Self.b, at: desk.now, into: &desk.output)
    desk.flush()
    #expect(desk.sent(to: Self.a) == [[ticket]], "it was kept: nothing is sent again")
  }

  @Test("A shard without a quorum refuses at once when all who can be asked say so; with one silent it is waited for")
  func noQuorum() {
    var desk = Desk(leader: Self.a, [Self.a, Self.b])
    desk.publish(1)
    desk.flush()
    desk.answer(Self.a, 1, .refused(.noQuorum))
    desk.pass(.milliseconds(50))
    #expect(desk.sent(to: Self.b) == [[1]] && desk.outcomes(of: 1) == [])
    desk.answer(Self.b, 1, .refused(.noQuorum))
    #expect(desk.outcomes(of: 1) == [.refused(.noQuorum)])
  }

  @Test("An election is waited for; a shard that nobody leads for longer refuses at once, and is tried again")
  func elections() {
    var desk = Desk(leader: Self.a, [Self.a])
    desk.publish(1)
    for _ in 0..<40 {
      desk.pass(.milliseconds(50))
      desk.answer(Self.a, 1, .refused(.notLeader(nil)))
    }
    #expect(desk.outcomes(of: 1) == [], "two seconds may be an election")
    for _ in 0..<20 {
      desk.pass(.milliseconds(50))
      desk.answer(Self.a, 1, .refused(.notLeader(nil)))
    }
    #expect(desk.outcomes(of: 1) == [.refused(.noQuorum)])
    desk.publish(2)
    desk.publish(3)
    #expect(desk.outcomes(of: 3) == [.refused(.noQuorum)], "one is enough to see whether anything changed")
    desk.pass(.milliseconds(50))
    desk.answer(Self.a, 2, .accepted(Offset(1), WallTime(milliseconds: 1)))
    desk.publish(4)
    desk.flush()
    #expect(desk.sent(to: Self.a).last == [4] && desk.outcomes(of: 4) == [])
  }

  @Test("A replica that answers reads because nobody leads is no sign that somebody does: publishes are refused all the same")
  func readsFromBehind() {
    var desk = Desk(leader: Self.a, [Self.a])
    desk.publish(1)
    for number in 0..<60 {
      desk.pass(.milliseconds(50))
      desk.answer(Self.a, 1, .refused(.notLeader(nil)))
      let ticket = Ticket(UInt64(1000 + number))
      desk.ask(.read(ReadRequest(edge: EdgeID(0), ticket: ticket, filters: [], start: .current, maximumBytes: 1)))
      desk.flush()
      let page = ReadReply.Page(pieces: [], upTo: .zero, committed: .zero, isBehind: true)
      desk.receive(Self.a, .read(ReadReply(shard: ShardID(0), ticket: ticket, result: .success(page))))
    }
    #expect(desk.outcomes(of: 1) == [.refused(.noQuorum)])
  }

  @Test("Without any broker publishes wait for one, and not for ever")
  func nobody() {
    var desk = Desk()
    desk.publish(1)
    for _ in 0..<20 { desk.pass(.milliseconds(100)) }
    #expect(desk.outcomes(of: 1) == [])
    desk.router.came(Self.c)
    desk.flush()
    #expect(desk.sent(to: Self.c) == [[1]])
    desk.router.went(Self.c, at: desk.now, into: &desk.output)
    for _ in 0..<80 { desk.pass(.milliseconds(100)) }
    #expect(desk.outcomes(of: 1) == [.refused(.unknownOutcome)], "it may have been kept")
  }

  @Test("A leader without space knows nothing of an attempt at another: whether it was kept is not known")
  func fullElsewhere() {
    var desk = Desk(leader: Self.a, [Self.a, Self.b])
    desk.publish(1)
    desk.flush()
    #expect(desk.sent(to: Self.a) == [[1]])
    desk.router.went(Self.a, at: desk.now, into: &desk.output)
    desk.pass(.milliseconds(100))
    #expect(desk.sent(to: Self.b) == [[1]])
    desk.answer(Self.b, 1, .refused(.diskFull))
    #expect(desk.outcomes(of: 1) == [.refused(.unknownOutcome)])
    desk.publish(2)
    desk.flush()
    desk.answer(Self.b, 2, .refused(.diskFull))
    #expect(desk.outcomes(of: 2) == [.refused(.diskFull)])
  }

  @Test("More than a shard may hold is refused")
  func bounded() {
    var settings = RouterSettings()
    settings.heldBytes = 1000
    var desk = Desk(settings: settings)
    for number in 1...20 { desk.publish(number) }
    let refused = (1...20).count { desk.outcomes(of: $0) == [.refused(.overloaded)] }
    #expect(refused > 5 && refused < 20)
  }

  @Test("A feed whose leader moves is ended, opened anew there, and hears nothing from the old one")
  func feeds() {
    var desk = Desk(leader: Self.a, [Self.a, Self.b])
    desk.ask(.interest(InterestChange(edge: EdgeID(0), ticket: Ticket(1), add: [try! Filter("t")], remove: [], restarts: false)))
    desk.flush()
    #expect(desk.changes(to: Self.a) == [1])
    desk.receive(Self.a, .interest(InterestReply(shard: ShardID(0), ticket: Ticket(1), liveFrom: Offset(3))))
    desk.receive(Self.a, .feedEnded(ShardID(0), .notLeader(Self.b)))
    #expect(desk.endings == 1)
    desk.receive(Self.a, .push(FeedPush(shard: ShardID(0), pieces: [], upTo: Offset(9))))
    desk.ask(.interest(InterestChange(edge: EdgeID(0), ticket: Ticket(2), add: [try! Filter("t")], remove: [], restarts: true)))
    desk.flush()
    #expect(desk.changes(to: Self.b) == [2])
    desk.receive(Self.a, .push(FeedPush(shard: ShardID(0), pieces: [], upTo: Offset(10))))
    #expect(desk.pushes == [])
    desk.receive(Self.b, .push(FeedPush(shard: ShardID(0), pieces: [], upTo: Offset(4))))
    #expect(desk.pushes == [4])
  }

  @Test("A read that is refused in passing is asked elsewhere; what holds for good is told")
  func reads() {
    var desk = Desk(leader: Self.a, [Self.a, Self.b])
    let read = ReadRequest(edge: EdgeID(0), ticket: Ticket(5), filters: [], start: .earliest, maximumBytes: 10)
    desk.ask(.read(read))
    desk.flush()
    desk.receive(Self.a, .read(ReadReply(shard: ShardID(0), ticket: Ticket(5), result: .failure(.notLeader(Self.b)))))
    desk.flush()
    desk.receive(Self.b, .read(ReadReply(shard: ShardID(0), ticket: Ticket(5), result: .failure(.damaged("x")))))
    desk.receive(Self.b, .read(ReadReply(shard: ShardID(0), ticket: Ticket(5), result: .failure(.damaged("x")))))
    #expect(desk.readAnswers == [5])
  }

  @Test("Whatever leaders, links and answers do: every publish is answered once, and what was accepted is kept once, in order", arguments: 1...200 as ClosedRange<UInt64>)
  func storms(seed: UInt64) {
    var storm = Storm(seed: seed)
    storm.run()
    #expect(storm.complaint == nil, "seed \(seed): \(storm.complaint ?? "")")
  }
}
