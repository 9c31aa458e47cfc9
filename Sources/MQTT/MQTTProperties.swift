public import Core

/// A property that owns its value.
public struct MQTTProperty: Hashable, Sendable {
  public enum Value: Hashable, Sendable {
    case number(UInt32)
    /// A text or binary data.
    case bytes(Bytes)
    case pair(name: Bytes, value: Bytes)
  }

  public var identifier: MQTTPropertyIdentifier
  public var value: Value

  public init(_ identifier: MQTTPropertyIdentifier, _ value: Value) {
    self.identifier = identifier
    self.value = value
  }

  var encodedSize: Int {
    switch (identifier.form, value) {
    case (.bit, .number): 2
    case (.two, .number): 3
    case (.four, .number): 5
    case (.variable, .number(let number)): 1 + MQTTVariableInteger.size(of: Int(number))
    case (.text, .bytes(let bytes)), (.binary, .bytes(let bytes)): 3 + bytes.count
    case (.pair, .pair(let name, let value)): 5 + name.count + value.count
    default: preconditionFailure("the property \(identifier) has no such value")
    }
  }

  func append(into buffer: inout ByteBuffer) {
    buffer.append(identifier.rawValue)
    switch (identifier.form, value) {
    case (.bit, .number(let number)): buffer.append(UInt8(number))
    case (.two, .number(let number)): buffer.append(bigEndian: UInt16(number))
    case (.four, .number(let number)): buffer.append(bigEndian: number)
    case (.variable, .number(let number)): buffer.append(variable: Int(number))
    case (.text, .bytes(let bytes)), (.binary, .bytes(let bytes)): buffer.append(field: bytes)
    case (.pair, .pair(let name, let value)):
      buffer.append(field: name)
      buffer.append(field: value)
    default: preconditionFailure("the property \(identifier) has no such value")
    }
  }
}

/// The properties of a packet in the order they stand in; before 5.0 no packet has any. Most packets have none, and then
/// this costs a word.
public struct MQTTProperties: Hashable, Sendable {
  public var list: [MQTTProperty]

  public init(_ list: [MQTTProperty] = []) { self.list = list }

  public var isEmpty: Bool { list.isEmpty }

  /// Bytes of the properties themselves.
  public var encodedSize: Int {
    var size = 0
    for property in list { size += property.encodedSize }
    return size
  }

  /// Bytes with the length in front, as a packet of 5.0 has them.
  var fieldSize: Int {
    let size = encodedSize
    return MQTTVariableInteger.size(of: size) + size
  }

  /// Appends the properties without a length: what `MQTTPublishHead` and `MQTTPublishRendering` take.
  public func append(into buffer: inout ByteBuffer) {
    for property in list { property.append(into: &buffer) }
  }

  func appendField(into buffer: inout ByteBuffer) {
    buffer.append(variable: encodedSize)
    append(into: &buffer)
  }

  /// Reads the length and the properties behind it.
  static func decode(
    _ reader: inout MQTTFieldReader, of place: MQTTPropertyPlaces, _ rules: MQTTDecodeRules
  ) throws(MQTTDecodeFailure) -> MQTTProperties {
    guard rules.version == .v5 else { return MQTTProperties() }
    let length = try reader.variable()
    var parts = MQTTPropertyReader(reader.bytes, try reader.skip(length), of: place, limits: rules.limits)
    var properties = MQTTProperties()
    while let part = try parts.next() {
      switch part.identifier.form {
      case .bit, .two, .four, .variable: properties.list.append(MQTTProperty(part.identifier, .number(part.number)))
      case .text, .binary: properties.list.append(MQTTProperty(part.identifier, .bytes(reader.copy(part.value))))
      case .pair:
        let pair = MQTTProperty.Value.pair(name: reader.copy(part.name), value: reader.copy(part.value))
        properties.list.append(MQTTProperty(part.identifier, pair))
      }
    }
    return properties
  }
}

extension MQTTProperties {
  public func first(_ identifier: MQTTPropertyIdentifier) -> MQTTProperty.Value? {
    for property in list where property.identifier == identifier { return property.value }
    return nil
  }

  /// Puts `value` in the place of what is there, behind all others if there is nothing; nil takes it away.
  public mutating func set(_ identifier: MQTTPropertyIdentifier, _ value: MQTTProperty.Value?) {
    guard let value else { return list.removeAll { $0.identifier == identifier } }
    if let index = list.firstIndex(where: { $0.identifier == identifier }) {
      list[index].value = value
    } else {
      list.append(MQTTProperty(identifier, value))
    }
  }

  func number(_ identifier: MQTTPropertyIdentifier) -> UInt32? {
    guard case .number(let number)? = first(identifier) else { return nil }
    return number
  }

  func bytes(_ identifier: MQTTPropertyIdentifier) -> Bytes? {
    guard case .bytes(let bytes)? = first(identifier) else { return nil }
    return bytes
  }
}
