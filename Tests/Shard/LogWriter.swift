import Core
import Feeds
import Shard

/// Writes the log a state machine is driven with, and remembers it.
struct LogWriter {
  var entries: [Bytes] = []
  var time = WallTime(milliseconds: 1_000_000)
  /// For the chain of previous offsets.
  var heads: [String: Offset] = [:]

  var next: Offset { Offset(UInt64(entries.count) + 1) }

  mutating func record(
    _ topic: String, _ payload: String = "x", key: String = "", flags: RecordFlags = [], timeToLive: UInt32 = 0
  ) -> Bytes {
    var draft = RecordDraft()
    draft.flags = flags
    draft.timeToLiveMilliseconds = timeToLive
    var buffer = ByteBuffer()
    draft.encode(topic: topic, type: "t", contentType: "text/plain", key: key, payload: Array(payload.utf8), into: &buffer)
    let stamp = RecordStamp(offset: next, previous: heads[topic] ?? .zero, time: time, term: 1)
    buffer.withUnsafeMutableBytes { stamp.stamp($0.baseAddress!) }
    heads[topic] = next
    return append(buffer)
  }

  mutating func command(_ commands: [ShardCommand]) -> Bytes {
    var body = ByteBuffer()
    ShardCommand.encode(commands, into: &body)
    return plain(.command, body.freeze().array)
  }

  mutating func plain(_ kind: EntryKind, _ body: [UInt8]) -> Bytes {
    var buffer = ByteBuffer()
    body.withUnsafeBytes {
      PlainEntry.append(kind, body: $0, stamp: RecordStamp(offset: next, previous: .zero, time: time, term: 1), into: &buffer)
    }
    return append(buffer)
  }

  private mutating func append(_ buffer: consuming ByteBuffer) -> Bytes {
    let entry = buffer.freeze()
    entries.append(entry)
    return entry
  }
}

extension ShardState {
  @discardableResult mutating func take(_ entry: Bytes) throws -> [CommandOutcome] {
    var outcomes: [CommandOutcome] = []
    let failure: ShardStateError? = entry.withUnsafeBytes {
      do throws(ShardStateError) {
        try apply(RecordView(trusting: $0.baseAddress!), outcomes: &outcomes)
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
    return outcomes
  }

  func newest(_ topic: String) -> UInt64 { Bytes(topic).withUnsafeBytes { topics.newest($0).value } }
  func retained(_ topic: String) -> Bytes? { Bytes(topic).withUnsafeBytes { topics.retainedValue($0) } }
}

extension Bytes {
  var payloadText: String {
    withUnsafeBytes { String(decoding: RecordView(trusting: $0.baseAddress!).payload, as: UTF8.self) }
  }
}
