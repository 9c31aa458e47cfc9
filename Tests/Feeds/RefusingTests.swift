import Core
import Feeds
import Testing

@Suite struct RefusingTests {
  static let edge = EdgeID(3), shard = ShardID(5), ticket = Ticket(7)
  static let refusal = Refusal.notLeader(NodeID(9))

  @Test("Of a batch those publishers are told that wait, in their order")
  func publish() {
    let batch = PublishBatch(edge: Self.edge)
    for (number, waits) in [(1, true), (2, false), (3, true)] {
      batch.entries.append(PublishEntry(ticket: Ticket(UInt64(number)), length: 0, wantsAnswer: waits))
    }
    let reply = ShardRequest.publish(batch).refused(Self.refusal, by: Self.shard)
    guard case .published(Self.shard, let results) = reply else { return unexpected(reply) }
    #expect(results.map(\.ticket) == [Ticket(1), Ticket(3)])
    #expect(results.allSatisfy { $0.outcome == .refused(Self.refusal) })
  }

  @Test("A batch for which nobody waits is answered with nothing in the answer")
  func silentPublish() {
    let batch = PublishBatch(edge: Self.edge)
    batch.entries.append(PublishEntry(ticket: Self.ticket, length: 0, wantsAnswer: false))
    let reply = ShardRequest.publish(batch).refused(Self.refusal, by: Self.shard)
    guard case .published(Self.shard, let results) = reply else { return unexpected(reply) }
    #expect(results.isEmpty)
  }

  @Test("A read fails under its ticket")
  func read() {
    let request = ReadRequest(edge: Self.edge, ticket: Self.ticket, filters: [], start: .latest, maximumBytes: 1)
    let reply = ShardRequest.read(request).refused(Self.refusal, by: Self.shard)
    guard case .read(let answer) = reply else { return unexpected(reply) }
    #expect(answer.shard == Self.shard && answer.ticket == Self.ticket)
    #expect(throws: Self.refusal) { try answer.result.get() }
  }

  @Test("A history fails under its ticket")
  func history() throws {
    let request = HistoryRequest(edge: Self.edge, ticket: Self.ticket, topic: try Topic("t"), before: nil, limit: 1)
    let reply = ShardRequest.history(request).refused(Self.refusal, by: Self.shard)
    guard case .history(let answer) = reply else { return unexpected(reply) }
    #expect(answer.shard == Self.shard && answer.ticket == Self.ticket)
    #expect(throws: Self.refusal) { try answer.result.get() }
  }

  @Test("A question about a consumer fails under its ticket")
  func consumer() {
    let request = ConsumerRequest(edge: Self.edge, ticket: Self.ticket, operation: .list)
    let reply = ShardRequest.consumer(request).refused(Self.refusal, by: Self.shard)
    guard case .consumer(let answer) = reply else { return unexpected(reply) }
    #expect(answer.shard == Self.shard && answer.ticket == Self.ticket)
    #expect(throws: Self.refusal) { try answer.result.get() }
  }

  @Test("What is said or asked of presence fails under its ticket")
  func presence() {
    let request = PresenceRequest(edge: Self.edge, ticket: Self.ticket, operation: .ask(PresenceQuestion(filters: [], limit: 1)))
    let reply = ShardRequest.presence(request).refused(Self.refusal, by: Self.shard)
    guard case .presence(let answer) = reply else { return unexpected(reply) }
    #expect(answer.shard == Self.shard && answer.ticket == Self.ticket)
    #expect(throws: Self.refusal) { try answer.result.get() }
  }

  @Test("A change of interest ends the feed")
  func interest() {
    let change = InterestChange(edge: Self.edge, ticket: Self.ticket, add: [], remove: [])
    let reply = ShardRequest.interest(change).refused(Self.refusal, by: Self.shard)
    guard case .feedEnded(Self.shard, Self.refusal) = reply else { return unexpected(reply) }
  }

  private func unexpected(_ reply: ShardReply) { Issue.record("answered with \(reply)") }
}
