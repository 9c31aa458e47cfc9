internal import Core

/// `hard.state`: term and vote, and how far the log was known to be committed when they were written. That is never taken
/// back, so it is one more witness: elections, which a loss would falsify, make it a fresh one.
enum HardStateFile {
  static func encode(_ state: HardState, committed: Offset = .zero) -> Bytes {
    var buffer = ByteBuffer(capacity: Frame.headerSize + 32)
    Frame.begin("TIDEVOTE", into: &buffer)
    buffer.append(littleEndian: state.term)
    buffer.append(littleEndian: UInt64(state.vote == nil ? 0 : 1))
    buffer.append(littleEndian: state.vote?.value ?? 0)
    buffer.append(littleEndian: committed.value)
    Frame.seal(&buffer)
    return buffer.freeze()
  }

  static func decode(_ bytes: UnsafeRawBufferPointer) -> (state: HardState, committed: Offset)? {
    guard let body = Frame.open("TIDEVOTE", bytes), body.count == 32, body.number(8) <= 1 else { return nil }
    let state = HardState(term: body.number(0), vote: body.number(8) == 1 ? NodeID(body.number(16)) : nil)
    return (state, Offset(body.number(24)))
  }
}

/// `<offset>.snapshot`: offset, length, body.
enum SnapshotFile {
  static let headerSize = Frame.headerSize + 16

  static func header(of snapshot: Snapshot) -> Bytes {
    var buffer = ByteBuffer(capacity: headerSize)
    Frame.begin("TIDESNAP", into: &buffer)
    buffer.append(littleEndian: snapshot.offset.value)
    buffer.append(littleEndian: UInt64(snapshot.body.count))
    Frame.seal(&buffer, followedBy: snapshot.body)
    return buffer.freeze()
  }

  /// The checksum in a header.
  static func checksum(of header: UnsafeRawBufferPointer) -> UInt32? {
    header.count >= headerSize ? header.number(12, UInt32.self) : nil
  }

  static func decode(_ bytes: Bytes, offset: Offset) -> Snapshot? {
    let isWhole = bytes.withUnsafeBytes { all in
      guard let rest = Frame.open("TIDESNAP", all), rest.count >= 16 else { return false }
      return rest.number(0) == offset.value && rest.number(8) == UInt64(rest.count - 16)
    }
    return isWhole ? Snapshot(offset: offset, body: bytes.slice(headerSize..<bytes.count)) : nil
  }
}

/// A snapshot that is durable.
struct StoredSnapshot: Equatable, Sendable {
  var offset: Offset
  /// The length of the body.
  var bytes: Int
  /// `Snapshot.checksum`; nil when the file is too short to say.
  var checksum: UInt32?

  /// What `snapshot` becomes on the disk, and its header.
  static func of(_ snapshot: Snapshot) -> (stored: StoredSnapshot, header: Bytes) {
    let header = SnapshotFile.header(of: snapshot)
    let checksum = header.withUnsafeBytes { SnapshotFile.checksum(of: $0) }
    return (StoredSnapshot(offset: snapshot.offset, bytes: snapshot.body.count, checksum: checksum), header)
  }
}

extension Snapshot {
  /// CRC-32C of offset, length and body, as `JournalLog.snapshotChecksum` tells it. O(body).
  public var checksum: UInt32 { StoredSnapshot.of(self).stored.checksum ?? 0 }
}
