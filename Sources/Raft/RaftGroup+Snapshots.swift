public import Core

/// A snapshot that is coming in.
struct IncomingSnapshot {
  let mark: SnapshotMark
  var received = 0
  /// All of it is here and the disk is putting it in place.
  var isInstalling = false
}

/// Bringing a follower that is behind the log's start to where the log begins: §5.3.
extension RaftGroup {
  mutating func beginSnapshot(_ index: Int, into output: inout RaftOutput) {
    guard let state = snapshot, state >= log.base.offset else {
      output.facts.append(.snapshotWanted(followers[index].node))
      // Tried again on the answer to a later heartbeat.
      followers[index].probedAt = clock
      return
    }
    counters.snapshotsBegun += 1
    let mark = SnapshotMark(state: state, base: log.base, membership: memberships.base)
    readChunk(index, SnapshotTransfer(mark: mark), into: &output)
  }

  private mutating func readChunk(_ index: Int, _ transfer: SnapshotTransfer, into output: inout RaftOutput) {
    var transfer = transfer
    transfer.isReading = true
    followers[index].mode = .snapshot(transfer)
    output.snapshotReads.append(
      SnapshotRead(
        follower: followers[index].node, state: transfer.mark.state, position: transfer.position,
        maximumBytes: settings.snapshotChunkBytes, term: term))
  }

  /// The answer to a read: the bytes from `read.position` on, and whether the snapshot ends with them. Nil bytes: that
  /// snapshot is not there any more; `snapshotTaken` should have told of a newer one.
  public mutating func snapshotRead(
    _ read: SnapshotRead, _ bytes: Bytes?, isLast: Bool, at now: Instant, into output: inout RaftOutput
  ) {
    clock = now
    guard role == .leader, read.term == term, let index = index(of: read.follower),
      case .snapshot(var transfer) = followers[index].mode, transfer.isReading, transfer.mark.state == read.state,
      transfer.position == read.position
    else { return }
    guard let bytes else {
      if snapshot == read.state { snapshot = nil }
      followers[index].probe(after: followers[index].match)
      followers[index].probedAt = clock
      return
    }
    transfer.isReading = false
    transfer.sentAt = clock
    transfer.total = isLast ? transfer.position + bytes.count : nil
    followers[index].mode = .snapshot(transfer)
    let chunk = SnapshotChunk(term: term, mark: transfer.mark, position: transfer.position, bytes: bytes, isLast: isLast)
    send(.snapshotChunk(chunk), to: followers[index].node, into: &output)
  }

  mutating func take(_ reply: SnapshotReply, fromFollower index: Int, into output: inout RaftOutput) {
    guard case .snapshot(var transfer) = followers[index].mode, transfer.mark.state == reply.state, reply.received >= 0 else { return }
    if let total = transfer.total, reply.received >= total {
      // All there. When it is in place an append reply, or a heartbeat's, says so.
      transfer.position = total
      followers[index].mode = .snapshot(transfer)
      return
    }
    if transfer.isReading, transfer.position == reply.received { return }
    transfer.position = reply.received
    transfer.total = nil
    readChunk(index, transfer, into: &output)
  }

  /// Nothing was heard of a chunk for long: sends it again. When all was sent, asks with an empty one how it stands.
  mutating func pressSnapshot(_ index: Int, into output: inout RaftOutput) {
    guard case .snapshot(var transfer) = followers[index].mode, !transfer.isReading, let sentAt = transfer.sentAt,
      clock - sentAt >= settings.electionMaximum
    else { return }
    guard let total = transfer.total, transfer.position == total else { return readChunk(index, transfer, into: &output) }
    transfer.sentAt = clock
    followers[index].mode = .snapshot(transfer)
    let question = SnapshotChunk(term: term, mark: transfer.mark, position: total, bytes: Bytes(), isLast: true)
    send(.snapshotChunk(question), to: followers[index].node, into: &output)
  }

  mutating func take(_ chunk: SnapshotChunk, from node: NodeID, into output: inout RaftOutput) {
    let base = chunk.mark.base
    if incoming?.isInstalling != true {
      if base.offset <= committed || log.term(at: base.offset) == base.term {
        // The log goes on from there already: what is before is committed.
        incoming = nil
        received = max(received, base.offset)
        advance(to: base.offset, into: &output)
        return acknowledge(atOnce: true, into: &output)
      }
      // What this very leader sent before is not what it has now.
      guard base.offset > received else { return diverged(at: base.offset, node, into: &output) }
      if incoming?.mark != chunk.mark { incoming = IncomingSnapshot(mark: chunk.mark) }
    }
    guard var coming = incoming, coming.mark == chunk.mark else { return }
    if !coming.isInstalling, chunk.position == coming.received, !chunk.bytes.isEmpty || chunk.isLast {
      output.snapshotPieces.append(
        SnapshotPiece(mark: chunk.mark, position: chunk.position, bytes: chunk.bytes, isLast: chunk.isLast))
      coming.received += chunk.bytes.count
      coming.isInstalling = chunk.isLast
      incoming = coming
    }
    let reply = SnapshotReply(term: term, state: chunk.mark.state, received: coming.received)
    send(.snapshotReply(reply), to: node, into: &output)
  }

  /// The snapshot is durable and in the log's place; `time` is that of the newest entry in its state.
  public mutating func snapshotInstalled(_ mark: SnapshotMark, time: WallTime, at now: Instant, into output: inout RaftOutput) {
    clock = now
    guard let coming = incoming, coming.isInstalling, coming.mark == mark else { return }
    precondition(mark.base.offset > committed, "a snapshot of what is already there")
    counters.snapshotsInstalled += 1
    incoming = nil
    if settings.faults.contains(.snapshotPositionForgotten) { return output.facts.append(.snapshotInstalled(mark)) }
    log.reset(to: mark.base)
    tail.removeAll()
    noteCut(from: mark.base.offset.next)
    durable = mark.base.offset
    snapshot = mark.state
    self.time = max(self.time, time)
    memberships = MembershipHistory(base: mark.membership, at: mark.base.offset)
    output.facts.append(.snapshotInstalled(mark))
    membershipChanged(into: &output)
    advance(to: mark.base.offset, into: &output)
    putOffElection()
    acknowledge(atOnce: true, into: &output)
  }

  /// The disk could not take it, and still has the log there was.
  public mutating func snapshotRefused(_ mark: SnapshotMark) {
    if incoming?.mark == mark { incoming = nil }
  }
}
