internal import Core
internal import Reactor
internal import Sealing
internal import Wire

extension LinkPort {
  func read(_ connection: LinkConnection) {
    // It has had its share of this turn, and is read on in the next.
    guard !connection.isReadLater else { return }
    for _ in 0..<LinkBounds.readsPerTurn {
      let isStranger = connection.phase == .handshake
      let most = isStranger ? LinkBounds.strangerBytes : LinkBounds.readBytes
      input.removeAll()
      input.append(connection.partial.bytes)
      switch connection.descriptor.receive(into: &input, atMost: most) {
      case .bytes(let count):
        counts.bytesReceived += count
        connection.lastHeard = now
        take(connection)
        if connection.isClosed { return }
        // A short read left nothing behind; what comes later is told anew. An end that came with the bytes is not.
        if count < most, !connection.endIsInSight { return }
      case .wouldBlock: return
      case .closed, .failed: return ended(connection)
      }
    }
    // Others have their turn first.
    connection.isReadLater = true
    _ = loop.schedule(TimerKey(PollToken(kind: Self.readingTimer, connection.key).rawValue), at: now)
  }

  /// Takes what lies in `input` for this connection, and keeps what is no whole frame.
  private func take(_ connection: LinkConnection) {
    var at = 0
    taking: while at < input.count, !connection.isClosed {
      switch connection.phase {
      case .connecting: break taking
      case .handshake:
        guard let taken = shake(connection, from: at), taken > 0 else { break taking }
        at += taken
      case .greeting, .linked:
        guard let taken = open(connection, from: at), taken > 0 else { break taking }
        at += taken
      case .finishing: at = input.count
      }
    }
    connection.partial.removeAll()
    if !connection.isClosed, at < input.count { connection.partial.append(inputBytes(from: at)) }
  }

