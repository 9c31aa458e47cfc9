import CZlib
import Core

/// Takes permessage-deflate messages apart (RFC 7692 section 7.2.2); one per reactor serves every connection.
///
/// It can be shared because every agreement made here contains `client_no_context_takeover`: no message refers to the
/// one before it. A peer that does so all the same sends data that is invalid, and fails.
public final class Inflater {
  // On the heap because zlib keeps the address.
  private let stream: UnsafeMutablePointer<z_stream>
  private var output = ByteBuffer()

  /// How much is inflated before the text and the limit are looked at again.
  private static let chunkSize = 16 << 10
  /// A message larger than this gives its memory back when the next one comes.
  private static let keptCapacity = 1 << 20

  public init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let result = inflateInit2_(stream, -MAX_WBITS, zlibVersion(), Int32(MemoryLayout<z_stream>.size))
    precondition(result == Z_OK, "zlib refused to begin inflating: \(result)")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// How much memory the last message's text holds.
  public var heldBytes: Int { output.capacity }

  /// What `count` bytes may take on the wire when they cannot be compressed. The worst honest encoder uses nine bits a
  /// byte, an eighth more.
  static func largestCompressedSize(of count: Int) -> Int { count + count / 4 + 64 }

  /// Inflates one whole message. The result lies in this object until the next call.
  ///
  /// Stops at `limit` bytes, and with `isText` at the first chunk that is not UTF-8, however much more there would be.
  public func inflate(
    _ message: UnsafeRawBufferPointer, limit: Int, isText: Bool
  ) throws(WebSocketFailure) -> UnsafeRawBufferPointer {
    inflateReset(stream)
    // Strictly an empty message is one byte, 00; encoders that send none mean the same.
    guard !message.isEmpty else { return message }
    output.removeAll(keepingCapacity: output.capacity <= Inflater.keptCapacity)
    var text = UTF8Validator()
    var hasEnded = false
    try add(message, limit, isText, &text, &hasEnded)
    // A message whose last block was marked final has no flush to complete.
    if !hasEnded {
      var flush: UInt32 = UInt32(0xffff_0000).littleEndian
      try withUnsafeBytes(of: &flush) { bytes throws(WebSocketFailure) in
        try add(bytes, limit, isText, &text, &hasEnded)
      }
      guard stream.pointee.data_type & Inflater.betweenBlocks != 0 else { throw .compressionInvalid }
    }
    if isText, !text.isComplete { throw .textNotUTF8 }
    return UnsafeRawBufferPointer(start: output.readPointer, count: output.count)
  }

  /// zlib's sign in `data_type` that what was inflated ends at the end of a block.
  private static let betweenBlocks: Int32 = 128

  private func add(
    _ bytes: UnsafeRawBufferPointer, _ limit: Int, _ isText: Bool, _ text: inout UTF8Validator, _ hasEnded: inout Bool
  ) throws(WebSocketFailure) {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return }
    stream.pointee.next_in = UnsafeMutablePointer(mutating: start.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = UInt32(bytes.count)
    while true {
      if hasEnded { resume() }
      // One byte more than allowed, so that reaching it proves the message too big.
      let room = min(Inflater.chunkSize, limit + 1 - output.count)
      let chunk = output.reserve(room)
      stream.pointee.next_out = chunk.assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_out = UInt32(room)
      let result = CZlib.inflate(stream, Z_SYNC_FLUSH)
      let produced = room - Int(stream.pointee.avail_out)
      output.advance(produced)
      hasEnded = result == Z_STREAM_END
      guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else { throw .compressionInvalid }
      if isText, !text.consume(UnsafeRawBufferPointer(start: chunk, count: produced)) { throw .textNotUTF8 }
      guard output.count <= limit else { throw .messageTooBig }
      if hasEnded ? stream.pointee.avail_in == 0 : stream.pointee.avail_out > 0 { return }
    }
  }

  /// A block marked final may be followed by others (RFC 7692 section 7.2.3.4), which may refer back past it.
  private func resume() {
    inflateReset(stream)
    let window = min(output.count, 1 << Int(MAX_WBITS))
    let start = output.readPointer + (output.count - window)
    inflateSetDictionary(stream, start.assumingMemoryBound(to: UInt8.self), UInt32(window))
  }
}
