public import Core

/// Opens the frames that the other side's `LinkSealer` made, each once and in their order. The first that is refused
/// is the last that is looked at.
public struct LinkOpener: ~Copyable {
  private let cipher: AESGCM
  private var counter: LinkCounter
  private var failure: LinkFrameFailure?

  public init(_ key: SealKey) { self.init(key, used: 0) }

  init(_ key: SealKey, used blocks: UInt64) {
    cipher = AESGCM(key: key)
    counter = LinkCounter(used: blocks)
  }

  /// Opens the frame at the beginning of `input` and appends what was in it. Says how many bytes the frame had; nil as
  /// long as it has not come whole. A length that no frame may have is refused before the frame comes.
  public mutating func open(_ input: RawSpan, into buffer: inout ByteBuffer) throws(LinkFrameFailure) -> Int? {
    if let failure { throw failure }
    guard input.byteCount >= LinkLimits.lengthField else { return nil }
    let length = Int(UInt32(littleEndian: unsafe input.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self)))
    guard length >= AESGCM.tagLength else { throw fail(.tooShort(bytes: length)) }
    guard length <= LinkLimits.sealed else { throw fail(.tooLong(bytes: length)) }
    let end = LinkLimits.lengthField + length
    guard input.byteCount >= end else { return nil }
    try open(
      input.extracting(LinkLimits.lengthField..<end), header: input.extracting(0..<LinkLimits.lengthField),
      into: &buffer)
    return end
  }

  /// Opens what `seal(_:header:into:)` made, and appends it; or throws and appends nothing.
  public mutating func open(
    _ sealed: RawSpan, header: RawSpan, into buffer: inout ByteBuffer
  ) throws(LinkFrameFailure) {
    if let failure { throw failure }
    let length = sealed.byteCount - AESGCM.tagLength
    guard length >= 0 else { throw fail(.tooShort(bytes: sealed.byteCount)) }
    guard length <= LinkLimits.plain else { throw fail(.tooLong(bytes: sealed.byteCount)) }
    let nonce: AESGCM.Nonce
    do throws(LinkFrameFailure) { nonce = try counter.next(length) } catch { throw fail(error) }
    let target = buffer.reserve(length)
    let isGenuine = sealed.withUnsafeBytes { sealed in
      header.withUnsafeBytes { cipher.open(sealed, header: $0, nonce: nonce, to: target) }
    }
    guard isGenuine else { throw fail(.forged) }
    buffer.advance(length)
  }

  private mutating func fail(_ failure: LinkFrameFailure) -> LinkFrameFailure {
    self.failure = failure
    return failure
  }
}
