public import Core

/// Seals the frames of one direction of a link: u32 length, ciphertext, tag. The length is authenticated, and the
/// frame's number is in the nonce without being sent, so that the other side opens them in this order or not at all.
/// Allocates nothing but the buffer's growth.
public struct LinkSealer: ~Copyable {
  private let cipher: AESGCM
  private var counter: LinkCounter

  /// Every key is for one sealer, from its first frame on.
  public init(_ key: SealKey) { self.init(key, used: 0) }

  init(_ key: SealKey, used blocks: UInt64) {
    cipher = AESGCM(key: key)
    counter = LinkCounter(used: blocks)
  }

  /// Whether half of what the key may seal is used: time to dial anew while this connection still works.
  public var isWearingOut: Bool { counter.blocks >= LinkLimits.blocks / 2 }

  /// Appends a frame with `plain` in it.
  public mutating func seal(_ plain: RawSpan, into buffer: inout ByteBuffer) throws(LinkFrameFailure) {
    let nonce = try admit(plain.byteCount)
    let start = beginFrame(in: &buffer)
    buffer.store(littleEndian: UInt32(plain.byteCount + AESGCM.tagLength), at: start)
    let target = buffer.reserve(plain.byteCount + AESGCM.tagLength)
    plain.withUnsafeBytes { cipher.seal($0, header: lengthField(of: buffer, start), nonce: nonce, to: target) }
    buffer.advance(plain.byteCount + AESGCM.tagLength)
  }

  /// Appends encrypted `plain` and its tag, and authenticates `header`, which the caller sends in front of it.
  public mutating func seal(_ plain: RawSpan, header: RawSpan, into buffer: inout ByteBuffer) throws(LinkFrameFailure) {
    let nonce = try admit(plain.byteCount)
    let target = buffer.reserve(plain.byteCount + AESGCM.tagLength)
    plain.withUnsafeBytes { plain in
      header.withUnsafeBytes { cipher.seal(plain, header: $0, nonce: nonce, to: target) }
    }
    buffer.advance(plain.byteCount + AESGCM.tagLength)
  }

  /// Leaves room for a frame's length; what is appended from here to `endFrame` is sealed where it lies.
  public func beginFrame(in buffer: inout ByteBuffer) -> Int {
    let start = buffer.count
    buffer.append(littleEndian: UInt32(0))
    return start
  }

  /// Seals everything that was appended since `beginFrame` said `start`. When it throws, that is taken away.
  public mutating func endFrame(_ start: Int, in buffer: inout ByteBuffer) throws(LinkFrameFailure) {
    let first = start + LinkLimits.lengthField
    let length = buffer.count - first
    precondition(length >= 0, "a frame ends before it began")
    let nonce: AESGCM.Nonce
    do throws(LinkFrameFailure) {
      nonce = try admit(length)
    } catch {
      buffer.truncate(to: start)
      throw error
    }
    buffer.store(littleEndian: UInt32(length + AESGCM.tagLength), at: start)
    // The tag's room first: it may move the bytes.
    let tag = buffer.reserve(AESGCM.tagLength)
    let plain = UnsafeRawBufferPointer(start: tag - length, count: length)
    cipher.seal(plain, header: lengthField(of: buffer, start), nonce: nonce, to: tag - length)
    buffer.advance(AESGCM.tagLength)
  }

  private mutating func admit(_ length: Int) throws(LinkFrameFailure) -> AESGCM.Nonce {
    guard length <= LinkLimits.plain else { throw .tooLong(bytes: length + AESGCM.tagLength) }
    return try counter.next(length)
  }

  private func lengthField(of buffer: borrowing ByteBuffer, _ start: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: buffer.readPointer + start, count: LinkLimits.lengthField)
  }
}
