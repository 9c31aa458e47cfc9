public import Core

/// CONNECT: who comes, in which version, and what is to be published when they are gone.
public struct MQTTConnect: MQTTOwnedPacket {
  public var version: MQTTVersion
  /// Clean Start; Clean Session before 5.0.
  public var isCleanStart = true
  /// Seconds; 0 is never.
  public var keepAlive: UInt16 = 0
  /// May be empty: then the server makes one up, or refuses. UTF-8, compared byte by byte, as all texts here.
  public var clientIdentifier: Bytes
  public var will: MQTTWill?
  public var userName: Bytes?
  public var password: Bytes?
  public var properties = MQTTProperties()

  public init(_ version: MQTTVersion, clientIdentifier: Bytes) {
    self.version = version
    self.clientIdentifier = clientIdentifier
  }

  public var type: MQTTPacketType { .connect }

  enum Flag {
    static let reserved: UInt8 = 0x01
    static let cleanStart: UInt8 = 0x02
    static let will: UInt8 = 0x04
    static let willQoSShift: UInt8 = 3
    static let willQoS: UInt8 = 0x18
    static let willRetain: UInt8 = 0x20
    static let password: UInt8 = 0x40
    static let userName: UInt8 = 0x80
  }
}

extension MQTTConnect {
  /// `version` is told as soon as it is known, so that a refusal of what follows can be answered in it; for a version that is
  /// not spoken here it is the nearest one.
  static func decode(
    _ reader: inout MQTTFieldReader, isLengthMinimal: Bool, role: MQTTRole, limits: MQTTLimits, version: inout MQTTVersion?
  ) throws(MQTTDecodeFailure) -> MQTTConnect {
    let spoken = try readVersion(&reader, &version)
    let isLenient = spoken == .v31
    guard isLengthMinimal || spoken != .v5 else { throw .variableIntegerNotMinimal }
    let rules = MQTTDecodeRules(role: role, version: spoken, limits: limits)
    let flags = try reader.byte()
    // 3.1 disregards what these say when they say nothing of use.
    guard flags & Flag.reserved == 0 || isLenient else { throw .connectReservedFlag }
    let hasWill = flags & Flag.will != 0
    guard hasWill || flags & (Flag.willQoS | Flag.willRetain) == 0 || isLenient else { throw .willFlagsWithoutWill }
    let willQoS = MQTTQoS(rawValue: (flags & Flag.willQoS) >> Flag.willQoSShift)
    guard willQoS != nil || !hasWill else { throw .willQoSThree }
    let hasName = flags & Flag.userName != 0
    let hasPassword = flags & Flag.password != 0
    guard hasName || !hasPassword || spoken == .v5 else { throw .passwordWithoutUserName }

    var connect = MQTTConnect(spoken, clientIdentifier: Bytes())
    connect.isCleanStart = flags & Flag.cleanStart != 0
    connect.keepAlive = try reader.two()
    connect.properties = try MQTTProperties.decode(&reader, of: .connect, rules)
    if connect.properties.first(.authenticationData) != nil, connect.properties.first(.authenticationMethod) == nil {
      throw .authenticationDataWithoutMethod
    }
    connect.clientIdentifier = reader.copy(try reader.text())
    if hasWill, let willQoS {
      connect.will = try MQTTWill.decode(&reader, qos: willQoS, isRetained: flags & Flag.willRetain != 0, rules)
    }
    // In 3.1 the length of the packet decides, not the flags: what is announced and not there is no mistake.
    if hasName, !(isLenient && reader.isAtEnd) { connect.userName = reader.copy(try reader.text()) }
    if hasPassword, !(isLenient && reader.isAtEnd) { connect.password = reader.copy(try reader.binary()) }
    return connect
  }

  private static func readVersion(
    _ reader: inout MQTTFieldReader, _ version: inout MQTTVersion?
  ) throws(MQTTDecodeFailure) -> MQTTVersion {
    let name = try reader.binary()
    func isNamed(_ version: MQTTVersion, _ bytes: RawSpan) -> Bool {
      let expected = UnsafeRawBufferPointer(start: version.protocolName.utf8Start, count: version.protocolName.utf8CodeUnitCount)
      return bytes.withUnsafeBytes { $0.elementsEqual(expected) }
    }
    let isOld = isNamed(.v31, reader.bytes.extracting(name))
    guard isOld || isNamed(.v5, reader.bytes.extracting(name)) else { throw .unknownProtocolName }
    let level = try reader.byte()
    if let spoken = MQTTVersion(rawValue: level), (spoken == .v31) == isOld {
      version = spoken
      return spoken
    }
    version = isOld ? .v31 : level > MQTTVersion.v5.rawValue && level < 0x80 ? .v5 : .v311
    throw .unsupportedVersion
  }

  private var flags: UInt8 {
    var flags: UInt8 = isCleanStart ? Flag.cleanStart : 0
    if let will { flags |= Flag.will | will.qos.rawValue << Flag.willQoSShift | (will.isRetained ? Flag.willRetain : 0) }
    if userName != nil { flags |= Flag.userName }
    if password != nil { flags |= Flag.password }
    return flags
  }

  /// Appends the packet in its own version.
  public func append(into buffer: inout ByteBuffer) {
    append(version, into: &buffer)
  }

  /// Of the packet's own version, whatever is asked.
  public func bodySize(_: MQTTVersion) -> Int {
    var size = 2 + version.protocolName.utf8CodeUnitCount + 1 + 1 + 2 + 2 + clientIdentifier.count
    if version == .v5 { size += properties.fieldSize }
    if let will { size += will.encodedSize(version) }
    if let userName { size += 2 + userName.count }
    if let password { size += 2 + password.count }
    return size
  }

  public func appendBody(_: MQTTVersion, into buffer: inout ByteBuffer) {
    buffer.append(field: version.protocolName)
    buffer.append(version.rawValue)
    buffer.append(flags)
    buffer.append(bigEndian: keepAlive)
    if version == .v5 { properties.appendField(into: &buffer) }
    buffer.append(field: clientIdentifier)
    will?.append(version, into: &buffer)
    if let userName { buffer.append(field: userName) }
    if let password { buffer.append(field: password) }
  }
}
