import Core
import TestSupport
import Testing

@testable import Placement

@Suite("What a cluster agrees on about its nodes") struct MetaStateTests {
  private let nodes = (1...3).map { NodeID(UInt64($0)) }

  private func refusal(of command: MetaCommand, by state: inout MetaState) -> MetaRefusal? {
    do throws(MetaRefusal) {
      try state.apply(command)
      return nil
    } catch { return error }
  }

  private func bytes(_ state: MetaState) -> [UInt8] {
    var buffer = ByteBuffer()
    state.encode(into: &buffer)
    return buffer.withUnsafeBytes { [UInt8]($0) }
  }

  private func state(_ bytes: [UInt8]) -> MetaState? {
    do throws(PlacementRefusal) { return try MetaState(decoding: bytes.span.bytes) } catch { return nil }
  }

  @Test("A node drains, and takes part again; one that leaves does not come back")
  func life() {
    var state = MetaState()
    #expect(refusal(of: .drain(nodes[1]), by: &state) == nil)
    #expect(state.draining == [nodes[1]])
    #expect(refusal(of: .resume(nodes[1]), by: &state) == nil)
    #expect(state == MetaState())
    #expect(refusal(of: .remove(nodes[1]), by: &state) == .doesNotLeave(nodes[1]))
    _ = refusal(of: .drain(nodes[1]), by: &state)
    #expect(refusal(of: .leave(nodes[1]), by: &state) == nil)
    #expect(state.draining.isEmpty && state.leaving == [nodes[1]])
    #expect(refusal(of: .resume(nodes[1]), by: &state) == .leaves(nodes[1]))
    #expect(refusal(of: .remove(nodes[1]), by: &state) == nil)
    #expect(state.leaving.isEmpty && state.removed == [nodes[1]])
    for command in [MetaCommand.drain(nodes[1]), .resume(nodes[1]), .leave(nodes[1])] {
      #expect(refusal(of: command, by: &state) == .wasRemoved(nodes[1]))
    }
    #expect(refusal(of: .remove(nodes[1]), by: &state) == nil)
  }

  @Test("Wishes are bounded, and of the removed the newest are remembered")
  func bounds() {
    var state = MetaState()
    for number in 0..<PlacementLimits.wishes {
      #expect(refusal(of: .leave(NodeID(UInt64(number))), by: &state) == nil)
    }
    #expect(refusal(of: .leave(NodeID(1 << 40)), by: &state) == .tooMany)
    for number in 0..<PlacementLimits.wishes { _ = refusal(of: .remove(NodeID(UInt64(number))), by: &state) }
    _ = refusal(of: .leave(NodeID(1 << 40)), by: &state)
    _ = refusal(of: .remove(NodeID(1 << 40)), by: &state)
    #expect(state.removed.count == PlacementLimits.removed && state.removed.last == NodeID(1 << 40) && !state.removed.contains(NodeID(0)))
    #expect(bytes(state).count <= MetaState.maximumLength)
  }

