internal import Core

/// What publishers may call the kind of a message, over whatever protocol.
enum EventType {
  /// Server-sent events, and everybody who listens for types, hear of the system under these.
  static let reserved: StaticString = "tidings."

  /// What is wrong with it; nil if nothing is. It stands on a line of its own where it is sent to browsers.
  static func problem(_ type: UnsafeRawBufferPointer) -> String? {
    guard type.count <= RequestLimits.typeLength, isOneLine(type) else {
      return "An event type is text on one line of at most \(RequestLimits.typeLength) bytes."
    }
    let isReserved = reserved.withUTF8Buffer { type.starts(with: $0) }
    return isReserved ? "Event types that begin with 'tidings.' are the system's." : nil
  }

  static func isOneLine(_ text: UnsafeRawBufferPointer) -> Bool { text.allSatisfy { $0 >= 0x20 && $0 != 0x7f } }
}
