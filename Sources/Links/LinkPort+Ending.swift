internal import Core
internal import Reactor
public import Wire

extension LinkPort {
  /// Ends everything: linked nodes are told why, and nothing is dialled or accepted any more.
  public func close(saying farewell: NodeFarewell?) {
    isClosing = true
    for key in dials.keys {
      if let dial = dials.remove(key) {
        loop.cancel(dial.timer)
        dialOfNode[dial.node] = nil
      }
    }
    for key in connections.keys {
      guard let connection = connections[key] else { continue }
      if let farewell, connection.phase == .linked {
        connection.lastWords = farewell
        finish(connection, farewell.text, waitsLongest: false)
      } else if connection.phase != .finishing {
        close(connection, "this node stops")
      }
    }
    flush()
  }

  // MARK: Time

  func timeIsUp(_ connection: LinkConnection) {
    connection.timer = .none
    switch connection.phase {
    case .connecting: unreachable(connection, "no answer within \(settings.connectTimeout.milliseconds) ms")
    case .handshake, .greeting: saysNothing(connection)
    case .linked: keepAlive(connection)
    case .finishing: close(connection, "it did not take its last words")
    }
  }

  private func saysNothing(_ connection: LinkConnection) {
    if connection.isAccepted { counts.strangersDropped += 1 }
    let said = connection.phase == .handshake ? "did not prove that it belongs to the cluster" : "did not say who it is"
    tell(
      .silentStranger, connection,
      connection.isAccepted
        ? "\(connection.address) connected to the cluster's port and \(said) in time: if it is no node, keep it away from this port"
        : "\(name(of: connection)) takes connections and \(said) in time: it hangs, or something else listens there; it is tried again")
    close(connection, "it \(said) in time")
  }

  private func keepAlive(_ connection: LinkConnection) {
    if now - connection.lastHeard >= settings.silenceLimit {
      counts.silences += 1
      tell(
        .silent, connection,
        "nothing was heard of \(name(of: connection)) for \(settings.silenceLimit.milliseconds) ms: the link counts as dead; the node hangs, or the network between was cut")
      return close(connection, "nothing was heard of it for \(settings.silenceLimit.milliseconds) ms")
    }
    if connection.dial != nil {
      // New keys come with a new connection.
      if connection.channel!.isWearingOut() { return close(connection, "its keys have sealed enough") }
      ping(connection)
    }
    setTimer(connection, after: settings.pingPeriod)
  }

  // MARK: Ends

  /// This side has reason not to talk to the other, and says so.
  func part(_ connection: LinkConnection, _ farewell: NodeFarewell, isCounted: Bool = false) {
    if !isCounted { admission.countEnd(farewell.reason) }
    tell(.refused(farewell.reason), connection, farewell.text)
    connection.lastWords = farewell
    finish(connection, farewell.text, waitsLongest: !farewell.reason.passesByItself)
  }

  /// The other side said why it does not talk to this one.
  func heard(_ farewell: NodeFarewell, on connection: LinkConnection) {
    counts.heard.count(farewell.reason)
    tell(.farewell(farewell.reason), connection, "\(name(of: connection)) ended the link: \(farewell.text)")
    detach(connection, farewell.text, waitsLongest: !farewell.reason.passesByItself)
    close(connection, farewell.text)
  }

  func unreadable(_ connection: LinkConnection, _ failure: LinkChannel.Failure) {
    switch failure {
    case .wire(let refusal): part(connection, admission.unreadable(refusal), isCounted: true)
    case .seal(let failure):
      counts.forged += 1
      tell(.forged, connection, "the link to \(name(of: connection)) was closed: \(failure)")
      close(connection, "\(failure)")
    }
  }

  func closeSlow(_ connection: LinkConnection) {
    counts.tooSlow += 1
    tell(
      .tooSlow, connection,
      "\(name(of: connection)) does not take its answers: \(connection.channel!.queuedBytes()) bytes wait for it; its connection was closed, and it goes on where it was when it dials again. It is overloaded, or the network to it too slow")
    close(connection, "it does not take its answers")
  }

  /// The peer, or the network, ended the connection.
  func ended(_ connection: LinkConnection) {
    switch connection.phase {
    case .connecting: unreachable(connection, "the connection was refused")
    case .handshake where !connection.isAccepted, .greeting where !connection.isAccepted:
      unreachable(connection, "it closed the connection while it was greeted; its log says why")
    case .handshake, .greeting, .linked, .finishing: close(connection, "the connection ended")
    }
  }

  /// Says what is left to say, then closes.
  func finish(_ connection: LinkConnection, _ problem: String, waitsLongest: Bool, within time: TimeSpan? = nil) {
    detach(connection, problem, waitsLongest: waitsLongest)
    guard !connection.isClosed else { return }
    connection.phase = .finishing
    connection.partial.removeAll(keepingCapacity: false)
    setTimer(connection, after: time ?? settings.farewellTimeout)
    list(connection)
  }

  func close(_ connection: LinkConnection, _ problem: String) {
    guard !connection.isClosed else { return }
    connection.isClosed = true
    loop.cancel(connection.timer)
    connections.remove(connection.key)
    connection.descriptor.close()
    strangers.removeAll { $0 == connection.key }
    if connection.isAnswering { answering -= 1 }
    detach(connection, problem, waitsLongest: false)
    connection.channel = nil
    connection.handshake = nil
  }

  /// Whatever this connection was for goes on without it. Last of all the host is told, who may do anything.
  private func detach(_ connection: LinkConnection, _ problem: String, waitsLongest: Bool) {
    guard !connection.isDetached else { return }
    connection.isDetached = true
    let wasLinked = connection.phase == .linked
    // From here on nothing is queued on it.
    connection.phase = .finishing
    if let hello = connection.hello { admission.linkClosed(hello) }
    switch connection.purpose {
    case .accepted:
      if let node = connection.hello?.node, incoming[node] == connection.key { incoming[node] = nil }
    case .dialled(let dial):
      if dial.connection == connection.key {
        if let since = connection.linkedSince, now - since >= settings.steadyAfter { dial.failures = 0 }
        failed(dial, problem, waitsLongest: waitsLongest)
      }
    case .question(let ticket, _): gossip?.answered(ticket, .failure(GossipStreamProblem(text: problem)))
    }
    if wasLinked, let hello = connection.hello {
      counts.unlinked += 1
      host.unlinked(hello.node, dialled: connection.dial != nil, connection: connection.id)
    }
  }
}
