// rooms: Shard
// max_len: 2048
import Core
import Feeds
import Shard

private let commands: [ShardCommand] = {
  let cursor = Cursor(cluster: ClusterID(7), positions: [Position(ShardID(0), Offset(3)), Position(ShardID(9), Offset(.max))])
  let filters = [try? Filter("a/+"), try? Filter("#")].compactMap { $0 }
  return [
    .openConsumer(name: "c", filters: filters, cursor: cursor), .acknowledge(name: "c", cursor: cursor, reset: true),
    .deleteConsumer(name: "d"), .forgetTopics(before: Offset(2)),
  ]
}()

private let snapshot: [UInt8] = {
  var state = ShardState()
  var log = ByteBuffer()
  for number in 1...4 {
    var draft = RecordDraft()
    draft.flags = number == 2 ? .retain : []
    let start = log.count
    draft.encode(topic: "t/\(number % 2)", key: "k\(number)", payload: [1, 2], into: &log)
    let stamp = RecordStamp(offset: Offset(UInt64(number)), previous: .zero, time: WallTime(milliseconds: 5), term: 1)
    log.withUnsafeMutableBytes { stamp.stamp($0.baseAddress! + start) }
  }
  let body = written { ShardCommand.encode(commands, into: &$0) }
  let stamp = RecordStamp(offset: Offset(5), previous: .zero, time: WallTime(milliseconds: 6), term: 1)
  body.withUnsafeBytes { PlainEntry.append(.command, body: $0, stamp: stamp, into: &log) }
  let entries = log.freeze()
  var outcomes: [CommandOutcome] = []
  entries.withUnsafeBytes { memory in
    for entry in RecordSequence(trusting: memory) { insist((try? state.apply(entry, outcomes: &outcomes)) != nil, "an entry is refused") }
  }
  var encoder = SnapshotEncoder(state)
  return written { buffer in while !encoder.encode(into: &buffer, limit: 1 << 20) {} }
}()

/// The first byte says as what the rest is read.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant { [[0] + written { ShardCommand.encode(commands, into: &$0) }, [1] + snapshot] + commands.map { command in [0] + written { ShardCommand.encode([command], into: &$0) } } }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = copied(start, count)
  guard let form = input.first else { return 0 }
  let bytes = Bytes(Array(input.dropFirst()))
  if form & 1 == 0 {
    guard let commands = bytes.withUnsafeBytes({ try? ShardCommand.decode($0) }) else { return 0 }
    let again = Bytes(written { ShardCommand.encode(commands, into: &$0) })
    insist(again.withUnsafeBytes { try? ShardCommand.decode($0) } == commands, "\(commands) come back otherwise")
    apply(again)
  } else {
    guard let state = try? ShardState(snapshot: bytes) else { return 0 }
    var encoder = SnapshotEncoder(state)
    let again = Bytes(written { buffer in while !encoder.encode(into: &buffer, limit: 1 << 20) {} })
    insist((try? ShardState(snapshot: again)) != nil, "a snapshot of it is refused")
  }
  return 0
}

/// What decodes is applied to a state too.
private func apply(_ body: Bytes) {
  var entry = ByteBuffer()
  let stamp = RecordStamp(offset: Offset(1), previous: .zero, time: WallTime(milliseconds: 6), term: 1)
  body.withUnsafeBytes { PlainEntry.append(.command, body: $0, stamp: stamp, into: &entry) }
  var state = ShardState()
  var outcomes: [CommandOutcome] = []
  entry.withUnsafeBytes { _ = try? state.apply(RecordView(trusting: $0.baseAddress!), outcomes: &outcomes) }
}
