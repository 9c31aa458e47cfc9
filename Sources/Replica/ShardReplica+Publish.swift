internal import Core
internal import Feeds
internal import Journal
internal import Raft
internal import Shard

/// Publishing: gate, stamp in place, append.
extension ShardReplica {
  mutating func publish(_ batch: PublishBatch, wall: WallTime, into output: inout ReplicaOutput) {
    if let refusal = publishRefusal(batch.records.count) {
      refuseAll(batch, refusal, into: &output)
      return
    }
    var records = ByteBuffer()
    swap(&records, &batch.records)
    stamped = max(stamped, wall)
    let next = log.next
    var results: [PublishResult] = []
    results.reserveCapacity(batch.entries.count)
    let accepted = admit(batch.entries, &records, from: next, &results)
    counters.published += UInt64(accepted)
    var bytes = Bytes()
    var cost = 0
    if accepted > 0 {
      counters.publishedBytes += UInt64(records.count)
      cost = records.capacity
      bytes = log.append(records, into: &output.disk)
    } else if queue.isEmpty {
      // Nothing these answers depend on is under way.
      answer(batch.edge, results)
      flushAnswers(into: &output)
      return
    }
    pendingBytes += cost
    queue.append(
      Appended(first: accepted > 0 ? next : lastAppended, last: lastAppended, bytes: bytes, cost: cost, waiting: .results(batch.edge, results)))
    if accepted > 0 { propose(bytes) }
    if settings.faults.contains(.acknowledgedEarly) { answerEarly(into: &output) }
  }

  /// Decides on every record, moves the accepted ones together and stamps them; answers how many there are.
  private mutating func admit(
    _ entries: [PublishEntry], _ records: inout ByteBuffer, from next: Offset, _ results: inout [PublishResult]
  ) -> Int {
    var offset = next
    let kept = records.withUnsafeMutableBytes { memory -> Int in
      guard let base = memory.baseAddress else { return 0 }
      var from = 0
      var to = 0
      for entry in entries {
        precondition(entry.length >= RecordLayout.headerSize && entry.length <= memory.count - from, "a batch whose lengths are wrong")
        let record = RecordView(trusting: base + from)
        precondition(record.length == entry.length, "a batch whose lengths are wrong")
        let decision = gate.admit(record, expectedHead: entry.expectedHead, at: offset, time: stamped, over: state)
        switch decision {
        case .accept(let previous):
          if from != to { (base + to).copyMemory(from: base + from, byteCount: entry.length) }
          RecordStamp(offset: offset, previous: previous, time: stamped, term: group.term).stamp(base + to)
          if entry.wantsAnswer { results.append(PublishResult(ticket: entry.ticket, outcome: .accepted(offset, stamped))) }
          to += entry.length
          offset = offset.next
        case .duplicate(let use):
          counters.duplicates += 1
          if entry.wantsAnswer { results.append(PublishResult(ticket: entry.ticket, outcome: .duplicate(use.offset, use.time))) }
        case .headMoved(let head):
          counters.refused += 1
          if entry.wantsAnswer { results.append(PublishResult(ticket: entry.ticket, outcome: .refused(.headMoved(head)))) }
        }
        from += entry.length
      }
      precondition(from == memory.count, "a batch whose lengths are wrong")
      return to
    }
    records.truncate(to: kept)
    return Int(offset.value - next.value)
  }

  /// Why nothing may be appended now; nil when it may.
  var appendRefusal: Refusal? {
    if let failure { return .journalFailed(failure) }
    if isClosing { return .journalFailed("the node is shutting down") }
    if ailment != nil { return readRefusal }
    switch log.admission {
    case .accepting: return consensusRefusal
    case .full: return .diskFull
    case .dead(let error): return .journalFailed("\(error)")
    case .damaged(let damage): return .journalFailed("\(damage)")
    }
  }

  private func publishRefusal(_ count: Int) -> Refusal? {
    if let refusal = appendRefusal { return refusal }
    return pendingBytes > 0 && pendingBytes + count > settings.maximumPendingBytes ? .overloaded : nil
  }

  private mutating func refuseAll(_ batch: PublishBatch, _ refusal: Refusal, into output: inout ReplicaOutput) {
    counters.refused += UInt64(batch.entries.count)
    var results: [PublishResult] = []
    for entry in batch.entries where entry.wantsAnswer {
      results.append(PublishResult(ticket: entry.ticket, outcome: .refused(refusal)))
    }
    answer(batch.edge, results)
    flushAnswers(into: &output)
  }
}
