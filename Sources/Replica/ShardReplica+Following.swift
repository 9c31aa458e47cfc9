internal import Core
internal import Feeds
internal import Journal
internal import Raft

/// Keeping the log as consensus wants it.
extension ShardReplica {
  mutating func take(_ write: LogWrite, into output: inout ReplicaOutput) {
    if let cut = write.truncateFrom { truncate(from: cut, into: &output) }
    guard !write.entries.isEmpty else { return }
    let first = log.next
    var entries = ByteBuffer(capacity: write.entries.count + ReplicaSettings.footerRoom)
    entries.append(write.entries)
    let cost = entries.capacity
    let bytes = log.append(entries, into: &output.disk)
    precondition(lastAppended == write.last, "entries that do not follow the log")
    pendingBytes += cost
    queue.append(Appended(first: first, last: write.last, bytes: bytes, cost: cost, waiting: .nobody))
  }

  /// Takes back what another leader did not have.
  private mutating func truncate(from cut: Offset, into output: inout ReplicaOutput) {
    log.truncate(from: cut, droppedBytes: queuedBytes(from: cut, through: log.extent(holding: cut).offsets.upperBound), into: &output.disk)
    while let newest = queue.last, newest.last >= cut {
      let item = queue.removeLast()
      // Another replica may have them still, and come to lead.
      refuse(item.waiting, .unknownOutcome, into: &output)
      pendingBytes -= item.cost
      guard !item.bytes.isEmpty, item.first < cut else { continue }
      let kept = item.bytes.slice(0..<item.place(of: cut))
      pendingBytes += item.cost
      queue.append(Appended(first: item.first, last: Offset(cut.value - 1), bytes: kept, cost: item.cost, waiting: .nobody))
      break
    }
    flushAnswers(into: &output)
    // What was committed in the middle of an append is a whole append now.
    commit(upTo: group.committed, into: &output)
  }

  private func queuedBytes(from cut: Offset, through last: Offset) -> Int {
    var bytes = 0
    for place in (0..<queue.count).reversed() {
      let item = queue[place]
      if item.last < cut { break }
      if item.bytes.isEmpty || item.first > last { continue }
      let start = item.first < cut ? item.place(of: cut) : 0
      let end = item.last > last ? item.place(of: last.next) : item.bytes.count
      bytes += end - start
    }
    return bytes
  }
}

extension Appended {
  /// Where an entry of it begins.
  func place(of offset: Offset) -> Int {
    bytes.withUnsafeBytes { memory in
      var at = 0
      for entry in RecordSequence(trusting: memory) {
        if entry.offset >= offset { break }
        at += entry.length
      }
      return at
    }
  }
}
