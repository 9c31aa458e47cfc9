import Core
import Feeds
import Testing

@testable import Shard

/// Sessions of MQTT clients as their shard keeps them, through the log.
@Suite struct SessionTableTests {
  private struct Scene {
    var state = ShardState()
    var log = LogWriter()
    var nonce: UInt64 = 0
    /// The epoch each client's session began with; tests count from one.
    var bases: [String: UInt64] = [:]
    let one = SessionOwner(high: 1, low: 1)
    let two = SessionOwner(high: 2, low: 2)

    mutating func change(_ change: SessionChange) throws -> CommandOutcome { try state.take(log.command([.session(change)]))[0] }

    mutating func wait(seconds: Int) { log.time = WallTime(milliseconds: log.time.milliseconds + Int64(seconds) * 1000) }

    mutating func open(
      _ client: String, _ owner: SessionOwner? = nil, clean: Bool = false, expiry: UInt32 = 100, will: String? = nil, delay: UInt32 = 0,
      nonce given: UInt64? = nil
    ) throws -> SessionOpened {
      nonce += 1
      let will = will.map { SessionWill(record: Bytes($0), delay: delay) }
      let opening = SessionOpening(client: Bytes(client), owner: owner ?? one, nonce: given ?? nonce, isClean: clean, expiry: expiry, will: will)
      let isNew = state.sessions[Bytes(client)] == nil
      guard case .session(let opened, of: _, ended: _, heldBy: _) = try change(.open(opening)) else { throw Unexpected() }
      if isNew { bases[client] = opened.epoch }
      return opened
    }

    mutating func save(_ client: String, _ epoch: UInt64, _ number: UInt64, _ progress: String) throws -> CommandOutcome {
      try change(.save(saving(client, epoch, number, progress)))
    }

    func saving(_ client: String, _ epoch: UInt64, _ number: UInt64, _ progress: String) -> SessionSave {
      SessionSave(SessionClaim(client: Bytes(client), epoch: epoch - 1 + (bases[client] ?? 1)), number: number, subscriptions: Bytes("s"), progress: Bytes(progress))
    }

    mutating func close(_ client: String, _ epoch: UInt64, expiry: UInt32 = 100, will: SessionClosing.WillFate = .dropped) throws -> CommandOutcome {
      try change(.close(SessionClosing(saving(client, epoch, .max, "closed"), expiry: expiry, will: will)))
    }

    /// What a leader would find to do now, done.
    mutating func sweep() throws -> Int {
      let due = state.sessions.due(at: log.time, looking: .max / 2, atMost: 1000)
      for claim in due { _ = try change(.settle(claim)) }
      return due.count
    }

    var wills: [String] { state.sessions.dueWills.map { $0.record.text } }
  }

  private struct Unexpected: Error {}

  @Test("A session is found again as it was saved, with a new epoch and the same identity; a clean one is not")
  func findsAgain() throws {
    var scene = Scene()
    let first = try scene.open("c")
    #expect(first.kept == nil && first.epoch == 1)
    #expect(try scene.save("c", 1, 1, "early") == .done)
    #expect(try scene.save("c", 1, 3, "late") == .done)
    // One that comes late changes nothing.
    #expect(try scene.save("c", 1, 2, "middle") == .done)
    let second = try scene.open("c", scene.two)
    #expect(second == SessionOpened(epoch: 2, identity: first.identity, kept: SessionKept(subscriptions: Bytes("s"), progress: Bytes("late"), isExact: false)))
    #expect(try scene.close("c", 2) == .done)
    let third = try scene.open("c")
    #expect(third.kept == SessionKept(subscriptions: Bytes("s"), progress: Bytes("closed"), isExact: true))
    let clean = try scene.open("c", clean: true)
    #expect(clean.kept == nil && clean.epoch == first.epoch + 3 && clean.identity != first.identity)
    #expect(try scene.open("c").kept == SessionKept(subscriptions: Bytes(), progress: Bytes(), isExact: false))
  }

  @Test("Only the newest holder may save or close, and none once it has let go")
  func fencing() throws {
    var scene = Scene()
    _ = try scene.open("c", scene.one)
    _ = try scene.open("c", scene.two)
    #expect(try scene.save("c", 1, 9, "old") == .refused(.sessionLost))
    #expect(try scene.close("c", 1) == .refused(.sessionLost))
    #expect(scene.state.sessions.holds(SessionClaim(client: Bytes("c"), epoch: 2), scene.two))
    #expect(!scene.state.sessions.holds(SessionClaim(client: Bytes("c"), epoch: 2), scene.one))
    #expect(try scene.close("c", 2) == .done)
    // The answer may have been lost: asked again it is as before.
    #expect(try scene.close("c", 2) == .done)
    #expect(try scene.save("c", 2, 9, "late") == .refused(.sessionLost))
    #expect(try scene.save("nobody", 1, 1, "x") == .refused(.sessionLost))
  }

