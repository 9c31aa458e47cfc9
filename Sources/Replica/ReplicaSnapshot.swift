internal import Core
internal import Raft
internal import Shard

/// The body of a replica's snapshot.
///
/// ```
/// 0  u32  bytes of the outline
/// 4  the log's outline, then the shard's state
/// ```
struct ReplicaSnapshot {
  var outline: LogOutline
  var state: ShardState

  static func begin(_ outline: LogOutline, into buffer: inout ByteBuffer) {
    var encoded = ByteBuffer()
    outline.encode(into: &encoded)
    buffer.append(littleEndian: UInt32(encoded.count))
    encoded.withUnsafeBytes { buffer.append($0) }
  }

  /// Nil when the bytes are not exactly one snapshot.
  init?(decoding body: Bytes) {
    let found = body.withUnsafeBytes { all -> (LogOutline, Int)? in
      guard all.count >= 4 else { return nil }
      let count = Int(UInt32(littleEndian: all.loadUnaligned(as: UInt32.self)))
      guard count <= all.count - 4,
        let outline = LogOutline(decoding: UnsafeRawBufferPointer(rebasing: all[4..<4 + count]))
      else { return nil }
      return (outline, 4 + count)
    }
    guard let (outline, end) = found else { return nil }
    do throws(ShardStateError) {
      state = try ShardState(snapshot: body.slice(end..<body.count))
    } catch { return nil }
    self.outline = outline
  }
}
