internal import Core
internal import Glibc
internal import HTTP
internal import MQTT
public import Reactor

extension EdgeReactor {
  // MARK: Arriving

  /// A client's socket, accepted on a listener of this reactor.
  public func accepted(_ descriptor: FileDescriptor, isFromLoopback: Bool, speaksMQTT: Bool = false) {
    counters.accepted += 1
    guard let share = settings.connectionBudget.take(mayReserve: !speaksMQTT) else {
      counters.refused += 1
      // MQTT has no word for it that may be said before CONNECT.
      if !speaksMQTT { sayFull(descriptor) }
      descriptor.close()
      return
    }
    let now = now
    let key = connections.insert { key in
      Connection(
        key: key, descriptor: descriptor, role: .http(HTTPSession(limits: httpLimits)), now: now,
        isFromLoopback: isFromLoopback)
    }
    guard let connection = connections[key] else { return }
    connection.share = share
    do throws(ReactorError) {
      try loop.watch(descriptor, PollToken(kind: Self.connectionKind, key), [.readable, .writable])
    } catch {
      settings.connectionBudget.giveBack(share)
      connections.remove(key)
      descriptor.close()
      return
    }
    if speaksMQTT {
      makeMQTT(connection, framing: nil)
    } else {
      setTimer(connection, after: share == .reserve ? Self.reservePatience : settings.idleTimeout)
    }
    // Whoever connects usually has something to say already.
    read(connection)
  }

  /// So long a connection of the reserve may take for its one request and the answer.
  private static let reservePatience = TimeSpan.seconds(2)

  /// One of the reserve that asked for what a full node has for nobody more, or for nothing: its place is free at once.
  func turnAway(_ connection: Connection) {
    counters.refused += 1
    sayFull(connection.descriptor)
    close(connection)
  }

  private func sayFull(_ descriptor: FileDescriptor) {
    var problem = Problem(.unavailable, "This node has as many connections as it may have. Come back later, or go to another node.")
    problem.retryAfterSeconds = 5
    var body = ByteBuffer(capacity: 256)
    problem.append(into: &body)
    var answer = ByteBuffer(capacity: 512)
    body.withUnsafeBytes { bytes in
      appendAnswer(.unavailable, "application/problem+json", bytes, AnswerManner(connection: .close), into: &answer) {
        HTTPFieldEncoder.field("Retry-After", decimal: problem.retryAfterSeconds ?? 1, into: &$0)
      }
    }
    // The kernel's buffer of a new socket takes this; a client that is gone already needs no answer.
    _ = answer.withUnsafeBytes { descriptor.send($0.baseAddress.unsafelyUnwrapped, count: $0.count) }
    descriptor.finishSending()
    // Unread input would turn the close into a reset, and the answer might be lost.
    _ = descriptor.receive(into: readBuffer.baseAddress.unsafelyUnwrapped, count: readBuffer.count)
  }

  // MARK: Reading

  func read(_ connection: Connection) {
    if isHeldBack(connection) {
      connection.mayReadMore = true
      return
    }
    connection.mayReadMore = false
    for _ in 0..<Self.readsPerTurn {
      switch connection.descriptor.receive(into: readBuffer.baseAddress.unsafelyUnwrapped, count: readBuffer.count) {
      case .bytes(let count):
        connection.lastActive = now
        receive(UnsafeMutableRawBufferPointer(rebasing: readBuffer[..<count]), on: connection)
        if connection.isClosed { return }
        // A short read left nothing behind; what comes later is told anew. An end that came with the bytes is not.
        if count < readBuffer.count, !connection.endIsInSight { return }
        if isHeldBack(connection) {
          connection.mayReadMore = true
          return
        }
      case .wouldBlock:
        return
      case .closed:
        connection.endIsInSight = true
        peerFinished(connection)
        return
      case .failed:
        close(connection)
        return
      }
    }
    unread.append(connection.key)
    loop.wakeImmediately()
  }

