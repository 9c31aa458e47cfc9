/// Why a text is not a topic or a filter, in words for the person who wrote it.
public struct TopicError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// The name messages are published under: UTF-8, levels separated by `/`, no wildcards.
public struct Topic: Hashable, Sendable, CustomStringConvertible {
  public static let maximumLength = 1024

  public let bytes: Bytes

  public init(_ text: String) throws(TopicError) {
    let bytes = Bytes(text)
    if let error = bytes.withUnsafeBytes(Topic.problem) { throw error }
    self.bytes = bytes
  }

  /// `bytes` must have passed `problem`.
  public init(trusting bytes: Bytes) { self.bytes = bytes }

  public var description: String { bytes.text }

  /// What is wrong with `bytes` as a topic; nil if nothing is.
  public static func problem(_ bytes: UnsafeRawBufferPointer) -> TopicError? {
    if let error = nameProblem(bytes, noun: "topic") { return error }
    for byte in bytes where byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") {
      return TopicError("a topic has no wildcards: '+' and '#' belong in filters (subscribe with them, publish to a full name)")
    }
    return nil
  }

  /// What topics and filters have in common.
  static func nameProblem(_ bytes: UnsafeRawBufferPointer, noun: String) -> TopicError? {
    if bytes.isEmpty { return TopicError("a \(noun) has at least one character") }
    if bytes.count > maximumLength { return TopicError("a \(noun) has at most \(maximumLength) bytes, this one has \(bytes.count)") }
    var isPlain = true
    for byte in bytes {
      if byte < 0x20 || byte == 0x7f { return TopicError("a \(noun) has no control characters") }
      if byte >= 0x80 { isPlain = false }
    }
    if !isPlain {
      var previous: UInt8 = 0
      for byte in bytes {
        if previous == 0xc2, byte >= 0x80, byte < 0xa0 { return TopicError("a \(noun) has no control characters") }
        previous = byte
      }
      if String(validating: bytes, as: UTF8.self) == nil { return TopicError("a \(noun) is UTF-8 text, this one is not") }
    }
    return nil
  }

  /// Whether the name belongs to the system (`$SYS/…`): nobody publishes there, and no wildcard at the first level matches it.
  public static func isSystem(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.first == UInt8(ascii: "$") }

  /// The shard of a topic: a `{tag}` in the name decides alone if there is one, so that related topics share an order.
  public static func shard(of bytes: UnsafeRawBufferPointer, among count: Int) -> ShardID {
    ShardID(Int(StableHash.of(hashedPart(of: bytes)) % UInt64(count)))
  }

  static func hashedPart(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    guard let open = bytes.firstIndex(of: UInt8(ascii: "{")) else { return bytes }
    let after = open + 1
    guard let close = bytes[after...].firstIndex(of: UInt8(ascii: "}")), close > after else { return bytes }
    return UnsafeRawBufferPointer(rebasing: bytes[after..<close])
  }
}

/// Which topics a reader wants: a topic name in which `+` stands for one level and a last `#` for the rest.
public struct Filter: Hashable, Sendable, CustomStringConvertible {
  public let bytes: Bytes
  public let hasWildcard: Bool

  public init(_ text: String) throws(TopicError) {
    self = try Filter(Bytes(text))
  }

  public init(_ bytes: Bytes) throws(TopicError) {
    if let error = bytes.withUnsafeBytes(Filter.problem) { throw error }
    self.bytes = bytes
    hasWildcard = bytes.withUnsafeBytes { $0.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") } }
  }

  public var description: String { bytes.text }

  public static func problem(_ bytes: UnsafeRawBufferPointer) -> TopicError? {
    if let error = Topic.nameProblem(bytes, noun: "filter") { return error }
    var levelStart = 0
    for index in 0...bytes.count {
      guard index == bytes.count || bytes[index] == UInt8(ascii: "/") else { continue }
      let level = bytes[levelStart..<index]
      let wild = level.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
      if wild {
        if level.count != 1 { return TopicError("in a filter '+' or '#' is a whole level of its own, as in 'a/+/b' or 'a/#'") }
        if level.first == UInt8(ascii: "#"), index != bytes.count {
          return TopicError("in a filter '#' is the last level, as in 'a/b/#'")
        }
      }
      levelStart = index + 1
    }
    return nil
  }

  /// Whether `topic` is one of those the filter wants. O(length), no allocation.
  public func matches(_ topic: UnsafeRawBufferPointer) -> Bool {
    bytes.withUnsafeBytes { filter in Filter.matches(filter, topic) }
  }

  static func matches(_ filter: UnsafeRawBufferPointer, _ topic: UnsafeRawBufferPointer) -> Bool {
    let slash = UInt8(ascii: "/")
    if Topic.isSystem(topic), let first = filter.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "#") { return false }
    var f = 0
    var t = 0
    while f < filter.count {
      switch filter[f] {
      case UInt8(ascii: "#"):
        return true
      case UInt8(ascii: "+"):
        while t < topic.count, topic[t] != slash { t += 1 }
        f += 1
      default:
        while f < filter.count, filter[f] != slash {
          guard t < topic.count, topic[t] == filter[f] else { return false }
          f += 1
          t += 1
        }
        guard t == topic.count || topic[t] == slash else { return false }
      }
      // Both stand at the end of a level.
      if f == filter.count { return t == topic.count }
      f += 1
      if t == topic.count {
        // "a/#" also matches "a".
        return f + 1 == filter.count && filter[f] == UInt8(ascii: "#")
      }
      t += 1
    }
    // The filter ended with '/': its last level is empty, and so must be the topic's.
    return t == topic.count
  }

  /// The one shard that can hold what the filter wants; nil if any can.
  public func shard(among count: Int) -> ShardID? {
    hasWildcard ? nil : bytes.withUnsafeBytes { Topic.shard(of: $0, among: count) }
  }
}
