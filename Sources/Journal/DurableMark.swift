internal import Core

/// The witness kept outside the log: what was durable, and which files must therefore be there.
///
/// Two slots are overwritten in turn, never both at once, so that one is always whole.
struct DurableMark: Equatable {
  static let slotSpacing = 4096
  static let fileSize = 2 * slotSpacing
  static let size = Frame.headerSize + 56

  /// The newer slot has the higher number.
  var sequence: UInt64 = 0
  /// Every entry up to here was durable. Less than an older mark said when entries were cut off since.
  var durable = Offset.zero
  /// Where the log begins; segments before it are being removed. 0 claims nothing.
  var first = Offset.zero
  /// The segment that was being written. 0 claims nothing.
  var active = Offset.zero
  /// Every entry up to here was committed; a hint, not a witness.
  var committed = Offset.zero
  /// The log is being filled up to here after it began anew with a snapshot above its end: such a snapshot does not
  /// prove that the log reached it. 0 when the log has.
  var filling = Offset.zero
  /// The log is being forgotten to begin anew; nothing found beside this mark counts.
  var isRestarting = false

  var position: Int { sequence.isMultiple(of: 2) ? 0 : Self.slotSpacing }

  func encoded() -> Bytes {
    var buffer = ByteBuffer(capacity: Self.size)
    Frame.begin("TIDEMARK", into: &buffer)
    for value in [sequence, durable.value, first.value, active.value, committed.value, filling.value] {
      buffer.append(littleEndian: value)
    }
    buffer.append(littleEndian: UInt64(isRestarting ? 1 : 0))
    Frame.seal(&buffer)
    return buffer.freeze()
  }

  /// The whole file with this mark in its slot.
  func encodedFile() -> Bytes {
    var buffer = ByteBuffer(capacity: Self.fileSize)
    buffer.append([UInt8](repeating: 0, count: position))
    buffer.append(encoded())
    buffer.append([UInt8](repeating: 0, count: Self.fileSize - buffer.count))
    return buffer.freeze()
  }

  init() {}

  init?(slot bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= Self.size,
      let body = Frame.open("TIDEMARK", UnsafeRawBufferPointer(rebasing: bytes[..<Self.size]))
    else { return nil }
    sequence = body.number(0)
    durable = Offset(body.number(8))
    first = Offset(body.number(16))
    active = Offset(body.number(24))
    committed = Offset(body.number(32))
    filling = Offset(body.number(40))
    isRestarting = body.number(48) & 1 == 1
  }

  /// The newer intact mark of a whole file.
  init?(file: UnsafeRawBufferPointer) {
    var newest: DurableMark?
    for start in [0, Self.slotSpacing] where start + Self.size <= file.count {
      guard let mark = DurableMark(slot: UnsafeRawBufferPointer(rebasing: file[start...])), mark.position == start
      else { continue }
      if newest.map({ $0.sequence < mark.sequence }) ?? true { newest = mark }
    }
    guard let newest else { return nil }
    self = newest
  }
}
