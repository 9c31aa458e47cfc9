import Core
import Glibc
import Testing

@testable import Reactor

@Suite("The loop", .timeLimit(.minutes(1)))
struct LoopTests {
  private typealias Application = ScriptedApplication<Int>

  private func makeLoop() throws -> (ReactorLoop<Application>, Application) {
    let loop = try ReactorLoop<Application>(index: 0)
    return (loop, Application(loop))
  }

  @Test("a turn tells events, then mail, then timers, then its end")
  func orderWithinATurn() throws {
    let (loop, application) = try makeLoop()
    let pair = try SocketPair()
    defer { pair.close() }
    var story: [String] = []
    application.onStart = {
      story.append("started")
      try! loop.watch(pair.near, PollToken(kind: 1), .connection)
      loop.mailbox.post(1)
      _ = loop.schedule(TimerKey(1), at: loop.now)
    }
    application.onReady = { _, readiness in story.append(readiness.contains(.writable) ? "writable" : "other") }
    application.onMail = { _ in story.append("mail") }
    application.onExpired = { _ in story.append("timer") }
    application.onTurnEnd = {
      story.append("end")
      loop.stop()
    }
    application.onStop = { story.append("stopped") }
    loop.run(application)
    #expect(story == ["started", "writable", "mail", "timer", "end", "end", "stopped"])
    #expect(loop.counters.turns == 1 && loop.counters.events == 1 && loop.counters.timers == 1)
  }

  @Test("timers expire in order, not before their time, and repeat when set again")
  func timers() throws {
    let (loop, application) = try makeLoop()
    var told: [UInt64] = []
    var early = 0
    var began = Instant.zero
    application.onStart = {
      began = loop.now
      for delay in [9, 3, 6] { _ = loop.schedule(TimerKey(UInt64(delay)), at: began + .milliseconds(delay)) }
      let cancelled = loop.schedule(TimerKey(1), at: began + .milliseconds(1))
      #expect(loop.cancel(cancelled))
    }
    application.onExpired = { key in
      if loop.now < began + .milliseconds(Int(key.rawValue)) { early += 1 }
      told.append(key.rawValue)
      if key.rawValue == 9 { _ = loop.schedule(TimerKey(12), at: began + .milliseconds(12)) }
      if key.rawValue == 12 { loop.stop() }
    }
    loop.run(application)
    #expect(told == [3, 6, 9, 12])
    #expect(early == 0)
    #expect(loop.counters.waiting > .milliseconds(8))
  }

  @Test("work left over gets another turn at once, without a timer, event or mail")
  func leftOverWork() throws {
    let (loop, application) = try makeLoop()
    var turns = 0
    application.onStart = { loop.wakeImmediately() }
    application.onTurnEnd = {
      turns += 1
      if turns < 5 { loop.wakeImmediately() } else { loop.stop() }
    }
    loop.run(application)
    #expect(turns == 6, "five turns and the last flush")
    #expect(loop.counters.turns == 5)
  }

  @Test("events of a descriptor number that was used again meet a stale generation")
  func reusedDescriptors() throws {
    let (loop, application) = try makeLoop()
    var connections = SlotTable<FileDescriptor>()
    let first = try SocketPair()
    let second = try SocketPair()
    defer {
      first.far.close()
      second.far.close()
    }
    var dropped = 0
    var served: [SlotKey] = []
    var heir: SlotKey?
    application.onStart = {
      for pair in [first, second] {
        let key = connections.insert(pair.near)
        try! loop.watch(pair.near, PollToken(kind: 1, key), .connection)
      }
    }
    application.onReady = { token, _ in
      guard connections[token.slot] != nil else {
        dropped += 1
        return
      }
      served.append(token.slot)
      guard heir == nil else { return loop.stop() }
      // The first of the two events of this turn closes both and opens another on a number just freed.
      for key in connections.keys { connections.remove(key)?.close() }
      let fresh = try! SocketPair()
      fresh.far.close()
      let key = connections.insert(fresh.near)
      heir = key
      try! loop.watch(fresh.near, PollToken(kind: 1, key), .connection)
    }
    loop.run(application)
    #expect(dropped == 1)
    #expect(served.count == 2 && served.last == heir)
    for key in connections.keys { connections[key]?.close() }
  }

