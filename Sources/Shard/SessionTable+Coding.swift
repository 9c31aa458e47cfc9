internal import Core
internal import Feeds

// A session in a snapshot: u64 epoch, identity, nonce and number, u8 flags, u32 expiry; its owner (two u64) or i64 since when
// it has none; with a will u32 delay and the record; with a will that waits i64 when it is due; subscriptions; progress.

private let hasOwner: UInt8 = 1
private let wasPresent: UInt8 = 2
private let wasExact: UInt8 = 4
private let isExact: UInt8 = 8
private let hasWill: UInt8 = 16
private let willWaits: UInt8 = 32

extension ByteBuffer {
  mutating func append(_ session: KeptSession) {
    append(littleEndian: session.epoch)
    append(littleEndian: session.identity)
    append(littleEndian: session.nonce)
    append(littleEndian: session.number)
    var flags: UInt8 = 0
    if session.owner != nil { flags |= hasOwner }
    if session.wasPresent { flags |= wasPresent }
    if session.wasExact { flags |= wasExact }
    if session.isExact { flags |= isExact }
    if session.will != nil { flags |= hasWill }
    if session.willDue != nil { flags |= willWaits }
    append(flags)
    append(littleEndian: session.expiry)
    if let owner = session.owner { append(owner) } else { append(littleEndian: session.left.milliseconds) }
    if let will = session.will {
      append(littleEndian: will.delay)
      append(long: will.record)
    }
    if let due = session.willDue { append(littleEndian: due.milliseconds) }
    append(long: session.subscriptions)
    append(long: session.progress)
  }

  /// A change of sessions behind its length.
  mutating func append(sized change: SessionChange) {
    let start = count
    append(littleEndian: UInt32(0))
    append(change)
    store(littleEndian: UInt32(count - start - 4), at: start)
  }
}

extension FieldReader {
  mutating func long() throws(Failure) -> Bytes { Bytes(copying: try take(Int(try u32()))) }

  mutating func session() throws(Failure) -> KeptSession {
    let epoch = try u64()
    let identity = try u64()
    let nonce = try u64()
    let number = try u64()
    let flags = try byte()
    var session = KeptSession(epoch: epoch, identity: identity, nonce: nonce, expiry: try u32())
    session.number = number
    session.wasPresent = flags & wasPresent != 0
    session.wasExact = flags & wasExact != 0
    session.isExact = flags & isExact != 0
    if flags & hasOwner != 0 { session.owner = SessionOwner(high: try u64(), low: try u64()) } else { session.left = try time() }
    if flags & hasWill != 0 {
      let delay = try u32()
      session.will = SessionWill(record: try long(), delay: delay)
    }
    if flags & willWaits != 0 { session.willDue = try time() }
    session.subscriptions = try long()
    session.progress = try long()
    return session
  }

  mutating func sessionChange() throws(Failure) -> SessionChange {
    let bytes = try take(Int(try u32()))
    let change: Result<SessionChange, Failure>
    do throws(EndedEarly) {
      var reader = Core.FieldReader<EndedEarly>(bytes.bytes)
      if let found = try reader.sessionChange(), reader.isAtEnd {
        change = .success(found)
      } else {
        change = .failure(Failure(what: "a change of sessions that is none"))
      }
    } catch {
      change = .failure(Failure(what: "a change of sessions that ends too early"))
    }
    return try change.get()
  }
}

/// All that `Core.FieldReader` has to say.
private enum EndedEarly: FieldRefusal {
  case truncated
}
