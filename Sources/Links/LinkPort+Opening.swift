public import Core
public import Reactor
internal import Sealing
internal import Wire

extension LinkPort {
  // MARK: Being dialled

  /// A connection that was accepted on the cluster's port.
  public func accepted(_ descriptor: FileDescriptor, from address: SocketAddress) {
    counts.accepted += 1
    guard !isClosing else { return descriptor.close() }
    if strangers.count >= settings.strangers, let oldest = strangers.first.flatMap({ connections[$0] }) {
      counts.strangersDropped += 1
      tell(
        .tooManyStrangers, oldest,
        "\(strangers.count) connections on the cluster's port have not said who they are, and the oldest of them go: somebody scans it or floods it, keep strangers away from it")
      close(oldest, "it made room for newer connections")
    }
    do throws(ReactorError) {
      try LinkBounds.options.apply(to: descriptor)
    } catch {
      // Gone already, most likely; reading says so.
      counts.strangersDropped += 1
      return descriptor.close()
    }
    guard let connection = begin(descriptor, .accepted, address.plain, .handshake) else { return }
    strangers.append(connection.key)
    let key = random()
    connection.handshake = LinkHandshake.responder(secret: secret, privateKey: key.span.bytes)
    setTimer(connection, after: settings.handshakeTimeout)
    read(connection)
  }

  // MARK: Dialling

  /// Wants a link to this node from now on; with another address than before it is looked for there.
  public func connect(to node: NodeID, at address: SocketAddress) {
    guard !isClosing else { return }
    if let key = dialOfNode[node], let dial = dials[key] {
      guard dial.address != address else { return }
      dial.address = address
      dial.failures = 0
      let former = dial.connection.flatMap { connections[$0] }
      dial.connection = nil
      loop.cancel(dial.timer)
      if let former { close(former, "the node moved to \(address)") }
      // Whoever was told of the end may have wanted something else meanwhile.
      guard dials[key] === dial, dial.connection == nil else { return }
      loop.cancel(dial.timer)
      return attempt(dial)
    }
    let dial = Dial(node: node, address: address)
    dial.key = dials.insert(dial)
    dialOfNode[node] = dial.key
    attempt(dial)
  }

  /// Wants no link to this node any more.
  public func disconnect(from node: NodeID) {
    guard let key = dialOfNode.removeValue(forKey: node), let dial = dials.remove(key) else { return }
    loop.cancel(dial.timer)
    if let connection = dial.connection.flatMap({ connections[$0] }) { close(connection, "it is not wanted any more") }
  }

  func attempt(_ dial: Dial) {
    counts.dials += 1
    switch TCPConnector.connect(to: dial.address, options: LinkBounds.options) {
    case .failed(let error): failed(dial, "\(error)", waitsLongest: false)
    case .pending(let descriptor):
      let connection = begin(descriptor, .dialled(dial), dial.address, .connecting)
      dial.connection = connection?.key
      if connection == nil { failed(dial, "the kernel did not let its socket be watched", waitsLongest: true) }
    case .connected(let descriptor):
      guard let connection = begin(descriptor, .dialled(dial), dial.address, .connecting) else {
        return failed(dial, "the kernel did not let its socket be watched", waitsLongest: true)
      }
      dial.connection = connection.key
      sayHello(connection)
    }
  }

  /// The attempt, or the link, is over: the next attempt follows after a while, drawn so that nodes that lost the same
  /// peer do not come back together.
  func failed(_ dial: Dial, _ problem: String, waitsLongest: Bool) {
    dial.connection = nil
    dial.problem = problem
    guard dials[dial.key] === dial, !isClosing else { return }
    var most = settings.longestBackoff
    if !waitsLongest {
      let doubled = settings.shortestBackoff.nanoseconds << Int64(min(dial.failures, 20))
      most = min(most, TimeSpan(nanoseconds: doubled))
    }
    dial.failures += 1
    // What will not pass by itself is not tried at once by chance.
    let least = waitsLongest ? most.nanoseconds / 2 : 0
    let wait = least + Int64(generator.below(Int(max(1, most.nanoseconds - least))))
    dial.timer = loop.schedule(
      TimerKey(PollToken(kind: Self.dialTimer, dial.key).rawValue), at: now + TimeSpan(nanoseconds: wait))
  }

  // MARK: Asking for the gossip

  func ask(_ address: SocketAddress, ticket: UInt64, _ question: Bytes) {
    counts.gossipAsked += 1
    func fail(_ text: String) { gossip?.answered(ticket, .failure(GossipStreamProblem(text: text))) }
    guard !isClosing else { return fail("this node is about to stop") }
    switch TCPConnector.connect(to: address, options: LinkBounds.options) {
    case .failed(let error): fail("\(error)")
    case .pending(let descriptor):
      if begin(descriptor, .question(ticket: ticket, question), address, .connecting) == nil { fail("no socket can be watched") }
    case .connected(let descriptor):
      guard let connection = begin(descriptor, .question(ticket: ticket, question), address, .connecting) else {
        return fail("no socket can be watched")
      }
      sayHello(connection)
    }
  }

  // MARK: Coming about

  private func begin(
    _ descriptor: FileDescriptor, _ purpose: LinkConnection.Purpose, _ address: SocketAddress, _ phase: LinkConnection.Phase
  ) -> LinkConnection? {
    let key = connections.insert { key in
      LinkConnection(key: key, descriptor: descriptor, purpose: purpose, address: address, phase: phase, now: now)
    }
    guard let connection = connections[key] else { return nil }
    do throws(ReactorError) {
      try loop.watch(descriptor, PollToken(kind: Self.connectionKind, key), .connection)
    } catch {
      connections.remove(key)
      descriptor.close()
      tell(.system, connection, "a socket of the cluster's port cannot be watched: \(error)")
      return nil
    }
    setTimer(connection, after: settings.connectTimeout)
    return connection
  }

  func finishConnecting(_ connection: LinkConnection, _ readiness: Readiness) {
    if let failure = TCPConnector.failure(of: connection.descriptor) { return unreachable(connection, "\(failure)") }
    guard readiness.contains(.writable) else { return }
    sayHello(connection)
  }

  func unreachable(_ connection: LinkConnection, _ problem: String) {
    if connection.dial != nil {
      tell(
        .unreachable, connection,
        "\(name(of: connection)) cannot be reached (\(problem)): it is tried again until it can; if it runs, look at its --cluster address and at what stands between")
    }
    close(connection, problem)
  }

  /// The connection stands: this side begins.
  private func sayHello(_ connection: LinkConnection) {
    connection.phase = .handshake
    let key = random()
    connection.handshake = LinkHandshake.initiator(secret: secret, privateKey: key.span.bytes, into: &connection.outgoing)
    if case .question = connection.purpose {
      setTimer(connection, after: settings.gossipTimeout)
    } else {
      setTimer(connection, after: settings.handshakeTimeout)
    }
    list(connection)
  }

  func setTimer(_ connection: LinkConnection, after span: TimeSpan) {
    loop.cancel(connection.timer)
    connection.timer = loop.schedule(TimerKey(PollToken(kind: Self.connectionKind, connection.key).rawValue), at: now + span)
  }
}
