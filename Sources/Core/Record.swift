/// The one encoding of a message: made once where it enters the system, stamped once by the shard's leader,
/// then the same bytes in the journal, on links, in caches, and under every rendering.
///
/// ```
///  0  u32  length of the whole entry, this field included
///  4  u32  CRC-32C of bytes 8 ..< length
///  8  u8   kind (EntryKind)
///  9  u8   flags (RecordFlags)
/// 10  u16  topic length
/// 12  u16  event type length
/// 14  u16  content type length
/// 16  u64  offset                            stamped by the leader
/// 24  u64  offset of the topic's previous record, 0 if none     stamped
/// 32  i64  time, ms since 1970               stamped
/// 40  u64  term                              stamped
/// 48  u32  time to live in ms, 0 if none
/// 52  u16  idempotency key length
/// 54  u16  properties length
/// 56  u32  payload length
/// 60  u32  publisher number, 0 if none
/// 64       topic, event type, content type, idempotency key, properties, payload
/// ```
///
/// Every other entry of a shard's log has the same first 48 bytes, so that the journal needs to know nothing
/// of what it keeps.
public enum RecordLayout {
  public static let length = 0
  public static let checksum = 4
  public static let kind = 8
  public static let flags = 9
  public static let topicLength = 10
  public static let typeLength = 12
  public static let contentTypeLength = 14
  public static let offset = 16
  public static let previous = 24
  public static let time = 32
  public static let term = 40
  public static let timeToLive = 48
  public static let keyLength = 52
  public static let propertiesLength = 54
  public static let payloadLength = 56
  public static let publisher = 60
  public static let headerSize = 64
  /// The part every kind of entry has.
  public static let entryHeaderSize = 48
}

public enum EntryKind: UInt8, Sendable {
  /// A message.
  case record = 1
  /// Carries nothing: a new leader's first entry, or an offset given up.
  case nothing = 2
  /// A command to the shard's state machine other than a message (consumers, sessions).
  case command = 3
  /// Who the replicas of the shard are from here on; for consensus, the state machine passes over it.
  case membership = 4
}

public struct RecordFlags: OptionSet, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The message becomes the topic's current value.
  public static let retain = RecordFlags(rawValue: 1)
  /// The message clears the topic's current value; it has no payload.
  public static let clear = RecordFlags(rawValue: 2)
  /// The payload is valid UTF-8.
  public static let text = RecordFlags(rawValue: 4)
  /// The content type says JSON and the payload is one valid JSON value.
  public static let json = RecordFlags(rawValue: 8)
}

/// What a publisher says of a message, before the leader stamps it.
public struct RecordDraft {
  public var flags: RecordFlags = []
  public var timeToLiveMilliseconds: UInt32 = 0
  public var publisher: UInt32 = 0

  public init() {}

  /// Appends the encoding of one unstamped record. Every part must fit its length field; the edges' limits see to that.
  public func encode(
    topic: UnsafeRawBufferPointer, type: UnsafeRawBufferPointer, contentType: UnsafeRawBufferPointer,
    key: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer,
    into buffer: inout ByteBuffer
  ) {
    precondition(topic.count <= 0xffff && type.count <= 0xffff && contentType.count <= 0xffff)
    precondition(key.count <= 0xffff && properties.count <= 0xffff && payload.count <= 0x7fff_ffff)
    let total =
      RecordLayout.headerSize + topic.count + type.count + contentType.count + key.count + properties.count + payload.count
    let start = buffer.reserve(total)
    start.initializeMemory(as: UInt8.self, repeating: 0, count: RecordLayout.headerSize)
    start.storeBytes(of: UInt32(total).littleEndian, as: UInt32.self)
    start.storeBytes(of: EntryKind.record.rawValue, toByteOffset: RecordLayout.kind, as: UInt8.self)
    start.storeBytes(of: flags.rawValue, toByteOffset: RecordLayout.flags, as: UInt8.self)
    start.storeBytes(of: UInt16(topic.count).littleEndian, toByteOffset: RecordLayout.topicLength, as: UInt16.self)
    start.storeBytes(of: UInt16(type.count).littleEndian, toByteOffset: RecordLayout.typeLength, as: UInt16.self)
    start.storeBytes(of: UInt16(contentType.count).littleEndian, toByteOffset: RecordLayout.contentTypeLength, as: UInt16.self)
    start.storeBytes(of: timeToLiveMilliseconds.littleEndian, toByteOffset: RecordLayout.timeToLive, as: UInt32.self)
    start.storeBytes(of: UInt16(key.count).littleEndian, toByteOffset: RecordLayout.keyLength, as: UInt16.self)
    start.storeBytes(of: UInt16(properties.count).littleEndian, toByteOffset: RecordLayout.propertiesLength, as: UInt16.self)
    start.storeBytes(of: UInt32(payload.count).littleEndian, toByteOffset: RecordLayout.payloadLength, as: UInt32.self)
    start.storeBytes(of: publisher.littleEndian, toByteOffset: RecordLayout.publisher, as: UInt32.self)
    var at = start + RecordLayout.headerSize
    func put(_ part: UnsafeRawBufferPointer) {
      guard part.count > 0, let source = part.baseAddress else { return }
      at.copyMemory(from: source, byteCount: part.count)
      at += part.count
    }
    put(topic)
    put(type)
    put(contentType)
    put(key)
    put(properties)
    put(payload)
    buffer.advance(total)
  }

