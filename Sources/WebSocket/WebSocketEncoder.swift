public import Core

/// Writes frames (RFC 6455 section 5). Lengths take their shortest form.
public enum WebSocketEncoder {
  /// The most a reason may take in a close frame.
  public static let largestCloseReason = FrameLayout.largestControlPayload - 2

  /// How many bytes stand before a payload in a server's frame.
  @inlinable public static func headerSize(payloadCount: Int) -> Int {
    payloadCount < 126 ? 2 : payloadCount <= 0xffff ? 4 : 10
  }

  /// Appends a server's header; exactly `payloadCount` bytes must follow it on the wire.
  public static func append(
    header opcode: WebSocketOpcode, payloadCount: Int, isFinal: Bool = true, isCompressed: Bool = false,
    into buffer: inout ByteBuffer
  ) {
    let size = headerSize(payloadCount: payloadCount)
    write(opcode, payloadCount, isFinal, isCompressed, mask: 0, to: buffer.reserve(size))
    buffer.advance(size)
  }

  /// Appends a server's frame.
  public static func append(
    _ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer, isFinal: Bool = true, isCompressed: Bool = false,
    into buffer: inout ByteBuffer
  ) {
    append(header: opcode, payloadCount: payload.count, isFinal: isFinal, isCompressed: isCompressed, into: &buffer)
    buffer.append(payload)
  }

  /// Appends a server's frame whose payload is written straight into the buffer by `body`.
  ///
  /// The header is placed for a payload of about `sizeHint` bytes; when the guess was of another header size the
  /// payload moves by a few bytes.
  @inlinable public static func append(
    _ opcode: WebSocketOpcode, sizeHint: Int, isCompressed: Bool = false, into buffer: inout ByteBuffer,
    body: (inout ByteBuffer) -> Void
  ) {
    let guess = headerSize(payloadCount: sizeHint)
    let start = buffer.count
    _ = buffer.reserve(guess + sizeHint)
    buffer.advance(guess)
    body(&buffer)
    place(opcode, isCompressed, headerAt: start, guess, &buffer)
  }

  @usableFromInline static func place(
    _ opcode: WebSocketOpcode, _ isCompressed: Bool, headerAt start: Int, _ guess: Int, _ buffer: inout ByteBuffer
  ) {
    let count = buffer.count - start - guess
    precondition(count >= 0, "the body removed what it did not write")
    let size = headerSize(payloadCount: count)
    if size > guess { _ = buffer.reserve(size - guess) }
    buffer.withUnsafeMutableBytes { bytes in
      let header = bytes.baseAddress.unsafelyUnwrapped + start
      if size != guess { (header + size).copyMemory(from: header + guess, byteCount: count) }
      write(opcode, count, true, isCompressed, mask: 0, to: header)
    }
    if size > guess { buffer.advance(size - guess) } else { buffer.truncate(to: buffer.count - (guess - size)) }
  }

  /// Appends a client's frame, masked with `mask`.
  public static func append(
    masked opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer, mask: WebSocketMask, isFinal: Bool = true,
    isCompressed: Bool = false, into buffer: inout ByteBuffer
  ) {
    let size = headerSize(payloadCount: payload.count) + 4
    let start = buffer.reserve(size + payload.count)
    write(opcode, payload.count, isFinal, isCompressed, mask: FrameLayout.maskBit, to: start)
    start.storeBytes(of: mask.littleEndian.littleEndian, toByteOffset: size - 4, as: UInt32.self)
    let body = UnsafeMutableRawBufferPointer(start: start + size, count: payload.count)
    body.copyMemory(from: payload)
    var mask = mask
    mask.apply(to: body)
    buffer.advance(size + payload.count)
  }

  /// Writes what a close frame carries. A reason that is too long ends after the last whole character that fits.
  public static func append(
    closePayload code: WebSocketCloseCode, reason: UnsafeRawBufferPointer, into buffer: inout ByteBuffer
  ) {
    precondition(code.mayBeSent, "a close code that must not stand in a frame")
    var end = min(reason.count, largestCloseReason)
    if end < reason.count { while end > 0, reason[end] & 0xc0 == 0x80 { end -= 1 } }
    buffer.append(bigEndian: code.rawValue)
    buffer.append(UnsafeRawBufferPointer(rebasing: reason[..<end]))
  }

  /// Appends a server's close frame.
  public static func append(
    close code: WebSocketCloseCode, reason: UnsafeRawBufferPointer, into buffer: inout ByteBuffer
  ) {
    append(.close, sizeHint: 0, into: &buffer) { append(closePayload: code, reason: reason, into: &$0) }
  }

  /// Appends a server's close frame.
  public static func append(
    close code: WebSocketCloseCode, reason: StaticString = "", into buffer: inout ByteBuffer
  ) {
    let text = UnsafeRawBufferPointer(start: reason.utf8Start, count: reason.utf8CodeUnitCount)
    append(close: code, reason: text, into: &buffer)
  }

  /// Appends the server's answer to a peer that closed: its own code, or nothing when it gave none.
  public static func append(answerToClose code: WebSocketCloseCode?, into buffer: inout ByteBuffer) {
    if let code { append(close: code, into: &buffer) } else { append(header: .close, payloadCount: 0, into: &buffer) }
  }

  private static func write(
    _ opcode: WebSocketOpcode, _ payloadCount: Int, _ isFinal: Bool, _ isCompressed: Bool, mask: UInt8,
    to start: UnsafeMutableRawPointer
  ) {
    precondition(!opcode.isControl || payloadCount <= FrameLayout.largestControlPayload, "a control frame too long")
    let first = opcode.rawValue | (isFinal ? FrameLayout.finalBit : 0) | (isCompressed ? FrameLayout.compressedBit : 0)
    start.storeBytes(of: first, as: UInt8.self)
    switch headerSize(payloadCount: payloadCount) {
    case 2:
      start.storeBytes(of: UInt8(payloadCount) | mask, toByteOffset: 1, as: UInt8.self)
    case 4:
      start.storeBytes(of: UInt8(FrameLayout.twoByteLength) | mask, toByteOffset: 1, as: UInt8.self)
      start.storeBytes(of: UInt16(payloadCount).bigEndian, toByteOffset: 2, as: UInt16.self)
    default:
      start.storeBytes(of: UInt8(FrameLayout.eightByteLength) | mask, toByteOffset: 1, as: UInt8.self)
      start.storeBytes(of: UInt64(payloadCount).bigEndian, toByteOffset: 2, as: UInt64.self)
    }
  }
}
