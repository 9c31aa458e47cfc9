import Core
import Feeds
import Shard
import Testing

@testable import Replica

/// What the leader of a shard does for the sessions in it.
@Suite struct SessionTests {
  private let one = SessionOwner(high: 1, low: 1)
  private let two = SessionOwner(high: 2, low: 2)

  private func send(_ harness: Harness, _ operation: SessionRequest.Operation, edge: UInt32 = 1) {
    harness.receive(.session(SessionRequest(edge: EdgeID(edge), ticket: harness.ticket(), operation: operation)))
  }

  private func opening(_ client: String, _ owner: SessionOwner, nonce: UInt64, expiry: UInt32 = 100, will: String? = nil) -> SessionRequest.Operation {
    let will = will.map { SessionWill(record: Bytes($0), delay: 0) }
    return .change(
      .open(SessionOpening(client: Bytes(client), owner: owner, nonce: nonce, isClean: false, expiry: expiry, will: will)))
  }

  private func claim(_ client: String, _ epoch: UInt64) -> SessionClaim { SessionClaim(client: Bytes(client), epoch: epoch) }

  private func wait(_ harness: Harness, seconds: Int) {
    for _ in 0..<seconds * 10 {
      harness.tick()
      harness.settle()
    }
  }

  @Test("A session is opened when that is durable, and who had it is told")
  func takeover() throws {
    let harness = try Harness()
    send(harness, opening("c", one, nonce: 9), edge: 1)
    harness.turnEnds()
    #expect(harness.takeSessions().isEmpty)
    harness.settle()
    #expect(try harness.takeSessions().map { try $0.result.get() } == [.opened(SessionOpened(epoch: 1, identity: 9, kept: nil))])
    harness.replies.removeAll()
    send(harness, opening("c", two, nonce: 10), edge: 2)
    harness.settle()
    // Who has it is asked for it, and given a moment.
    #expect(harness.takeSessions().isEmpty)
    wait(harness, seconds: 1)
    #expect(try harness.takeSessions().map { try $0.result.get() }.count == 1)
    let told = harness.replies.compactMap { addressed in
      if case .sessionNotice(let notice) = addressed.reply { (addressed.edge, notice) } else { nil }
    }
    #expect(told.allSatisfy { $0.0 == EdgeID(1) && $0.1 == .takenOver(Harness.shard, claim("c", 1)) } && !told.isEmpty)
    try harness.reopen()
    harness.settle()
    send(harness, .claim(one, [claim("c", 1)]))
    send(harness, .claim(two, [claim("c", 2), claim("d", 1)]))
    #expect(try harness.takeSessions().map { try $0.result.get() } == [.lost([claim("c", 1)]), .lost([claim("d", 1)])])
  }

  @Test("A session that is given back when it is asked for is found as far as it came")
  func handover() throws {
    let harness = try Harness()
    send(harness, opening("c", one, nonce: 9), edge: 1)
    harness.settle()
    send(harness, opening("c", two, nonce: 10), edge: 2)
    send(harness, opening("c", two, nonce: 11), edge: 2)
    harness.settle()
    _ = harness.takeSessions()
    let save = SessionSave(claim("c", 1), number: 1, subscriptions: Bytes("s"), progress: Bytes("far"))
    send(harness, .change(.close(SessionClosing(save, expiry: 100, will: .dropped))), edge: 1)
    harness.settle()
    harness.settle()
    let kept = SessionKept(subscriptions: Bytes("s"), progress: Bytes("far"), isExact: true)
    let answers = try harness.takeSessions().map { try $0.result.get() }
    #expect(answers.count == 3)
    #expect(answers[1] == .opened(SessionOpened(epoch: 2, identity: 9, kept: kept)))
  }

