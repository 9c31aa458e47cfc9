internal import Core
internal import Raft
internal import Shard

/// The body of a replica's snapshot.
///
/// ```
/// 0  u32  bytes of the outline
/// 4  the log's outline, then the shard's state
///    u32  CRC-32C of all that: it may come over the network, part by part
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

  static func end(_ buffer: inout ByteBuffer) {
    let checksum = buffer.withUnsafeBytes { CRC32C.of($0) }
    buffer.append(littleEndian: checksum)
  }

  /// Nil when the bytes are not exactly one snapshot.
  init?(decoding body: Bytes) {
    let found = body.withUnsafeBytes { all -> (LogOutline, Int)? in
      guard all.count >= 8 else { return nil }
      let sealed = UnsafeRawBufferPointer(rebasing: all[..<(all.count - 4)])
      guard UInt32(littleEndian: all.loadUnaligned(fromByteOffset: sealed.count, as: UInt32.self)) == CRC32C.of(sealed) else { return nil }
      let count = Int(UInt32(littleEndian: all.loadUnaligned(as: UInt32.self)))
      guard count <= sealed.count - 4,
        let outline = LogOutline(decoding: UnsafeRawBufferPointer(rebasing: all[4..<4 + count]))
      else { return nil }
      return (outline, 4 + count)
    }
    guard let (outline, end) = found else { return nil }
    do throws(ShardStateError) {
      state = try ShardState(snapshot: body.slice(end..<body.count - 4))
    } catch { return nil }
    self.outline = outline
  }
}