  @Test("What closed a session that is over does not close the next one of its client, however late it comes again")
  func closingOfAnother() throws {
    var scene = Scene()
    let first = try scene.open("c", expiry: 0, will: "first")
    let closing = SessionClosing(scene.saving("c", 1, 1, "x"), expiry: 0, will: .due)
    #expect(try scene.change(.close(closing)) == .done)
    #expect(scene.wills == ["first"])
    let second = try scene.open("c", scene.two, expiry: 0, will: "second")
    #expect(second.epoch > first.epoch && second.kept == nil)
    #expect(try scene.change(.close(closing)) == .refused(.sessionLost))
    #expect(scene.wills == ["first"])
    #expect(scene.state.sessions.holds(SessionClaim(client: Bytes("c"), epoch: second.epoch), scene.two))
  }

  @Test("An opening that comes twice is one, and says whose claim it ended once")
  func openingTwice() throws {
    var scene = Scene()
    _ = try scene.open("c", scene.one, nonce: 70)
    let opening = SessionOpening(client: Bytes("c"), owner: scene.two, nonce: 71, isClean: false, expiry: 9, will: nil)
    let opened = SessionOpened(epoch: 2, identity: 70, kept: SessionKept(subscriptions: Bytes(), progress: Bytes(), isExact: false))
    let claim = SessionClaim(client: Bytes("c"), epoch: 1)
    #expect(try scene.change(.open(opening)) == .session(opened, of: Bytes("c"), ended: claim, heldBy: scene.one))
    #expect(try scene.change(.open(opening)) == .session(opened, of: Bytes("c"), ended: nil, heldBy: nil))
    // A new session is new the second time too: its client would not subscribe again.
    let fresh = SessionOpening(client: Bytes("new"), owner: scene.two, nonce: 72, isClean: false, expiry: 9, will: nil)
    #expect(try scene.change(.open(fresh)) == scene.change(.open(fresh)))
    #expect(scene.state.sessions["new".bytes]?.kept == nil)
  }

  @Test("A session is over when its time is, and not while its client is there; one without time with its connection")
  func expiry() throws {
    var scene = Scene()
    _ = try scene.open("short", expiry: 0)
    _ = try scene.open("long", expiry: 100)
    _ = try scene.open("ever", expiry: .max)
    #expect(try scene.save("short", 1, 1, "x") == .done)
    #expect(scene.state.sessions["short".bytes]?.progress == Bytes())
    scene.wait(seconds: 1000)
    #expect(try scene.sweep() == 0)
    _ = try scene.close("short", 1, expiry: 0)
    _ = try scene.close("long", 1)
    _ = try scene.close("ever", 1, expiry: .max)
    #expect(scene.state.sessions.count == 2)
    scene.wait(seconds: 99)
    #expect(try scene.sweep() == 0)
    scene.wait(seconds: 1)
    #expect(try scene.sweep() == 1)
    #expect(scene.state.sessions.count == 1)
    scene.wait(seconds: 1_000_000)
    #expect(try scene.sweep() == 0)
    #expect(scene.state.sessions.connectedCount == 0)
    // One whose end nobody has looked at yet is over all the same.
    _ = try scene.open("again", expiry: 5)
    _ = try scene.close("again", 1, expiry: 5)
    scene.wait(seconds: 6)
    #expect(try scene.open("again").kept == nil)
  }

  @Test("A will is due when its client is lost, after its delay or with the session's end, and once")
  func wills() throws {
    var scene = Scene()
    _ = try scene.open("now", will: "now", delay: 0)
    _ = try scene.open("later", will: "later", delay: 30)
    _ = try scene.open("end", expiry: 10, will: "end", delay: 30)
    _ = try scene.open("left", will: "left")
    _ = try scene.open("back", will: "back", delay: 5)
    _ = try scene.close("left", 1, will: .dropped)
    #expect(try scene.change(.lose(scene.one)) == .done)
    #expect(scene.wills == ["now"])
    _ = try scene.open("back", scene.two)
    scene.wait(seconds: 10)
    #expect(try scene.sweep() == 1)
    #expect(scene.wills == ["now", "end"])
    #expect(scene.state.sessions["end".bytes] == nil)
    scene.wait(seconds: 20)
    #expect(try scene.sweep() == 1)
    #expect(try scene.sweep() == 0)
    #expect(scene.wills == ["now", "end", "later"])
    #expect(scene.state.sessions["later".bytes] != nil)
    #expect(try scene.change(.forgetWill(2)) == .done)
    #expect(scene.wills == ["now", "later"])
  }

  @Test("A client that connects anew has its old will published where its connection broke, not where its session goes on in time")
  func willsOfPredecessors() throws {
    var scene = Scene()
    _ = try scene.open("a", will: "a at once")
    _ = try scene.open("a", scene.two)
    #expect(scene.wills == ["a at once"])
    _ = try scene.open("b", will: "b delayed", delay: 9)
    _ = try scene.open("b", scene.two)
    _ = try scene.open("c", will: "c delayed", delay: 9)
    _ = try scene.open("c", scene.two, clean: true)
    #expect(scene.wills == ["a at once", "c delayed"])
  }

