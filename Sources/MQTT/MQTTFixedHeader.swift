import Core

/// What every packet begins with: its kind, its flags and how many bytes follow.
struct MQTTFixedHeader {
  static let duplicateFlag: UInt8 = 0b1000
  static let atLeastOnceFlag: UInt8 = 0b0010
  static let qosFlags: UInt8 = 0b0110
  static let retainFlag: UInt8 = 0b0001

  let type: MQTTPacketType
  let flags: UInt8
  /// Bytes behind the header.
  let remaining: Int
  /// Bytes of the header itself.
  let size: Int
  /// Whether the length is in its shortest form, which 5.0 demands and 3.1.1 does not.
  let isMinimal: Bool

  /// Reads the header at `at`; nil when it is not all there. What can be refused is refused at the byte that is wrong, so
  /// that nothing is held for a packet that will be refused. `version` is nil before CONNECT.
  static func read(
    _ input: RawSpan, at: Int, role: MQTTRole, version: MQTTVersion?, limits: MQTTLimits
  ) throws(MQTTDecodeFailure) -> MQTTFixedHeader? {
    let available = input.byteCount - at
    guard available > 0 else { return nil }
    let first = input.byte(at: at)
    let flags = first & 0x0f
    guard let type = MQTTPacketType(rawValue: first >> 4) else { throw version == nil ? .connectExpected : .reservedPacketType }
    try judge(type, flags, role, version)

    var remaining = 0
    var size = 1
    var byte: UInt8
    repeat {
      guard size < available else { return nil }
      byte = input.byte(at: at + size)
      remaining |= Int(byte & 0x7f) << (7 * (size - 1))
      size += 1
      guard byte < 0x80 || size <= MQTTVariableInteger.longest else { throw .lengthTooLong }
    } while byte >= 0x80
    // Before CONNECT has told the version, its decoder judges.
    let isMinimal = byte != 0 || size == 2
    guard isMinimal || version != .v5 else { throw .variableIntegerNotMinimal }
    guard remaining + size <= (version == nil ? limits.connectSize : limits.maximumPacketSize) else { throw .packetTooLarge }
    if let version, let longest = type.longestBody(version), remaining > longest { throw .trailingBytes }
    return MQTTFixedHeader(type: type, flags: flags, remaining: remaining, size: size, isMinimal: isMinimal)
  }

  private static func judge(
    _ type: MQTTPacketType, _ flags: UInt8, _ role: MQTTRole, _ version: MQTTVersion?
  ) throws(MQTTDecodeFailure) {
    guard let version else {
      guard type == .connect else { throw .connectExpected }
      guard flags == 0 else { throw .reservedFlags }
      return
    }
    guard type != .authentication || version == .v5 else { throw .reservedPacketType }
    if type == .publish {
      guard flags & qosFlags != qosFlags else { throw .publishQoSThree }
      guard flags & qosFlags != 0 || flags & duplicateFlag == 0 else { throw .duplicateWithoutQoS }
      return
    }
    // 3.1 sends these three with QoS 1, and marks those it sends again.
    let mayRepeat = version == .v31 && type.fixedFlags != 0
    guard flags & (mayRepeat ? ~duplicateFlag : 0xff) == type.fixedFlags else { throw .reservedFlags }
    guard type.isSent(to: role, version) else { throw .wrongDirection }
    guard type != .connect else { throw .secondConnect }
  }
}