  /// What was read and is not taken; valid until the next read.
  private func inputBytes(from at: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: input.readPointer + at, count: input.count - at)
  }

  // MARK: Proving

  /// How many bytes the handshake took; nil if it is over and the connection with it.
  private func shake(_ connection: LinkConnection, from at: Int) -> Int? {
    let progress: LinkProgress
    do throws(LinkRefusal) {
      progress = try connection.handshake!.receive(RawSpan(_unsafeBytes: inputBytes(from: at)), into: &connection.outgoing)
    } catch {
      refused(connection, error)
      return nil
    }
    if connection.unsent > 0 { list(connection) }
    if let established = progress.established {
      connection.handshake = nil
      connection.channel = LinkChannel(established.keys)
      connection.phase = .greeting
      switch connection.purpose {
      case .accepted: break
      case .dialled: queue(.hello(greeting), on: connection)
      case .question(let ticket, let question): queue(.gossipRequest(ticket: ticket, question), on: connection)
      }
    }
    return progress.taken
  }

  private func refused(_ connection: LinkConnection, _ refusal: LinkRefusal) {
    counts.handshakesRefused += 1
    connection.handshake = nil
    let direction = connection.isAccepted ? "refused \(connection.address), which dialled this node" : "no link to \(name(of: connection))"
    tell(.notAMember, connection, "\(direction): \(refusal)")
    finish(connection, "\(refusal)", waitsLongest: true)
  }

  // MARK: Messages

  /// How many bytes the next frame had; nil if it has not come whole, or the connection is over.
  private func open(_ connection: LinkConnection, from at: Int) -> Int? {
    let taken: Int
    let messages: Bytes?
    do throws(LinkChannel.Failure) {
      guard let opened = try connection.channel!.open(RawSpan(_unsafeBytes: inputBytes(from: at))) else { return nil }
      taken = opened.taken
      let limit = connection.phase == .linked ? settings.frameLimit : LinkBounds.firstMessage
      messages = try connection.channel!.takeWhole(opened.lane, limit: limit)
    } catch {
      unreadable(connection, error)
      return nil
    }
    if let messages { dispatch(messages, on: connection) }
    return taken
  }

  private func dispatch(_ messages: Bytes, on connection: LinkConnection) {
    var at = 0
    while at < messages.count, !connection.isClosed, connection.phase != .finishing {
      guard case .frame(let frame) = WireFrame.next(in: messages.bytes.extracting(at..<messages.count), limit: settings.longestFrame) else {
        preconditionFailure("only whole messages were taken")
      }
      let message: NodeMessage
      do throws(WireRefusal) {
        message = try NodeMessage(decoding: messages.slice(at..<at + frame.length), limit: settings.longestFrame)
      } catch {
        return unreadable(connection, .wire(error))
      }
      at += frame.length
      counts.messagesReceived += 1
      if connection.phase == .greeting { greeted(connection, message) } else { received(message, on: connection) }
    }
  }

  private func received(_ message: NodeMessage, on connection: LinkConnection) {
    switch message {
    case .ping(let stamp):
      // Who asks and does not read the answers is too slow like any other.
      if connection.channel!.queued(.urgent) < settings.urgentBytes {
        queue(.pong(stamp: stamp), on: connection)
      } else {
        closeSlow(connection)
      }
    case .pong(let stamp):
      let span = now - Instant(nanoseconds: Int64(bitPattern: stamp))
      if span >= .zero, span <= settings.silenceLimit { connection.roundTrip = span }
    case .farewell(let farewell): heard(farewell, on: connection)
    case .hello, .gossipRequest, .gossipReply: unreadable(connection, .wire(.contradiction))
    case .replica, .heartbeats, .request, .reply, .birth, .order, .statusAsk, .statusAnswer:
      if let peer = connection.peer { host.received(message, from: peer) }
    }
  }

  // MARK: Greeting

  /// The first message decides what this connection is.
  private func greeted(_ connection: LinkConnection, _ message: NodeMessage) {
    switch (connection.purpose, message) {
    case (_, .farewell(let farewell)): heard(farewell, on: connection)
    case (.accepted, .hello(let hello)): admit(hello, on: connection)
    case (.dialled(let dial), .hello(let hello)):
      if hello.node != dial.node, hello.node != own.node {
        return part(
          connection,
          NodeFarewell(
            .otherNode,
            "node \(dial.node) was looked for at \(connection.address), and node \(hello.node) answered: its address was given to another, or its data directory was emptied"))
      }
      admit(hello, on: connection)
    case (.accepted, .gossipRequest(let ticket, let question)): answer(connection, ticket, question)
    case (.question(let ticket, _), .gossipReply(let answered, let reply)) where ticket == answered:
      connection.isDetached = true
      close(connection, "answered")
      gossip?.answered(
        ticket, reply.map { .success($0) } ?? .failure(GossipStreamProblem(text: "it is another cluster's, or does not want to talk")))
    default: unreadable(connection, .wire(.contradiction))
    }
  }

  private var greeting: NodeHello {
    var hello = own
    hello.clock = loop.clockTime
    return hello
  }

  private func admit(_ hello: NodeHello, on connection: LinkConnection) {
    switch admission.decide(hello) {
    case .farewell(let farewell): part(connection, farewell, isCounted: true)
    case .welcome:
      connection.hello = hello
      if connection.isAccepted {
        queue(.hello(greeting), on: connection)
        if let older = incoming[hello.node].flatMap({ connections[$0] }) {
          tell(
            .superseded, older,
            "\(name(of: connection)) linked again while its older connection still stood: the older is closed; if this goes on, two processes use one identity")
          close(older, "its node linked again")
          // Whoever was told of the end may have ended this one too.
          if connection.isClosed { return }
        }
        incoming[hello.node] = connection.key
        strangers.removeAll { $0 == connection.key }
      } else if let dial = connection.dial {
        if dial.wasLinked { counts.reconnects += 1 }
        dial.wasLinked = true
        dial.problem = nil
      }
      connection.phase = .linked
      connection.linkedSince = now
      counts.linked += 1
      setTimer(connection, after: settings.pingPeriod)
      if connection.dial != nil { ping(connection) }
      host.linked(hello, dialled: connection.dial != nil, connection: connection.id)
    }
  }

  private func answer(_ connection: LinkConnection, _ ticket: UInt64, _ question: Bytes) {
    var reply: Bytes?
    if answering < settings.gossipAnswers, let gossip {
      reply = gossip.asked(question, ticket: ticket, from: connection.address)
      if connection.isClosed { return }
      counts.gossipAnswered += 1
    }
    answering += 1
    connection.isAnswering = true
    queue(.gossipReply(ticket: ticket, reply), on: connection)
    finish(connection, "answered", waitsLongest: false, within: settings.gossipTimeout)
  }
}

extension LinkSettings {
  /// What is whole was held to the limit of its phase already.
  var longestFrame: Int { max(frameLimit, LinkBounds.firstMessage) }
}
