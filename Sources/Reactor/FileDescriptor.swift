public import Core
public import Glibc

/// An open file as the kernel numbers it. Copying the value does not copy the file: whoever opened it closes it, once.
public struct FileDescriptor: Hashable, Sendable {
  public let rawValue: Int32
  @inlinable public init(_ rawValue: Int32) { self.rawValue = rawValue }

  /// Closes the file; a poller forgets it by itself.
  public func close() { SystemCalls.close(self) }

  /// Receives at most `count` bytes.
  public func receive(into bytes: UnsafeMutableRawPointer, count: Int) -> IOResult {
    SystemCalls.receive(self, bytes, count)
  }

  /// Receives at most `count` bytes behind those the buffer holds.
  public func receive(into buffer: inout ByteBuffer, atMost count: Int) -> IOResult {
    let result = SystemCalls.receive(self, buffer.reserve(count), count)
    if case .bytes(let received) = result { buffer.advance(received) }
    return result
  }

  /// Sends what the kernel takes of these bytes.
  public func send(_ bytes: UnsafeRawPointer, count: Int) -> IOResult {
    SystemCalls.send(self, bytes, count)
  }

  /// Sends what the kernel takes of these parts, in one call.
  public func send(parts: UnsafePointer<iovec>, count: Int) -> IOResult {
    SystemCalls.send(self, parts, count)
  }

  /// Ends this direction: the peer reads to the end and then sees it.
  public func finishSending() { SystemCalls.finishSending(self) }
}
