internal import Core
internal import Reactor
internal import Sealing
internal import Wire

extension LinkPort {
  /// Writes at the end of this turn.
  func list(_ connection: LinkConnection) {
    guard !connection.isListed, !connection.isBlocked, !connection.isClosed else { return }
    connection.isListed = true
    listed.append(connection)
  }

  /// Seals and sends what this turn brought.
  public func flush() {
    var again: [LinkConnection] = []
    var index = 0
    while index < listed.count {
      let connection = listed[index]
      index += 1
      connection.isListed = false
      if !connection.isClosed, !connection.isBlocked, write(connection) { again.append(connection) }
    }
    listed.removeAll(keepingCapacity: true)
    for connection in again { list(connection) }
    if !listed.isEmpty { loop.wakeImmediately() }
  }

  /// True if the connection has had its share and would go on.
  private func write(_ connection: LinkConnection) -> Bool {
    var left = LinkBounds.writeBytesPerTurn
    while left > 0 {
      guard fill(connection) else { return false }
      guard connection.unsent > 0 else {
        if connection.phase == .finishing { saidAll(connection) }
        return false
      }
      switch connection.descriptor.send(connection.outgoing.readPointer + connection.sent, count: connection.unsent) {
      case .bytes(let count):
        counts.bytesSent += count
        connection.sent += count
        left -= count
      case .wouldBlock:
        connection.isBlocked = true
        return false
      case .closed, .failed:
        ended(connection)
        return false
      }
    }
    return true
  }

  /// Seals ahead of the socket, but not so far that what is urgent would wait for long. False if the connection is over.
  private func fill(_ connection: LinkConnection) -> Bool {
    guard connection.unsent < LinkBounds.sendAhead / 2, connection.channel != nil else { return true }
    connection.outgoing.removeFirst(connection.sent)
    connection.sent = 0
    do throws(LinkFrameFailure) {
      while connection.outgoing.count < LinkBounds.sendAhead {
        if try connection.channel!.sealNext(into: &connection.outgoing) { continue }
        guard let farewell = connection.lastWords.take() else { break }
        queueLast(farewell, on: connection)
      }
      return true
    } catch {
      close(connection, "\(error)")
      return false
    }
  }

  private func queueLast(_ farewell: NodeFarewell, on connection: LinkConnection) {
    // Its text is cut to what fits, so there is nothing to refuse.
    do throws(WireRefusal) {
      try connection.channel!.append(.farewell(farewell), limit: settings.frameLimit)
    } catch {
      preconditionFailure("a farewell could not be written: \(error)")
    }
  }

  /// The end of sending, so that the peer reads to it; closing at once would throw away what it has not read.
  private func saidAll(_ connection: LinkConnection) {
    guard !connection.saidAll else { return }
    connection.saidAll = true
    connection.descriptor.finishSending()
    if connection.endIsInSight { close(connection, "both sides are done") }
  }

  func ping(_ connection: LinkConnection) {
    guard connection.channel!.queued(.urgent) < settings.urgentBytes else { return }
    queue(.ping(stamp: UInt64(bitPattern: now.nanoseconds)), on: connection)
  }
}
