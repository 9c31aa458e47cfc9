internal import Core
internal import MQTT

/// What MQTT publishers say of a message that no other publisher can, in the properties of its record.
///
/// ```
/// 0  u8  1: this layout
/// 1  u8  QoS it was published with
/// 2      properties as 5.0 encodes them: payload format, response topic, correlation data, user properties
/// ```
enum MQTTRecordProperties {
  static let layout: UInt8 = 1
  static let headerSize = 2
  /// The user properties that are fields of a record, and what they are called.
  static let typeName: StaticString = "tidings-event"
  static let keyName: StaticString = "tidings-key"
  static let cursorName: StaticString = "tidings-cursor"
  /// Asks for, and tells, where a message stands.
  static let positionName: StaticString = "tidings-position"
  /// Longest that a record has room for.
  static let longest = 0xffff

  /// A message that did not come by MQTT is delivered with whatever QoS is asked for.
  static func qos(of record: RecordView) -> MQTTQoS {
    let properties = record.properties
    guard properties.count >= headerSize, properties[0] == layout else { return .exactlyOnce }
    return MQTTQoS(rawValue: properties[1]) ?? .exactlyOnce
  }

  /// Whether the message came by another way than MQTT.
  static func isForeign(_ record: RecordView) -> Bool { record.properties.first != layout }

  /// The encoded properties; empty where there are none.
  static func encoded(of record: RecordView) -> UnsafeRawBufferPointer {
    let properties = record.properties
    guard properties.count > headerSize, properties[0] == layout else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(rebasing: properties[headerSize...])
  }

  static func begin(_ qos: MQTTQoS, into buffer: inout ByteBuffer) {
    buffer.append(layout)
    buffer.append(qos.rawValue)
  }
}

/// What is taken out of a publisher's user properties because records have fields for it.
struct MQTTPublishFacts {
  var type = Bytes()
  var key = Bytes()
  /// The others.
  var properties = MQTTProperties()

  init(_ properties: MQTTProperties) {
    self.init(
      properties.list.compactMap { property in
        if case .pair(let name, let value) = property.value { MQTTUserProperty(name, value) } else { nil }
      })
  }

  init(_ userProperties: [MQTTUserProperty]) {
    for property in userProperties {
      if property.name.isEqual(to: MQTTRecordProperties.typeName) {
        type = property.value
      } else if property.name.isEqual(to: MQTTRecordProperties.keyName) {
        key = property.value
      } else if property.name.isEqual(to: MQTTRecordProperties.positionName) {
        // Only the log knows positions: nobody is to be told one by a publisher.
        continue
      } else {
        properties.appendUserProperty(property.name, property.value)
      }
    }
  }
}

extension Bytes {
  init(static text: StaticString) {
    self.init(copying: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  func isEqual(to text: StaticString) -> Bool {
    count == text.utf8CodeUnitCount
      && withUnsafeBytes { $0.elementsEqual(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) }
  }
}
