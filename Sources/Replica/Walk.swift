internal import Core
internal import Feeds
internal import Journal

/// A read that follows topics back from record to record, the newest of all of them first.
struct Walk {
  enum Purpose {
    /// Answers a page in order of the log.
    case last(upTo: Offset)
    /// Answers single records, newest first.
    case history
    /// Answers a page in order of the log, for a reader far behind of whose topics little was written since; else the scan does.
    case since(Scan, upTo: Offset)
  }

  /// Where one topic is to be looked at next, and how many of its messages are still wanted.
  struct Step {
    var offset: Offset
    var remaining: Int
  }

  let edge: EdgeID
  let ticket: Ticket
  let purpose: Purpose
  let maximumRecords: Int
  let maximumBytes: Int
  /// Only messages after this one.
  var after = Offset.zero
  /// Only messages before this one.
  var before = Offset(.max)
  /// History: the record at `before` may be the topic's own and so lead to the one wanted.
  var probe: (topic: Topic, fallback: Offset)?
  /// A heap, the newest offset on top.
  private(set) var steps: [Step] = []
  private(set) var found: [Bytes] = []
  private(set) var bytes = 0
  private(set) var taken = 0
  /// The stretch read last: neighbours on a chain often lie in it.
  var stretch: ReadEntries?
  /// The stretch before the wanted record did not reach it: it is read alone.
  var wantsSingle = false

  init(edge: EdgeID, ticket: Ticket, purpose: Purpose, maximumRecords: Int, maximumBytes: Int) {
    self.edge = edge
    self.ticket = ticket
    self.purpose = purpose
    self.maximumRecords = maximumRecords
    self.maximumBytes = maximumBytes
  }

  var isDone: Bool { steps.isEmpty || found.count >= maximumRecords || bytes >= maximumBytes }

  mutating func push(_ step: Step) {
    steps.append(step)
    var child = steps.count - 1
    while child > 0, steps[(child - 1) / 2].offset < steps[child].offset {
      steps.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func pop() -> Step {
    let top = steps[0]
    let last = steps.removeLast()
    if steps.isEmpty { return top }
    steps[0] = last
    var parent = 0
    while true {
      var largest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < steps.count && steps[child].offset > steps[largest].offset {
        largest = child
      }
      if largest == parent { return top }
      steps.swapAt(parent, largest)
      parent = largest
    }
  }

  /// Takes the record of the newest step, which begins at `start` of `stretch`, and goes on to the one before it.
  mutating func take(_ record: RecordView, first: Offset, wall: WallTime) {
    var step = pop()
    taken += 1
    wantsSingle = false
    if let (topic, fallback) = probe {
      probe = nil
      let isTopics = record.kind == .record && topic.bytes.withUnsafeBytes { $0.elementsEqual(record.topic) }
      step.offset = isTopics ? record.previous : fallback
    } else {
      if step.offset < before, !record.isExpired(at: wall) {
        guard found.isEmpty || bytes + record.length <= maximumBytes else {
          bytes = maximumBytes
          return
        }
        // A copy: a few small records must not hold what lies around them.
        found.append(Bytes(copying: record.encoded))
        bytes += record.length
        step.remaining -= 1
      }
      step.offset = record.previous
    }
    if step.remaining > 0, step.offset >= first, step.offset > after { push(step) }
  }

  /// Drops steps that retention has overtaken.
  mutating func dropTrimmed(before first: Offset) {
    while let top = steps.first, top.offset < first { _ = pop() }
  }
}

extension Bytes {
  /// Calls `body` with the entry of this offset if it is among these.
  func withEntry<R>(_ offset: Offset, _ body: (RecordView) -> R) -> R? {
    withUnsafeBytes { memory in
      for entry in RecordSequence(trusting: memory) where entry.offset == offset { return body(entry) }
      return nil
    }
  }
}
