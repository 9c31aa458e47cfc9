/// A JSON value as a tree, for requests and configuration: small texts that are looked at once.
///
/// Every value knows the bytes and the line it was written on, so that whoever finds it unfit can say where.
public struct JSONValue: Sendable {
  public enum Content: Sendable {
    case null
    case boolean(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
  }

  public let content: Content
  /// The bytes it was written as, quotes and brackets included.
  public let range: Range<Int>
  /// Counted from 1.
  public let line: Int

  init(_ content: Content, range: Range<Int>, line: Int) {
    self.content = content
    self.range = range
    self.line = line
  }

  public var kind: JSONKind {
    switch content {
    case .null: .null
    case .boolean: .boolean
    case .number: .number
    case .string: .string
    case .array: .array
    case .object: .object
    }
  }

  public var isNull: Bool { kind == .null }

  public var boolean: Bool? {
    if case .boolean(let truth) = content { truth } else { nil }
  }

  public var string: String? {
    if case .string(let text) = content { text } else { nil }
  }

  public var number: JSONNumber? {
    if case .number(let number) = content { number } else { nil }
  }

  /// The number as an integer; nil when it is no number, has a fraction or does not fit.
  public var integer: Int? { number?.integer }

  /// The number as a double; nil when it is no number.
  public var double: Double? { number?.double }

  public var array: [JSONValue]? {
    if case .array(let elements) = content { elements } else { nil }
  }

  public var object: JSONObject? {
    if case .object(let object) = content { object } else { nil }
  }

  /// The member of that name; nil when there is none or this is no object.
  public subscript(name: String) -> JSONValue? { object?[name] }
}

/// An object whose members keep their order; no two have the same name.
public struct JSONObject: Sendable {
  public struct Member: Sendable {
    public let name: String
    /// The name's bytes, quotes included where it has them.
    public let nameRange: Range<Int>
    /// Counted from 1.
    public let nameLine: Int
    public let value: JSONValue
  }

  public private(set) var members: [Member] = []
  private var index: [String: Int] = [:]

  /// Adds a member unless one has its name already.
  mutating func add(_ member: Member) -> Bool {
    guard index.updateValue(members.count, forKey: member.name) == nil else { return false }
    members.append(member)
    return true
  }

  public subscript(name: String) -> JSONValue? { index[name].map { members[$0].value } }
}

extension JSONKind: CustomStringConvertible {
  /// With its article, for sentences such as "expected a string, found an object".
  public var description: String {
    switch self {
    case .object: "an object"
    case .array: "an array"
    case .string: "a string"
    case .number: "a number"
    case .boolean: "true or false"
    case .null: "null"
    }
  }
}
