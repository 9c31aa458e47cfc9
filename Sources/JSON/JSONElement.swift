public enum JSONKind: Hashable, Sendable {
  case object, array, string, number, boolean, null

  /// The kind of the valid value that begins with `byte`.
  init(startingWith byte: UInt8) {
    switch byte {
    case UInt8(ascii: "{"): self = .object
    case UInt8(ascii: "["): self = .array
    case UInt8(ascii: "\""): self = .string
    case UInt8(ascii: "t"), UInt8(ascii: "f"): self = .boolean
    case UInt8(ascii: "n"): self = .null
    default: self = .number
    }
  }
}

/// A value where it lies: its kind and its bytes, quotes and brackets included.
public struct JSONElement: Hashable, Sendable {
  public let kind: JSONKind
  public let range: Range<Int>
}

/// A member of an object where it lies.
public struct JSONMember: Hashable, Sendable {
  /// The name without its quotes, escapes as they stand.
  public let name: Range<Int>
  public let nameIsEscaped: Bool
  public let kind: JSONKind
  /// The value's bytes, quotes and brackets included.
  public let value: Range<Int>
}
