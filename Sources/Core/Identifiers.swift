/// A message's place in its shard's log. The first message of a shard has offset 1; 0 is "before everything".
public struct Offset: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var value: UInt64
  public init(_ value: UInt64) { self.value = value }

  public static let zero = Offset(0)
  public static func < (a: Offset, b: Offset) -> Bool { a.value < b.value }
  public var next: Offset { Offset(value + 1) }
  public func advanced(by count: Int) -> Offset { Offset(value + UInt64(count)) }
  public var description: String { String(value) }
}

public struct ShardID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var value: UInt16
  public init(_ value: UInt16) { self.value = value }
  public init(_ value: Int) { self.value = UInt16(value) }

  public static func < (a: ShardID, b: ShardID) -> Bool { a.value < b.value }
  public var index: Int { Int(value) }
  public var description: String { String(value) }
}

/// One message's address in the cluster, written `SHARD.OFFSET`.
public struct Position: Hashable, Sendable, CustomStringConvertible {
  public var shard: ShardID
  public var offset: Offset

  public init(_ shard: ShardID, _ offset: Offset) {
    self.shard = shard
    self.offset = offset
  }

  public var description: String { "\(shard).\(offset)" }
}

/// The durable identity of a node: 64 random bits, written as 16 hexadecimal digits.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var value: UInt64
  public init(_ value: UInt64) { self.value = value }

  public init?(_ text: String) {
    guard text.utf8.count == 16, text.utf8.allSatisfy(\.isHexadecimalDigit), let value = UInt64(text, radix: 16) else { return nil }
    self.value = value
  }

  public static func < (a: NodeID, b: NodeID) -> Bool { a.value < b.value }
  public var description: String { value.hexadecimal }
}

/// The identity of a cluster, part of every cursor: 48 random bits, written as 12 hexadecimal digits.
public struct ClusterID: Hashable, Sendable, CustomStringConvertible {
  public let value: UInt64
  public let description: String

  public init(_ value: UInt64) {
    self.value = value & 0xffff_ffff_ffff
    description = String(self.value.hexadecimal.dropFirst(4))
  }

  public init?(_ text: some StringProtocol) {
    guard text.utf8.count == 12, text.utf8.allSatisfy({ $0.isHexadecimalDigit }), let value = UInt64(text, radix: 16)
    else { return nil }
    self.init(value)
  }

  public static func == (a: ClusterID, b: ClusterID) -> Bool { a.value == b.value }
  public func hash(into hasher: inout Hasher) { hasher.combine(value) }
}

extension UInt64 {
  /// Sixteen lower-case digits.
  public var hexadecimal: String {
    let digits = String(self, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }
}

extension UInt8 {
  @inlinable public var isHexadecimalDigit: Bool {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }

  @inlinable public var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }
}
