import CZlib
public import Core

/// Compresses whole messages for permessage-deflate (RFC 7692 section 7.2.1).
///
/// Every agreement made here contains `server_no_context_takeover`: each message starts afresh, so that it is
/// compressed once and the same bytes go to every connection with the same window.
public final class Deflater {
  // On the heap because zlib keeps the address.
  private let stream: UnsafeMutablePointer<z_stream>
  public let windowBits: Int

  /// zlib cannot make a window of 8 bits without a header, and answers 9 in its place, which the peer could not read.
  public static let windowBitsAllowed = 9...15
  /// Fast: a message is compressed on the reactor's thread, between other people's messages.
  public static let defaultLevel = 3

  public init(windowBits: Int = 15, level: Int = Deflater.defaultLevel) {
    precondition(Deflater.windowBitsAllowed.contains(windowBits), "a window zlib cannot make")
    self.windowBits = windowBits
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let result = deflateInit2_(
      stream, Int32(level), Z_DEFLATED, Int32(-windowBits), Deflater.memoryLevel, Z_DEFAULT_STRATEGY, zlibVersion(),
      Int32(MemoryLayout<z_stream>.size))
    precondition(result == Z_OK, "zlib refused to begin deflating: \(result)")
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  private static let memoryLevel: Int32 = 8
  /// What ends every flush, and is left out on the wire: the empty stored block's two lengths.
  private static let tailSize = 4

  /// Appends `message` compressed, as a frame with the compressed bit carries it.
  public func compress(_ message: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    deflateReset(stream)
    stream.pointee.next_in = message.baseAddress.map {
      UnsafeMutablePointer(mutating: $0.assumingMemoryBound(to: UInt8.self))
    }
    stream.pointee.avail_in = UInt32(message.count)
    // Almost always enough for the whole message and its flush in one call.
    var room = Int(deflateBound(stream, UInt(message.count))) + 16
    repeat {
      stream.pointee.next_out = buffer.reserve(room).assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_out = UInt32(room)
      let result = deflate(stream, Z_SYNC_FLUSH)
      precondition(result == Z_OK || result == Z_BUF_ERROR, "zlib failed to deflate: \(result)")
      buffer.advance(room - Int(stream.pointee.avail_out))
      room = 256
    } while stream.pointee.avail_out == 0
    buffer.truncate(to: buffer.count - Deflater.tailSize)
  }
}

/// The deflaters of one reactor: one for each window its connections agreed on, made when first needed.
public final class DeflaterSet {
  private var deflaters: [Deflater] = []
  private let level: Int

  public init(level: Int = Deflater.defaultLevel) { self.level = level }

  /// The deflater for a window; connections that agreed on the same one share what it makes.
  public subscript(windowBits: Int) -> Deflater {
    if let known = deflaters.first(where: { $0.windowBits == windowBits }) { return known }
    let made = Deflater(windowBits: windowBits, level: level)
    deflaters.append(made)
    return made
  }
}
