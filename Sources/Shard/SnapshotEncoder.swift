public import Core
internal import Feeds

/// Writes a state as a snapshot, as much at a time as one turn allows. The state it holds is a copy: the shard
/// goes on meanwhile.
public struct SnapshotEncoder {
  private enum Section {
    case beginning
    case topics(Int)
    case keys(Int?)
    case consumers
    case sessions(Int)
    case groups(Int)
    case done
  }

  private let state: ShardState
  private let groups: [GroupPlace]
  private var section = Section.beginning
  private var keysWritten: UInt64 = 0

  public init(_ state: ShardState) {
    self.state = state
    groups = state.groups.all
  }

  /// The newest entry that the snapshot contains.
  public var applied: Offset { state.applied }

  /// Appends items until `buffer` holds about `limit` bytes; true when the snapshot is complete.
  public mutating func encode(into buffer: inout ByteBuffer, limit: Int) -> Bool {
    while buffer.count < limit {
      switch section {
      case .beginning:
        writeBeginning(into: &buffer)
        section = .topics(0)
      case .topics(let index):
        guard index < state.topics.count else {
          section = .keys(nil)
          continue
        }
        writeTopic(index, into: &buffer)
        section = .topics(index + 1)
      case .keys(let place):
        let next = state.keys.walk(from: place) { name, use in
          keysWritten += 1
          SnapshotEncoder.item(.key, into: &buffer) { buffer in
            buffer.append(field: name)
            buffer.append(littleEndian: use.offset.value)
            buffer.append(littleEndian: use.time.milliseconds)
          }
        }
        section = next == nil ? .consumers : .keys(next)
      case .consumers:
        // At most `ConsumerTable.maximumCount` small items: written in one go.
        for consumer in state.consumers.all {
          SnapshotEncoder.item(.consumer, into: &buffer) { buffer in
            buffer.append(field: consumer.name)
            buffer.append(littleEndian: UInt16(consumer.filters.count))
            for filter in consumer.filters { buffer.append(field: filter.bytes) }
            buffer.append(cursor: consumer.cursor)
            buffer.append(littleEndian: consumer.created.milliseconds)
            buffer.append(littleEndian: consumer.updated.milliseconds)
          }
        }
        section = .sessions(0)
      case .sessions(let index):
        guard index < state.sessions.count else {
          writeWills(into: &buffer)
          section = .groups(0)
          continue
        }
        SnapshotEncoder.item(.session, into: &buffer) { buffer in
          let (client, session) = state.sessions.session(at: index)
          buffer.append(field: client)
          buffer.append(session)
        }
        section = .sessions(index + 1)
      case .groups(let index):
        guard index < groups.count else {
          writeEnd(into: &buffer)
          section = .done
          continue
        }
        writeGroup(groups[index], into: &buffer)
        section = .groups(index + 1)
      case .done:
        return true
      }
    }
    if case .done = section { return true }
    return false
  }

  private func writeBeginning(into buffer: inout ByteBuffer) {
    SnapshotEncoder.item(.beginning, into: &buffer) { buffer in
      buffer.append(littleEndian: SnapshotFormat.version)
      buffer.append(littleEndian: state.applied.value)
      buffer.append(littleEndian: state.time.milliseconds)
      buffer.append(littleEndian: state.messages)
      buffer.append(littleEndian: UInt64(state.sweepAt))
      buffer.append(littleEndian: state.forgottenUpTo.value)
    }
    SnapshotEncoder.item(.plain, into: &buffer) { buffer in
      buffer.append(littleEndian: state.plain.knownAfter.value)
      buffer.append(littleEndian: UInt32(state.plain.runs.count))
      for run in state.plain.runs {
        buffer.append(littleEndian: run.first.value)
        buffer.append(littleEndian: run.last.value)
      }
    }
  }

  private func writeTopic(_ index: Int, into buffer: inout ByteBuffer) {
    let head = state.topics.head(at: index)
    SnapshotEncoder.item(.topic, into: &buffer) { buffer in
      state.topics.withTopic(at: index) { buffer.append(field: $0) }
      buffer.append(littleEndian: head.newest.value)
      buffer.append(littleEndian: head.count)
      if let retained = state.topics.retainedValue(at: index) { buffer.append(retained) }
    }
  }

  private func writeWills(into buffer: inout ByteBuffer) {
    let sessions = state.sessions
    guard sessions.count > 0 || sessions.newestWill > 0 else { return }
    SnapshotEncoder.item(.wills, into: &buffer) { buffer in
      buffer.append(littleEndian: sessions.newestWill)
      buffer.append(littleEndian: UInt64(sessions.count))
      buffer.append(littleEndian: UInt32(sessions.dueWills.count))
      for will in sessions.dueWills {
        buffer.append(littleEndian: will.number)
        buffer.append(long: will.record)
      }
    }
  }

  private func writeGroup(_ place: GroupPlace, into buffer: inout ByteBuffer) {
    SnapshotEncoder.item(.group, into: &buffer) { buffer in
      buffer.append(group: place.group)
      buffer.append(littleEndian: place.cursor.value)
      buffer.append(stretches: place.done)
      buffer.append(littleEndian: place.created.milliseconds)
      buffer.append(littleEndian: place.updated.milliseconds)
    }
  }

  private func writeEnd(into buffer: inout ByteBuffer) {
    SnapshotEncoder.item(.end, into: &buffer) { buffer in
      buffer.append(littleEndian: UInt64(state.topics.count))
      buffer.append(littleEndian: keysWritten)
      buffer.append(littleEndian: UInt64(state.consumers.count))
    }
  }

  private static func item(_ tag: SnapshotFormat.Tag, into buffer: inout ByteBuffer, _ body: (inout ByteBuffer) -> Void) {
    let start = buffer.count
    buffer.append(tag.rawValue)
    buffer.append(littleEndian: UInt32(0))
    body(&buffer)
    buffer.store(littleEndian: UInt32(buffer.count - start - SnapshotFormat.itemHeaderSize), at: start + 1)
  }
}

extension ShardState {
  /// The whole snapshot at once.
  public func snapshot() -> Bytes {
    var encoder = SnapshotEncoder(self)
    var buffer = ByteBuffer(capacity: 4096)
    while !encoder.encode(into: &buffer, limit: .max) {}
    return buffer.freeze()
  }
}
