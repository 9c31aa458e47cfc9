import Core

/// Reads the fields of one packet's body from bytes that may be anything. Places are offsets into the whole input.
struct MQTTFieldReader: ~Escapable {
  let bytes: RawSpan
  private(set) var at: Int
  let end: Int

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, _ place: Range<Int>) {
    precondition(place.upperBound <= bytes.byteCount, "a body outside the input")
    self.bytes = bytes
    at = place.lowerBound
    end = place.upperBound
  }

  var isAtEnd: Bool { at == end }

  var remaining: Int { end - at }

  /// The place of the next `count` bytes, which are passed over.
  @_lifetime(self: copy self)
  mutating func skip(_ count: Int) throws(MQTTDecodeFailure) -> Range<Int> {
    guard count <= end - at else { throw .truncated }
    defer { at += count }
    return at..<at + count
  }

  @_lifetime(self: copy self)
  mutating func byte() throws(MQTTDecodeFailure) -> UInt8 {
    guard at < end else { throw .truncated }
    defer { at += 1 }
    return bytes.byte(at: at)
  }

  @_lifetime(self: copy self)
  mutating func two() throws(MQTTDecodeFailure) -> UInt16 {
    let place = try skip(2)
    return UInt16(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place.lowerBound, as: UInt16.self))
  }

  @_lifetime(self: copy self)
  mutating func four() throws(MQTTDecodeFailure) -> UInt32 {
    let place = try skip(4)
    return UInt32(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place.lowerBound, as: UInt32.self))
  }

  /// A variable integer of 5.0, in its shortest form.
  @_lifetime(self: copy self)
  mutating func variable() throws(MQTTDecodeFailure) -> Int {
    var value = 0
    for position in 0..<MQTTVariableInteger.longest {
      let byte = try byte()
      value |= Int(byte & 0x7f) << (7 * position)
      guard byte >= 0x80 else {
        guard byte != 0 || position == 0 else { throw .variableIntegerNotMinimal }
        return value
      }
    }
    throw .lengthTooLong
  }

  /// The place of binary data behind its length.
  @_lifetime(self: copy self)
  mutating func binary() throws(MQTTDecodeFailure) -> Range<Int> {
    try skip(Int(try two()))
  }

  /// The place of a text behind its length.
  @_lifetime(self: copy self)
  mutating func text() throws(MQTTDecodeFailure) -> Range<Int> {
    let place = try binary()
    try bytes.extracting(place).withUnsafeBytes { bytes throws(MQTTDecodeFailure) in try MQTTFieldReader.checkText(bytes) }
    return place
  }

  /// A packet identifier, which is never 0.
  @_lifetime(self: copy self)
  mutating func packetIdentifier() throws(MQTTDecodeFailure) -> UInt16 {
    let identifier = try two()
    guard identifier != 0 else { throw .packetIdentifierZero }
    return identifier
  }

  func copy(_ place: Range<Int>) -> Bytes { Bytes(copying: bytes.extracting(place)) }

  /// Well-formed UTF-8 without U+0000. Control characters and a byte order mark are let pass: the first may be refused
  /// (section 1.5.4), and topics and filters do; the second must not be touched ([MQTT-1.5.4-3]).
  private static func checkText(_ bytes: UnsafeRawBufferPointer) throws(MQTTDecodeFailure) {
    var union: UInt8 = 0
    var hasNull = false
    for byte in bytes {
      union |= byte
      hasNull = hasNull || byte == 0
    }
    guard union < 0x80 || UTF8Validator.isValid(bytes) else { throw .textNotUTF8 }
    guard !hasNull else { throw .textHasNull }
  }
}