  @Test("What a client left as its will is published before it is let in again, if it can be in a second", arguments: [true, false])
  func willFirst(isPublished: Bool) throws {
    let harness = try Harness()
    send(harness, opening("c", one, nonce: 9, will: "offline"))
    harness.settle()
    send(harness, .change(.close(SessionClosing(SessionSave(claim("c", 1), number: 1, subscriptions: nil, progress: nil), expiry: 0, will: .due))))
    // Of another client: not in its way.
    send(harness, opening("c", one, nonce: 10))
    send(harness, opening("d", one, nonce: 11))
    harness.settle()
    #expect(harness.notices == [.willDue(Harness.shard, number: 1, record: Bytes("offline"))])
    func opened() throws -> [UInt64] {
      try harness.takeSessions().compactMap { if case .opened(let opened) = try $0.result.get() { opened.identity } else { nil } }
    }
    #expect(try opened() == [9, 11])
    if isPublished {
      send(harness, .change(.forgetWill(1)))
      harness.settle()
    } else {
      wait(harness, seconds: 1)
    }
    #expect(try opened() == [10])
  }

  @Test("More openings in one turn than an entry holds are all answered")
  func many() throws {
    let harness = try Harness()
    for number in 0..<2500 { send(harness, opening("c\(number)", one, nonce: UInt64(number))) }
    harness.settle()
    let answers = harness.takeSessions()
    #expect(answers.count == 2500)
    #expect(answers.allSatisfy { if case .success(.opened) = $0.result { true } else { false } })
  }

  @Test("An owner that gives no sign of life loses its sessions, and its wills are handed out until they are published")
  func silence() throws {
    let harness = try Harness()
    send(harness, opening("a", one, nonce: 1, will: "a is gone"))
    send(harness, opening("b", two, nonce: 2, will: "b is gone"))
    harness.settle()
    for _ in 0..<8 {
      send(harness, .alive(two))
      wait(harness, seconds: 1)
    }
    #expect(harness.notices == [.willDue(Harness.shard, number: 1, record: Bytes("a is gone"))])
    #expect(harness.replica.state.sessions.owners == [two: 1])
    harness.notices.removeAll()
    for _ in 0..<5 {
      send(harness, .alive(two))
      wait(harness, seconds: 1)
    }
    #expect(harness.notices == [.willDue(Harness.shard, number: 1, record: Bytes("a is gone"))])
    harness.notices.removeAll()
    send(harness, .change(.forgetWill(1)))
    for _ in 0..<12 {
      send(harness, .alive(two))
      wait(harness, seconds: 1)
    }
    #expect(harness.notices.isEmpty)
    send(harness, .change(.save(SessionSave(claim("a", 1), number: 1, subscriptions: nil, progress: nil))))
    harness.settle()
    #expect(harness.takeSessions().last?.result == .failure(.sessionLost))
  }

  @Test("A leader that has just begun waits for owners it has not heard yet as long as for others")
  func newLeader() throws {
    let harness = try Harness()
    send(harness, opening("a", one, nonce: 1))
    harness.settle()
    try harness.reopen()
    harness.settle()
    wait(harness, seconds: 4)
    #expect(harness.replica.state.sessions.owners == [one: 1])
    send(harness, .alive(one))
    wait(harness, seconds: 4)
    #expect(harness.replica.state.sessions.owners == [one: 1])
    wait(harness, seconds: 2)
    #expect(harness.replica.state.sessions.owners == [:])
  }

  @Test("Sessions whose time is over go by themselves, thousands of them with few entries")
  func sweeping() throws {
    let harness = try Harness()
    for number in 0..<3000 {
      send(harness, opening("c\(number)", one, nonce: UInt64(number), expiry: 2))
    }
    harness.settle()
    for (number, reply) in harness.takeSessions().enumerated() {
      guard case .success(.opened(let opened)) = reply.result else { continue }
      let save = SessionSave(claim("c\(number)", opened.epoch), number: 1, subscriptions: nil, progress: nil)
      send(harness, .change(.close(SessionClosing(save, expiry: 2, will: .dropped))))
    }
    harness.settle()
    #expect(harness.replica.state.sessions.count == 3000)
    let before = harness.replica.committed.value
    wait(harness, seconds: 6)
    #expect(harness.replica.state.sessions.count == 0)
    #expect(harness.replica.committed.value - before < 20)
  }
}
