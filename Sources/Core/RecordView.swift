/// Reads an encoded entry where it lies. Valid while the memory it looks at is.
public struct RecordView {
  public let start: UnsafeRawPointer

  /// `start` must be the first byte of an entry that `check` accepted or that this process encoded.
  @inlinable @inline(__always) public init(trusting start: UnsafeRawPointer) { self.start = start }

  @inlinable @inline(__always) func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type) -> T {
    T(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  @inlinable public var length: Int { Int(load(RecordLayout.length, as: UInt32.self)) }
  @inlinable public var checksum: UInt32 { load(RecordLayout.checksum, as: UInt32.self) }
  @inlinable public var kind: EntryKind? { EntryKind(rawValue: load(RecordLayout.kind, as: UInt8.self)) }
  @inlinable public var flags: RecordFlags { RecordFlags(rawValue: load(RecordLayout.flags, as: UInt8.self)) }
  @inlinable public var offset: Offset { Offset(load(RecordLayout.offset, as: UInt64.self)) }
  @inlinable public var previous: Offset { Offset(load(RecordLayout.previous, as: UInt64.self)) }
  @inlinable public var time: WallTime { WallTime(milliseconds: load(RecordLayout.time, as: Int64.self)) }
  @inlinable public var term: UInt64 { load(RecordLayout.term, as: UInt64.self) }
  @inlinable public var timeToLiveMilliseconds: UInt32 { load(RecordLayout.timeToLive, as: UInt32.self) }
  @inlinable public var publisher: UInt32 { load(RecordLayout.publisher, as: UInt32.self) }

  @inlinable var topicLength: Int { Int(load(RecordLayout.topicLength, as: UInt16.self)) }
  @inlinable var typeLength: Int { Int(load(RecordLayout.typeLength, as: UInt16.self)) }
  @inlinable var contentTypeLength: Int { Int(load(RecordLayout.contentTypeLength, as: UInt16.self)) }
  @inlinable var keyLength: Int { Int(load(RecordLayout.keyLength, as: UInt16.self)) }
  @inlinable var propertiesLength: Int { Int(load(RecordLayout.propertiesLength, as: UInt16.self)) }
  @inlinable var payloadLength: Int { Int(load(RecordLayout.payloadLength, as: UInt32.self)) }

  @inlinable @inline(__always) func part(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start + RecordLayout.headerSize + offset, count: count)
  }

  @inlinable public var topic: UnsafeRawBufferPointer { part(0, topicLength) }
  @inlinable public var type: UnsafeRawBufferPointer { part(topicLength, typeLength) }
  @inlinable public var contentType: UnsafeRawBufferPointer { part(topicLength + typeLength, contentTypeLength) }
  @inlinable public var key: UnsafeRawBufferPointer { part(topicLength + typeLength + contentTypeLength, keyLength) }
  @inlinable public var properties: UnsafeRawBufferPointer {
    part(topicLength + typeLength + contentTypeLength + keyLength, propertiesLength)
  }
  @inlinable public var payload: UnsafeRawBufferPointer {
    part(topicLength + typeLength + contentTypeLength + keyLength + propertiesLength, payloadLength)
  }

  /// The bytes after the header of an entry that is not a message.
  @inlinable public var body: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start + RecordLayout.entryHeaderSize, count: length - RecordLayout.entryHeaderSize)
  }

  @inlinable public var encoded: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: length) }

  /// Whether a message that carries a time to live has outlived it.
  @inlinable public func isExpired(at now: WallTime) -> Bool {
    let allowed = timeToLiveMilliseconds
    return allowed != 0 && now.milliseconds - time.milliseconds >= Int64(allowed)
  }
}

/// What lies at a place where an entry is expected.
public enum EntryCheck: Equatable, Sendable {
  /// A whole, unharmed entry of this many bytes.
  case valid(length: Int)
  /// The bytes end before the entry does.
  case incomplete
  /// A length, a kind, an inner length or a checksum is wrong.
  case damaged
}

extension RecordView {
  /// No entry is longer: the largest message and room for its topic, key and properties.
  public static let maximumLength = 128 << 20

  /// Decides whether `bytes` begin with a whole entry. Never reads outside them.
  public static func check(_ bytes: UnsafeRawBufferPointer) -> EntryCheck {
    guard bytes.count >= RecordLayout.entryHeaderSize, let base = bytes.baseAddress else { return .incomplete }
    let view = RecordView(trusting: base)
    let length = view.length
    guard length >= RecordLayout.entryHeaderSize, length <= maximumLength else { return .damaged }
    guard let kind = view.kind else { return .damaged }
    guard length <= bytes.count else { return .incomplete }
    let sealed = UnsafeRawBufferPointer(rebasing: bytes[RecordLayout.kind..<length])
    guard CRC32C.of(sealed) == view.checksum else { return .damaged }
    if kind == .record {
      guard length >= RecordLayout.headerSize else { return .damaged }
      let parts =
        view.topicLength + view.typeLength + view.contentTypeLength + view.keyLength + view.propertiesLength + view.payloadLength
      guard length == RecordLayout.headerSize + parts else { return .damaged }
    }
    return .valid(length: length)
  }
}

extension RecordView {
  /// The length of the draft that `memory` begins with: whole, and of parts that fit; nil if it does not. It bears no stamp and
  /// no checksum yet.
  public static func draftLength(_ memory: UnsafeRawBufferPointer) -> Int? {
    guard memory.count >= RecordLayout.headerSize, let base = memory.baseAddress else { return nil }
    let record = RecordView(trusting: base)
    let length = record.length
    guard length >= RecordLayout.headerSize, length <= memory.count, length <= maximumLength, record.kind == .record else { return nil }
    let parts =
      record.topicLength + record.typeLength + record.contentTypeLength + record.keyLength + record.propertiesLength
      + record.payloadLength
    return length == RecordLayout.headerSize + parts ? length : nil
  }
}

/// Walks entries that lie one after another.
public struct RecordSequence: Sequence, IteratorProtocol {
  @usableFromInline var at: UnsafeRawPointer
  @usableFromInline let end: UnsafeRawPointer

  /// `bytes` must hold whole entries that are already trusted.
  @inlinable public init(trusting bytes: UnsafeRawBufferPointer) {
    at = bytes.baseAddress ?? UnsafeRawPointer(emptyBytesAddress)
    end = at + bytes.count
  }

  @inlinable public mutating func next() -> RecordView? {
    guard at < end else { return nil }
    let view = RecordView(trusting: at)
    at += view.length
    return view
  }
}