  @Test("A node that goes gives its clients time to come back before their wills are due, those without a session too")
  func patience() throws {
    var scene = Scene()
    _ = try scene.open("comes", expiry: 0, will: "comes")
    _ = try scene.open("stays away", expiry: 0, will: "stays away")
    for client in ["comes", "stays away"] { _ = try scene.close(client, 1, expiry: 0, will: .waits(seconds: 10)) }
    #expect(scene.wills.isEmpty)
    scene.wait(seconds: 9)
    #expect(try scene.sweep() == 0)
    #expect(try scene.open("comes", scene.two, expiry: 0).kept == nil)
    scene.wait(seconds: 1)
    #expect(try scene.sweep() == 1)
    #expect(scene.wills == ["stays away"])
    #expect(scene.state.sessions.count == 1)
  }

  @Test("Whose owner is lost can be resumed, and is known not to be exact; an owner that is lost holds nothing any more")
  func losing() throws {
    var scene = Scene()
    for number in 0..<20 { _ = try scene.open("c\(number)", number % 2 == 0 ? scene.one : scene.two, expiry: number % 3 == 0 ? 0 : 100) }
    #expect(scene.state.sessions.owners == [scene.one: 10, scene.two: 10])
    #expect(try scene.save("c2", 1, 1, "far") == .done)
    _ = try scene.change(.lose(scene.one))
    #expect(scene.state.sessions.owners == [scene.two: 10])
    #expect(scene.state.sessions.count == 16)
    #expect(try scene.save("c2", 1, 2, "further") == .refused(.sessionLost))
    #expect(try scene.open("c2").kept == SessionKept(subscriptions: Bytes("s"), progress: Bytes("far"), isExact: false))
  }

  @Test("A snapshot holds sessions and wills, and goes on as the original does")
  func snapshot() throws {
    var scene = Scene()
    for number in 0..<40 {
      _ = try scene.open("c\(number)", number % 2 == 0 ? scene.one : scene.two, expiry: UInt32(number * 10), will: number % 3 == 0 ? "w\(number)" : nil, delay: UInt32(number % 7))
      if number % 4 == 0 { _ = try scene.save("c\(number)", 1, 1, "p\(number)") }
      if number % 5 == 0 { _ = try scene.close("c\(number)", 1, expiry: UInt32(number * 10), will: number % 2 == 0 ? .due : .waits(seconds: 4)) }
    }
    _ = try scene.change(.forgetWill(1))
    var restored = scene
    restored.state = try ShardState(snapshot: scene.state.snapshot())
    #expect(restored.state.snapshot() == scene.state.snapshot())
    #expect(restored.state.sessions.owners == scene.state.sessions.owners)
    for each in [0, 1] {
      func goOn(_ scene: inout Scene) throws -> Bytes {
        scene.wait(seconds: 50 + each)
        _ = try scene.change(.lose(scene.two))
        _ = try scene.sweep()
        _ = try scene.open("c7", scene.two)
        return scene.state.snapshot()
      }
      #expect(try goOn(&scene) == goOn(&restored))
    }
    #expect(scene.wills == restored.wills && !scene.wills.isEmpty)
  }

  @Test("Any change is read as it was written, and none that is cut or is no change")
  func coding() throws {
    let claim = SessionClaim(client: Bytes("ünder"), epoch: 7)
    let save = SessionSave(claim, number: 3, subscriptions: Bytes("s"), progress: nil)
    let owner = SessionOwner(high: .max, low: 1)
    let changes: [SessionChange] = [
      .open(SessionOpening(client: Bytes("c"), owner: owner, nonce: 5, isClean: true, expiry: .max, will: nil)),
      .open(SessionOpening(client: Bytes(), owner: owner, nonce: 5, isClean: false, expiry: 0, will: SessionWill(record: Bytes("r"), delay: 9))),
      .save(save), .save(SessionSave(claim, number: 3, subscriptions: nil, progress: Bytes("p"))),
      .close(SessionClosing(save, expiry: 8, will: .dropped)), .close(SessionClosing(save, expiry: 8, will: .due)),
      .close(SessionClosing(save, expiry: 8, will: .waits(seconds: 4))), .lose(owner), .settle(claim), .forgetWill(99),
    ]
    for change in changes {
      var buffer = ByteBuffer()
      ShardCommand.encode([.session(change)], into: &buffer)
      let bytes = buffer.freeze().array
      #expect(try bytes.withUnsafeBytes { try ShardCommand.decode($0) } == [.session(change)])
      for cut in 0..<bytes.count {
        #expect(throws: ShardStateError.self) { try Array(bytes[..<cut]).withUnsafeBytes { try ShardCommand.decode($0) } }
      }
    }
    // Version 1, one command of kind 5, with a change of kind 9.
    #expect(throws: ShardStateError.malformedCommand("a change of sessions that is none")) {
      try ([1, 1, 0, 5, 1, 0, 0, 0, 9] as [UInt8]).withUnsafeBytes { try ShardCommand.decode($0) }
    }
  }
}

extension String {
  fileprivate var bytes: Bytes { Bytes(self) }
}
