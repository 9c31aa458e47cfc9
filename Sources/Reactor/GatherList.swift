public import Glibc

/// Up to 64 stretches of memory that go out in one call. The memory must stay until it is sent.
public struct GatherList: ~Copyable {
  /// The most parts one call takes; the kernel would take 1,024, but past some dozens a longer list gains nothing.
  public static let capacity = 64

  @usableFromInline let parts: UnsafeMutablePointer<iovec>
  public private(set) var count = 0
  /// The sum of all parts' lengths.
  public private(set) var byteCount = 0

  public init() { parts = .allocate(capacity: GatherList.capacity) }
  deinit { parts.deallocate() }

  @inlinable public var isEmpty: Bool { count == 0 }
  @inlinable public var isFull: Bool { count == GatherList.capacity }

  /// Adds a part; false, and nothing added, when the list is full.
  public mutating func append(_ start: UnsafeRawPointer, count length: Int) -> Bool {
    guard !isFull else { return false }
    (parts + count).initialize(to: iovec(iov_base: UnsafeMutableRawPointer(mutating: start), iov_len: length))
    count += 1
    byteCount += length
    return true
  }

  public mutating func removeAll() {
    count = 0
    byteCount = 0
  }

  /// Sends what the kernel takes.
  public func send(to descriptor: FileDescriptor) -> IOResult {
    descriptor.send(parts: parts, count: count)
  }
}