  @Test("A state comes back as it was written; whatever else is refused")
  func coding() {
    var whole = MetaState()
    for command in [MetaCommand.drain(nodes[0]), .leave(nodes[1]), .leave(nodes[2]), .remove(nodes[2])] { _ = refusal(of: command, by: &whole) }
    let written = bytes(whole)
    #expect(state(written) == whole)
    for length in 0..<written.count { #expect(state(Array(written.prefix(length))) == nil) }
    #expect(state(written + [0]) == nil)
    #expect(state([9] + written.dropFirst()) == nil)
    var random = SeededGenerator(seed: 3)
    for _ in 0..<20_000 {
      var altered = written
      for _ in 0...random.below(3) { altered[random.below(altered.count)] = UInt8(truncatingIfNeeded: random.next()) }
      if let read = state(altered) { #expect(bytes(read) == altered) }
    }
  }
}

@Suite("Changing what a cluster agrees on") struct MetaSessionTests {
  /// The topic, and what happens to it between a read and a write.
  struct Topic {
    var value: (offset: Offset, bytes: Bytes)?

    mutating func write(_ bytes: Bytes, over head: Offset) -> MetaSession.Written {
      guard head == value?.offset ?? .zero else { return .overtaken }
      value = (Offset(head.value + 3), bytes)
      return .accepted(Offset(head.value + 3))
    }
  }

  private func settle(_ session: inout MetaSession, _ topic: inout Topic, at now: Instant, meanwhile: (inout Topic) -> Void = { _ in }) -> [String] {
    var answers: [String] = []
    var next = session.tick(at: now)
    for _ in 0..<100 {
      guard let want = next else { break }
      let outcome: (want: MetaSession.Want?, answers: [(tag: UInt64, answer: MetaSession.Answer)])
      switch want {
      case .read:
        let value = topic.value
        outcome = session.took(.success(value))
      case .write(let bytes, let head):
        meanwhile(&topic)
        let written = topic.write(bytes, over: head)
        outcome = session.wrote(written)
      }
      answers += outcome.answers.map { "\($0.tag) \($0.answer)" }
      next = outcome.want ?? session.tick(at: now)
    }
    return answers
  }

  @Test("What is asked for is read, changed and answered, also several at once")
  func changes() {
    var (session, topic) = (MetaSession(), Topic())
    for (tag, command) in [MetaCommand.drain(NodeID(1)), .drain(NodeID(1)), .leave(NodeID(2)), .remove(NodeID(3))].enumerated() {
      let isTaken = session.ask(command, tag: UInt64(tag))
      #expect(isTaken)
    }
    let answers = settle(&session, &topic, at: .zero)
    #expect(answers == ["0 done", "1 done", "2 done", "3 \(MetaSession.Answer.refused(.doesNotLeave(NodeID(3))))"])
    #expect(session.state.draining == [NodeID(1)] && session.state.leaving == [NodeID(2)])
  }

  @Test("Two nodes that change it at once both have their way")
  func contended() {
    var (one, other, topic) = (MetaSession(), MetaSession(), Topic())
    _ = one.ask(.drain(NodeID(1)), tag: 1)
    var rounds = 0
    let answers = settle(&one, &topic, at: .zero) { topic in
      guard rounds < 3 else { return }
      rounds += 1
      _ = other.ask(.leave(NodeID(UInt64(10 + rounds))), tag: 2)
      _ = settle(&other, &topic, at: .zero)
    }
    #expect(answers == ["1 done"])
    #expect(one.state.draining == [NodeID(1)] && one.state.leaving.count == 3)
  }

  @Test("One who is always overtaken is told so, and one who cannot ask anybody too")
  func failures() {
    var (session, other, topic) = (MetaSession(), MetaSession(), Topic())
    _ = session.ask(.drain(NodeID(1)), tag: 1)
    var number: UInt64 = 100
    let answers = settle(&session, &topic, at: .zero) { topic in
      number += 1
      _ = other.ask(.leave(NodeID(number)), tag: 2)
      _ = settle(&other, &topic, at: .zero)
    }
    #expect(answers.count == 1 && answers[0].hasPrefix("1 failed"))
    _ = session.ask(.drain(NodeID(1)), tag: 3)
    _ = session.tick(at: .zero)
    let failed = session.took(.failure(MetaFailure("nobody leads")))
    #expect(failed.want == nil && failed.answers.map(\.answer) == [.failed("nobody leads")])
  }

  @Test("It is read every two seconds, and one thing at a time")
  func pace() {
    var session = MetaSession()
    let first = session.tick(at: .zero)
    let whileAsking = session.tick(at: .zero + .seconds(9))
    _ = session.took(.success(nil))
    let soon = session.tick(at: .zero + .milliseconds(1999))
    let later = session.tick(at: .zero + .seconds(2))
    #expect(first == .read && whileAsking == nil && soon == nil && later == .read)
    #expect(session.knownAsOf == .zero, "the second read is not answered")
    _ = session.took(.failure(MetaFailure("nobody leads")))
    #expect(session.knownAsOf == .zero)
    let last = session.tick(at: .zero + .seconds(4))
    _ = session.took(.success(nil))
    #expect(last == .read && session.knownAsOf == .zero + .seconds(4))
  }
}
