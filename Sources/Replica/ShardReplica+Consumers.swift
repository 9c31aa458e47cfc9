internal import Core
internal import Feeds
internal import Journal
internal import Raft
internal import Shard

/// Consumers: reads from the state, changes through the log.
extension ShardReplica {
  mutating func consumer(_ request: ConsumerRequest, wall: WallTime, into output: inout ReplicaOutput) {
    let asker = CommandAsker(edge: request.edge, ticket: request.ticket)
    // A replica that does not lead may not have heard of the newest change.
    guard knowsTheEnd || isAlone else { return answer(asker, .failure(consensusRefusal ?? .electing), into: &output) }
    switch request.operation {
    case .list:
      answer(asker, .success(.consumers(state.consumers.all)), into: &output)
    case .show(let name):
      // Whoever acknowledged and asks again sees what it acknowledged.
      let lookUp = ConsumerLookUp(name: name, asker: asker)
      if !gathered.isEmpty {
        gathered.lookUps.append(lookUp)
      } else if !queue.isEmpty {
        queue.append(Appended(first: lastAppended, last: lastAppended, bytes: Bytes(), cost: 0, waiting: .lookUp(lookUp)))
      } else {
        answer(lookUp, into: &output)
      }
    case .open(let name, let filters, let cursor):
      gather(.openConsumer(name: name, filters: filters, cursor: cursor), asker, wall: wall, into: &output)
    case .acknowledge(let name, let cursor, let isReset):
      let reset = isReset || settings.faults.contains(.cursorFoldedWrongly)
      if gathered.fold(name, cursor, reset: reset, asker) { return }
      gather(.acknowledge(name: name, cursor: cursor, reset: reset), asker, wall: wall, into: &output)
    case .delete(let name):
      gather(.deleteConsumer(name: name), asker, wall: wall, into: &output)
    }
  }

  func answer(_ lookUp: ConsumerLookUp, into output: inout ReplicaOutput) {
    answer(lookUp.asker, state.consumers[lookUp.name].map { .success(.consumers([$0])) } ?? .failure(.noSuchConsumer), into: &output)
  }

  mutating func gather(_ command: ShardCommand, _ asker: CommandAsker, wall: WallTime, into output: inout ReplicaOutput) {
    if gathered.isFull { appendGathered(wall: wall, into: &output) }
    if let refusal = appendRefusal ?? (pendingBytes > settings.maximumPendingBytes ? .overloaded : nil) {
      refuse(.commands([[asker]]), refusal, into: &output)
    } else {
      gathered.add(command, asker)
    }
  }

  /// Appends what gathered as one entry.
  mutating func appendGathered(wall: WallTime, into output: inout ReplicaOutput) {
    guard !gathered.isEmpty else { return }
    let (commands, askers, lookUps) = gathered.take()
    if let refusal = appendRefusal {
      refuse(.commands(askers), refusal, into: &output)
      for lookUp in lookUps { answer(lookUp, into: &output) }
      return
    }
    var body = ByteBuffer(capacity: 256)
    ShardCommand.encode(commands, into: &body)
    appendPlain(.command, body: body, askers, wall: wall, into: &output)
    for lookUp in lookUps {
      queue.append(Appended(first: lastAppended, last: lastAppended, bytes: Bytes(), cost: 0, waiting: .lookUp(lookUp)))
    }
  }

  /// Appends one entry that is not a message.
  mutating func appendPlain(
    _ kind: EntryKind, body: borrowing ByteBuffer, _ askers: [[CommandAsker]], wall: WallTime, into output: inout ReplicaOutput
  ) {
    stamped = max(stamped, wall)
    var entry = ByteBuffer(capacity: RecordLayout.entryHeaderSize + body.count)
    let stamp = RecordStamp(offset: log.next, previous: .zero, time: stamped, term: group.term)
    body.withUnsafeBytes { PlainEntry.append(kind, body: $0, stamp: stamp, into: &entry) }
    let cost = entry.capacity
    let first = log.next
    let bytes = log.append(entry, into: &output.disk)
    pendingBytes += cost
    queue.append(Appended(first: first, last: lastAppended, bytes: bytes, cost: cost, waiting: .commands(askers)))
    propose(bytes)
  }
}