  @Test("edges are told once, levels in every turn")
  func edgesAndLevels() throws {
    let (loop, application) = try makeLoop()
    let edge = try SocketPair()
    let level = try SocketPair()
    defer {
      edge.close()
      level.close()
    }
    var told = [UInt8: Int]()
    application.onStart = {
      #expect(edge.far.send([1], count: 1) == .bytes(1))
      #expect(level.far.send([1], count: 1) == .bytes(1))
      try! loop.watch(edge.near, PollToken(kind: 1), .readable)
      try! loop.watch(level.near, PollToken(kind: 2), .listener)
    }
    application.onReady = { token, _ in told[token.kind, default: 0] += 1 }
    application.onTurnEnd = {
      if told[2] == 3 { loop.unwatch(level.near) }
      loop.wakeImmediately()
      if loop.counters.turns == 6 { loop.stop() }
    }
    loop.run(application)
    #expect(told == [1: 1, 2: 3])
  }

  /// A real listener in a process that has no descriptor to spare the first time it is asked.
  private final class DrySource: AcceptSource {
    let listener: TCPListener
    var attempts = 0

    init(_ listener: TCPListener) { self.listener = listener }

    var descriptor: FileDescriptor { listener.descriptor }
    func openReserve() -> FileDescriptor? { nil }
    func close(_ descriptor: FileDescriptor) {}
    func refuse(_ connection: FileDescriptor, saying farewell: [UInt8]) {}

    func accept() -> AcceptResult {
      attempts += 1
      return attempts == 1 ? .exhausted(EMFILE) : listener.accept()
    }
  }

  @Test("a listener that ran dry is left alone for the pause, without spinning, and then served")
  func pausedListener() throws {
    let (loop, application) = try makeLoop()
    let listener = try TCPListener.claim(loopback, loops: 1)[0]
    defer { listener.close() }
    var acceptor = Acceptor(DrySource(listener))
    let token = PollToken(kind: 1)
    let resume = TimerKey(1)
    var pausedAt: Instant?
    var turnsWhilePaused = 0
    var acceptedAt: Instant?
    var opened: FileDescriptor?
    defer { opened?.close() }
    application.onStart = {
      try! loop.startAccepting(acceptor, token)
      guard case .pending(let client) = TCPConnector.connect(to: listener.boundAddress) else { return loop.stop() }
      opened = client
    }
    application.onReady = { ready, _ in
      guard ready == token else { return }
      let outcome = loop.accept(&acceptor, resumeKey: resume) { connection, _ in
        acceptedAt = loop.now
        connection.close()
        loop.stop()
      }
      if case .paused = outcome { pausedAt = loop.now }
    }
    application.onTurnEnd = { if acceptor.pausedUntil != nil { turnsWhilePaused += 1 } }
    application.onExpired = { key in
      #expect(key == resume)
      try! loop.resumeAccepting(&acceptor, token)
    }
    loop.run(application)
    let waited = try #require(acceptedAt) - (try #require(pausedAt))
    #expect(waited >= .milliseconds(100))
    #expect(turnsWhilePaused <= 8, "\(turnsWhilePaused) turns in a pause are a spin")
    #expect(loop.counters.accepted == 1 && loop.counters.acceptPauses == 1)
  }

  @Test("threads carry their loop's name and the clocks go forward")
  func threadNames() throws {
    let names = try Mailbox<String>()
    let thread = try ReactorThread<Application>.start(index: 7) { loop in
      let application = Application(loop)
      application.onStart = {
        names.post(SystemCalls.text(ofFile: "/proc/thread-self/comm") ?? "")
        loop.stop()
      }
      return application
    }
    thread.join()
    var heard: [String] = []
    _ = names.take(into: &heard)
    #expect(heard == ["reactor-7\n"])
    let before = SystemClock.monotonic()
    #expect(SystemClock.monotonic() >= before && before > .zero)
    #expect(SystemClock.wall().milliseconds > 1_700_000_000_000)
  }
}

/// Two connected ends, non-blocking.
struct SocketPair {
  let near: FileDescriptor
  let far: FileDescriptor

  init() throws {
    var ends: [Int32] = [0, 0]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0 else {
      throw ReactorError.call("socketpair", errno)
    }
    near = FileDescriptor(ends[0])
    far = FileDescriptor(ends[1])
  }

  func close() {
    near.close()
    far.close()
  }
}