  /// For everything off the hot path.
  public func encode(
    topic: String, type: String = "", contentType: String = "", key: String = "", properties: [UInt8] = [],
    payload: [UInt8], into buffer: inout ByteBuffer
  ) {
    let parts = [Array(topic.utf8), Array(type.utf8), Array(contentType.utf8), Array(key.utf8), properties, payload]
    var joined: [UInt8] = []
    var ends: [Int] = []
    for part in parts {
      joined += part
      ends.append(joined.count)
    }
    joined.withUnsafeBytes { all in
      func part(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: all[(index == 0 ? 0 : ends[index - 1])..<ends[index]])
      }
      encode(
        topic: part(0), type: part(1), contentType: part(2), key: part(3), properties: part(4), payload: part(5),
        into: &buffer)
    }
  }
}

/// What the leader writes into a draft's header.
public struct RecordStamp {
  public var offset: Offset
  public var previous: Offset
  public var time: WallTime
  public var term: UInt64

  public init(offset: Offset, previous: Offset, time: WallTime, term: UInt64) {
    self.offset = offset
    self.previous = previous
    self.time = time
    self.term = term
  }

  /// Stamps the entry at `start`, whose length field is right, and seals it with its checksum.
  public func stamp(_ start: UnsafeMutableRawPointer) {
    start.storeBytes(of: offset.value.littleEndian, toByteOffset: RecordLayout.offset, as: UInt64.self)
    start.storeBytes(of: previous.value.littleEndian, toByteOffset: RecordLayout.previous, as: UInt64.self)
    start.storeBytes(of: time.milliseconds.littleEndian, toByteOffset: RecordLayout.time, as: Int64.self)
    start.storeBytes(of: term.littleEndian, toByteOffset: RecordLayout.term, as: UInt64.self)
    let length = Int(UInt32(littleEndian: start.loadUnaligned(as: UInt32.self)))
    let sealed = UnsafeRawBufferPointer(start: start + RecordLayout.kind, count: length - RecordLayout.kind)
    start.storeBytes(of: CRC32C.of(sealed).littleEndian, toByteOffset: RecordLayout.checksum, as: UInt32.self)
  }
}

/// Appends entries that are not messages.
public enum PlainEntry {
  public static func append(_ kind: EntryKind, body: UnsafeRawBufferPointer, stamp: RecordStamp, into buffer: inout ByteBuffer) {
    let total = RecordLayout.entryHeaderSize + body.count
    let start = buffer.reserve(total)
    start.initializeMemory(as: UInt8.self, repeating: 0, count: RecordLayout.entryHeaderSize)
    start.storeBytes(of: UInt32(total).littleEndian, as: UInt32.self)
    start.storeBytes(of: kind.rawValue, toByteOffset: RecordLayout.kind, as: UInt8.self)
    if let source = body.baseAddress, body.count > 0 {
      (start + RecordLayout.entryHeaderSize).copyMemory(from: source, byteCount: body.count)
    }
    stamp.stamp(start)
    buffer.advance(total)
  }
}