  /// A client that does not take its answers is not asked for more.
  func isHeldBack(_ connection: Connection) -> Bool {
    switch connection.role {
    case .http(let session): session.isPaused || session.isEnding || connection.output.pendingBytes > RequestLimits.unansweredBytes
    case .webSocket: connection.output.pendingBytes > RequestLimits.unansweredBytes
    case .mqtt(let session): session.channel.isPaused || connection.output.pendingBytes > RequestLimits.unansweredBytes
    case .following, .finishing: false
    }
  }

  /// Goes on reading where `isHeldBack` stopped.
  func resumeReading(_ connection: Connection) {
    guard !connection.isClosed, !isHeldBack(connection) else { return }
    if connection.input.count > 0 { receive(UnsafeMutableRawBufferPointer(start: nil, count: 0), on: connection) }
    if connection.mayReadMore, !connection.isClosed, !isHeldBack(connection) {
      connection.mayReadMore = false
      unread.append(connection.key)
      loop.wakeImmediately()
    }
  }

  /// Gives what has come, behind what was left of the last time, to `take`, which says how much of it is done with.
  func feed(_ bytes: UnsafeMutableRawBufferPointer, to connection: Connection, _ take: (UnsafeMutableRawBufferPointer) -> Int) {
    if connection.input.isEmpty {
      let consumed = take(bytes)
      guard connection.readsOn else { return }
      if consumed < bytes.count { connection.input.append(UnsafeRawBufferPointer(rebasing: bytes[consumed...])) }
    } else {
      // Taken out while it is read: a handler may end or change the connection.
      var input = ByteBuffer()
      swap(&input, &connection.input)
      input.append(UnsafeRawBufferPointer(bytes))
      let consumed = input.withUnsafeMutableBytes { take($0) }
      guard connection.readsOn else { return }
      if consumed < input.count {
        input.removeFirst(consumed)
        swap(&input, &connection.input)
      }
    }
  }

  private func receive(_ bytes: UnsafeMutableRawBufferPointer, on connection: Connection) {
    switch connection.role {
    case .http(let session): receive(bytes, on: connection, session)
    case .webSocket(let session): receive(bytes, on: connection, session)
    case .mqtt(let session): receive(bytes, on: connection, session)
    case .following, .finishing: break
    }
  }

  private func peerFinished(_ connection: Connection) {
    switch connection.role {
    case .http(let session):
      if isCutShort(connection, session) { return refuse(.truncated, connection, session) }
      // Answers under way may still be wanted by a client that only finished sending.
      if session.pending.isEmpty, connection.output.isEmpty { return close(connection) }
      session.peerFinished = true
      connection.closesWhenSent = session.pending.isEmpty
    case .following, .webSocket, .mqtt, .finishing:
      close(connection)
    }
  }

  // MARK: Writing

  /// Writes at the end of this turn.
  func list(_ connection: Connection) {
    guard !connection.isListed, !connection.isBlocked, !connection.isClosed else { return }
    connection.isListed = true
    listed.append(connection)
  }

  func writeListed() {
    var index = 0
    while index < listed.count {
      let connection = listed[index]
      connection.isListed = false
      if !connection.isClosed, !connection.isBlocked { write(connection) }
      index += 1
    }
    listed.removeAll(keepingCapacity: true)
  }

  /// Sends what is the connection's own, then goes on in its audience's stream.
  func write(_ connection: Connection) {
    guard sendOwn(connection) else {
      // Its own bytes come first: the stream waits for them.
      if let audience = connection.audience { audience.members[connection.memberIndex].isStalled = true }
      return
    }
    if connection.closesWhenSent {
      finish(connection)
      return
    }
    if connection.audience != nil { resumeMember(connection) }
    if connection.reader != nil { makePumpable(connection) }
    if case .mqtt(let session) = connection.role { goOnSharing(session) }
    resumeReading(connection)
  }

