/// Growable bytes with one owner: what encoders write into and sockets read into.
///
/// Appending is amortised O(1). `freeze()` turns the buffer into shared, immutable `Bytes` without a copy.
public struct ByteBuffer: ~Copyable, @unchecked Sendable {
  // Sendable because the memory has exactly one owner: the value itself, which cannot be copied.
  @usableFromInline var base: UnsafeMutableRawPointer?
  public private(set) var count: Int
  public private(set) var capacity: Int

  @inlinable public init() {
    self.init(capacity: 0)
  }

  public init(capacity: Int) {
    base = capacity > 0 ? .allocate(byteCount: capacity, alignment: 16) : nil
    count = 0
    self.capacity = capacity
  }

  deinit { base?.deallocate() }

  @inlinable public var isEmpty: Bool { count == 0 }

  /// The bytes written so far.
  @inlinable public var bytes: RawSpan {
    @_lifetime(borrow self) get {
      let span = unsafe RawSpan(_unsafeStart: readPointer, byteCount: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  @inlinable public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try body(UnsafeRawBufferPointer(start: base, count: count))
  }

  @inlinable public func withUnsafeMutableBytes<R, E: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try body(UnsafeMutableRawBufferPointer(start: base, count: count))
  }

  /// Where the bytes begin; valid until the buffer grows, is frozen or goes away.
  @inlinable public var readPointer: UnsafeRawPointer { UnsafeRawPointer(base ?? emptyBytesAddress) }

  /// Makes room for `extra` more bytes and says where they go; `advance` then makes them part of the buffer.
  @inlinable public mutating func reserve(_ extra: Int) -> UnsafeMutableRawPointer {
    if capacity - count < extra { grow(by: extra) }
    return base.unsafelyUnwrapped + count
  }

  public mutating func advance(_ written: Int) {
    precondition(written >= 0 && written <= capacity - count, "advanced past what was reserved")
    count += written
  }

  @usableFromInline @inline(never) mutating func grow(by extra: Int) {
    let wanted = max(64, count + extra, capacity * 2)
    let bigger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
    if let base {
      bigger.copyMemory(from: base, byteCount: count)
      base.deallocate()
    }
    base = bigger
    capacity = wanted
  }

  @inlinable public mutating func append(_ byte: UInt8) {
    reserve(1).storeBytes(of: byte, as: UInt8.self)
    advance(1)
  }

  @inlinable public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count).copyMemory(from: source, byteCount: bytes.count)
    advance(bytes.count)
  }

  @inlinable public mutating func append(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { append($0) }
  }

  @inlinable public mutating func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  @inlinable public mutating func append(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { append($0) }
  }

  // Disfavoured so that a literal is a StaticString.
  @_disfavoredOverload
  @inlinable public mutating func append(_ bytes: Bytes) {
    bytes.withUnsafeBytes { append($0) }
  }

  public mutating func append(text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  /// Appends `value` in decimal.
  public mutating func append(decimal value: Int) {
    if value < 0 { append(UInt8(ascii: "-")) }
    append(decimal: UInt64(value.magnitude))
  }

  public mutating func append(decimal value: UInt64) {
    let end = reserve(20) + 20
    var rest = value
    var start = end
    repeat {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      start -= 1
      start.storeBytes(of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit), as: UInt8.self)
      rest = quotient
    } while rest != 0
    let length = end - start
    (end - 20).copyMemory(from: start, byteCount: length)
    advance(length)
  }

  @inlinable public mutating func append<T: FixedWidthInteger & BitwiseCopyable>(littleEndian value: T) {
    reserve(MemoryLayout<T>.size).storeBytes(of: value.littleEndian, as: T.self)
    advance(MemoryLayout<T>.size)
  }

  @inlinable public mutating func append<T: FixedWidthInteger & BitwiseCopyable>(bigEndian value: T) {
    reserve(MemoryLayout<T>.size).storeBytes(of: value.bigEndian, as: T.self)
    advance(MemoryLayout<T>.size)
  }

  /// Overwrites bytes already written.
  @inlinable public mutating func store<T: FixedWidthInteger & BitwiseCopyable>(littleEndian value: T, at offset: Int) {
    precondition(offset >= 0 && offset + MemoryLayout<T>.size <= count, "store outside the buffer")
    (base.unsafelyUnwrapped + offset).storeBytes(of: value.littleEndian, as: T.self)
  }

  public mutating func removeAll(keepingCapacity: Bool = true) {
    count = 0
    if !keepingCapacity {
      base?.deallocate()
      base = nil
      capacity = 0
    }
  }

  /// Drops everything after the first `newCount` bytes.
  public mutating func truncate(to newCount: Int) {
    precondition(newCount >= 0 && newCount <= count, "cannot truncate to more than there is")
    count = newCount
  }

  /// Drops the first `amount` bytes; the rest moves down. O(bytes that stay).
  public mutating func removeFirst(_ amount: Int) {
    precondition(amount >= 0 && amount <= count, "cannot remove more than there is")
    guard amount > 0 else { return }
    count -= amount
    if count > 0, let base { base.copyMemory(from: base + amount, byteCount: count) }
  }

  /// Hands the memory over to an immutable, shareable value without copying.
  public consuming func freeze() -> Bytes {
    let storage = ByteStorage(adopting: base, count: count)
    let length = count
    discard self
    return Bytes(storage: storage, lower: 0, count: length)
  }
}
