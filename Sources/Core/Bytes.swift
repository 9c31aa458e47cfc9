/// Immutable bytes that any number of owners on any thread may hold; a slice shares its parent's memory.
public struct Bytes: Sendable {
  @usableFromInline let storage: ByteStorage?
  @usableFromInline let lower: Int
  public let count: Int

  @usableFromInline init(storage: ByteStorage?, lower: Int, count: Int) {
    self.storage = storage
    self.lower = lower
    self.count = count
  }

  public init() {
    self.init(storage: nil, lower: 0, count: 0)
  }

  public init(copying bytes: UnsafeRawBufferPointer) {
    var buffer = ByteBuffer(capacity: bytes.count)
    buffer.append(bytes)
    self = buffer.freeze()
  }

  public init(copying bytes: RawSpan) {
    self = bytes.withUnsafeBytes { Bytes(copying: $0) }
  }

  public init(_ bytes: [UInt8]) {
    self = bytes.withUnsafeBytes { Bytes(copying: $0) }
  }

  public init(_ text: String) {
    var text = text
    self = text.withUTF8 { Bytes(copying: UnsafeRawBufferPointer($0)) }
  }

  @inlinable public var isEmpty: Bool { count == 0 }

  /// Where the bytes begin; valid while this value, or another that shares its memory, is alive.
  @inlinable public var readPointer: UnsafeRawPointer {
    guard let base = storage?.base else { return UnsafeRawPointer(emptyBytesAddress) }
    return UnsafeRawPointer(base + lower)
  }

  @inlinable public var bytes: RawSpan {
    @_lifetime(borrow self) get {
      let span = unsafe RawSpan(_unsafeStart: readPointer, byteCount: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  @inlinable public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    defer { extendLifetime(storage) }
    return try body(UnsafeRawBufferPointer(start: readPointer, count: count))
  }

  @inlinable public subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count, "index outside the bytes")
    defer { extendLifetime(storage) }
    return readPointer.load(fromByteOffset: index, as: UInt8.self)
  }

  /// The same memory, fewer bytes.
  public func slice(_ range: Range<Int>) -> Bytes {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "slice outside the bytes")
    return Bytes(storage: storage, lower: lower + range.lowerBound, count: range.count)
  }

  public var array: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

  /// The bytes as text; invalid UTF-8 is replaced.
  public var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}

extension Bytes {
  /// In the order of their bytes, which for UTF-8 is that of their code points.
  public func precedes(_ other: Bytes) -> Bool {
    withUnsafeBytes { left in other.withUnsafeBytes { right in left.lexicographicallyPrecedes(right) } }
  }
}

extension Bytes: Equatable, Hashable {
  public static func == (a: Bytes, b: Bytes) -> Bool {
    a.count == b.count && a.withUnsafeBytes { left in b.withUnsafeBytes { right in left.elementsEqual(right) } }
  }

  public func hash(into hasher: inout Hasher) {
    withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}

/// The memory behind `Bytes`.
@usableFromInline final class ByteStorage: @unchecked Sendable {
  // Sendable because nothing writes to the memory after this object exists.
  @usableFromInline let base: UnsafeMutableRawPointer?

  @usableFromInline init(adopting base: UnsafeMutableRawPointer?, count: Int) {
    self.base = base
  }

  deinit { base?.deallocate() }
}

/// A valid address for zero bytes.
@usableFromInline nonisolated(unsafe) let emptyBytesAddress = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)

extension RawSpan {
  @inlinable @inline(__always) public func byte(at offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  /// The bytes of `range` as text; invalid UTF-8 is replaced.
  public func text(_ range: Range<Int>) -> String {
    withUnsafeBytes { String(decoding: UnsafeRawBufferPointer(rebasing: $0[range]), as: UTF8.self) }
  }
}