  /// True when all of it has left.
  private func sendOwn(_ connection: Connection) -> Bool {
    while let rest = connection.output.rests.first {
      switch connection.descriptor.send(rest.piece.start, count: rest.piece.count) {
      case .bytes(let sent):
        fanout.counters.bytes += sent
        if connection.isMQTT { fanout.counters.mqttBytes += sent }
        if sent < rest.piece.count {
          connection.output.rests[0].piece.start += sent
          connection.output.rests[0].piece.count -= sent
          connection.isBlocked = true
          return false
        }
        fanout.arenas[rest.arena].release(rest.piece.chunk)
        connection.output.rests.removeFirst()
      case .wouldBlock:
        connection.isBlocked = true
        return false
      case .closed, .failed:
        close(connection)
        return false
      }
    }
    while connection.output.sent < connection.output.own.count {
      let start = connection.output.own.readPointer + connection.output.sent
      switch connection.descriptor.send(start, count: connection.output.own.count - connection.output.sent) {
      case .bytes(let sent):
        fanout.counters.bytes += sent
        connection.output.sent += sent
      case .wouldBlock:
        connection.isBlocked = true
        connection.output.compact()
        return false
      case .closed, .failed:
        close(connection)
        return false
      }
    }
    if case .http = connection.role {
      connection.output.settle(keepingMemory: true)
    } else {
      connection.output.settle(keepingMemory: false)
    }
    return true
  }

  // MARK: Timers and ends

  func setTimer(_ connection: Connection, after span: TimeSpan) {
    if let timer = connection.timer { loop.cancel(timer) }
    connection.timer = loop.schedule(TimerKey(PollToken(kind: Self.connectionTimer, connection.key).rawValue), at: now + span)
  }

  func clearTimer(_ connection: Connection) {
    if let timer = connection.timer { loop.cancel(timer) }
    connection.timer = nil
  }

  func connectionTimerFired(_ connection: Connection) {
    connection.timer = nil
    switch connection.role {
    case .http where connection.share == .reserve: turnAway(connection)
    case .http(let session): httpTimerFired(connection, session)
    case .webSocket(let session): webSocketTimerFired(connection, session)
    case .mqtt(let session): mqttTimerFired(connection, session)
    case .following: followerTimerFired(connection)
    case .finishing: close(connection)
    }
  }

  /// Ends the connection once everything queued has left; nothing more is read.
  func closeWhenSent(_ connection: Connection) {
    connection.closesWhenSent = true
    leaveEverything(connection)
    connection.role = .finishing
    setTimer(connection, after: settings.closeTimeout)
    list(connection)
  }

  /// All has been sent: say so, and give the peer a moment to see it. Closing at once with unread input would
  /// reset the connection, and the peer might lose the answer.
  private func finish(_ connection: Connection) {
    connection.descriptor.finishSending()
    drainInput(connection)
    if !connection.isClosed {
      connection.closesWhenSent = false
      if case .finishing = connection.role {} else {
        leaveEverything(connection)
        connection.role = .finishing
      }
      setTimer(connection, after: TimeSpan.seconds(2))
    }
  }

  private func drainInput(_ connection: Connection) {
    for _ in 0..<Self.readsPerTurn {
      switch connection.descriptor.receive(into: readBuffer.baseAddress.unsafelyUnwrapped, count: readBuffer.count) {
      case .bytes: continue
      case .wouldBlock: return
      case .closed, .failed:
        close(connection)
        return
      }
    }
  }

  func leaveEverything(_ connection: Connection) {
    endPresence(connection)
    // While it still knows where it stands.
    if case .mqtt(let session) = connection.role { loseMQTT(connection, session) }
    if connection.audience != nil { leaveAudience(connection) }
    if let reader = connection.reader {
      release(reader, of: connection)
      connection.reader = nil
    }
    if case .http(let session) = connection.role { abandon(session, of: connection) }
  }

  func close(_ connection: Connection) {
    guard !connection.isClosed else { return }
    connection.isClosed = true
    leaveEverything(connection)
    for rest in connection.output.rests { fanout.arenas[rest.arena].release(rest.piece.chunk) }
    connection.output.rests.removeAll()
    clearTimer(connection)
    loop.unwatch(connection.descriptor)
    connection.descriptor.close()
    connections.remove(connection.key)
    settings.connectionBudget.giveBack(connection.share)
  }
}
