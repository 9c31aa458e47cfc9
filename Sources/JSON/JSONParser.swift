internal import Core

public enum JSONDialect: Sendable {
  /// RFC 8259 and nothing beyond: what requests carry.
  case json
  /// JSON5: comments, trailing commas, names without quotes and the rest: what people write in files.
  case json5
}

extension JSONValue {
  /// Reads the one value that `bytes` are. A name that appears twice in an object is an error in both
  /// dialects: whoever wrote it meant one of the two and cannot know which was taken.
  public init(parsing bytes: RawSpan, as dialect: JSONDialect = .json) throws(JSONError) {
    var parser = JSONParser(bytes, dialect)
    self = try parser.document()
  }

  public init(parsing text: String, as dialect: JSONDialect = .json) throws(JSONError) {
    try self.init(parsing: text.utf8.span.bytes, as: dialect)
  }
}

/// Builds the tree; recursion is bounded by `JSONLimits.maximumDepth`. What the dialects write differently
/// stands in the extensions.
struct JSONParser: ~Escapable {
  let bytes: RawSpan
  let dialect: JSONDialect
  var at = 0
  private var place = JSONPlace()

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, _ dialect: JSONDialect) {
    self.bytes = bytes
    self.dialect = dialect
  }

  var count: Int { bytes.byteCount }

  func failure(_ reason: JSONError.Reason, at offset: Int) -> JSONError { JSONError(reason, in: bytes, at: offset) }

  /// The byte at `at`, 0 past the end: a byte that fits nowhere.
  var byte: UInt8 { at < count ? bytes.byte(at: at) : 0 }

  @_lifetime(self: copy self)
  mutating func document() throws(JSONError) -> JSONValue {
    try skipSpace()
    guard at < count else { throw failure(.empty, at: at) }
    let value = try value(depth: 0, atEnd: .empty)
    try skipSpace()
    guard at == count else { throw failure(.textAfterValue, at: at) }
    return value
  }

  @_lifetime(self: copy self)
  private mutating func value(depth: Int, atEnd: JSONError.Reason) throws(JSONError) -> JSONValue {
    guard at < count else { throw failure(atEnd, at: at) }
    let start = at
    let line = line(of: start)
    let content: JSONValue.Content
    switch byte {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      guard depth < JSONLimits.maximumDepth else { throw failure(.tooDeep, at: at) }
      content = byte == UInt8(ascii: "{") ? .object(try object(depth: depth)) : .array(try array(depth: depth))
    case UInt8(ascii: "\""), UInt8(ascii: "'"): content = .string(try string(elseExpected: .expectedValue))
    case UInt8(ascii: "t"):
      at = try JSONSkimmer.literal("true", bytes, from: at)
      content = .boolean(true)
    case UInt8(ascii: "f"):
      at = try JSONSkimmer.literal("false", bytes, from: at)
      content = .boolean(false)
    case UInt8(ascii: "n"):
      at = try JSONSkimmer.literal("null", bytes, from: at)
      content = .null
    default: content = .number(try number())
    }
    return JSONValue(content, range: start..<at, line: line)
  }

  @_lifetime(self: copy self)
  private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
    var object = JSONObject()
    at += 1
    var expecting = JSONError.Reason.expectedNameOrBrace
    while true {
      try skipSpace()
      guard at < count else { throw failure(.endInsideObject, at: at) }
      if byte == UInt8(ascii: "}"), object.members.isEmpty || dialect == .json5 {
        at += 1
        return object
      }
      let nameStart = at
      let nameLine = line(of: nameStart)
      let name = try name(elseExpected: expecting)
      let nameRange = nameStart..<at
      try skipSpace()
      guard at < count else { throw failure(.endInsideObject, at: at) }
      guard byte == UInt8(ascii: ":") else { throw failure(reasonForMissingColon, at: at) }
      at += 1
      try skipSpace()
      let value = try value(depth: depth + 1, atEnd: .endInsideObject)
      guard object.add(JSONObject.Member(name: name, nameRange: nameRange, nameLine: nameLine, value: value)) else {
        throw failure(.duplicateName(name), at: nameStart)
      }
      try skipSpace()
      guard at < count else { throw failure(.endInsideObject, at: at) }
      switch byte {
      case UInt8(ascii: ","): at += 1
      case UInt8(ascii: "}"):
        at += 1
        return object
      default: throw failure(.expectedCommaOrBrace, at: at)
      }
      expecting = .expectedName
    }
  }

  @_lifetime(self: copy self)
  private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
    var elements: [JSONValue] = []
    at += 1
    while true {
      try skipSpace()
      guard at < count else { throw failure(.endInsideArray, at: at) }
      if byte == UInt8(ascii: "]") {
        guard elements.isEmpty || dialect == .json5 else { throw failure(.commaWithoutValue, at: at) }
        at += 1
        return elements
      }
      elements.append(try value(depth: depth + 1, atEnd: .endInsideArray))
      try skipSpace()
      guard at < count else { throw failure(.endInsideArray, at: at) }
      switch byte {
      case UInt8(ascii: ","): at += 1
      case UInt8(ascii: "]"):
        at += 1
        return elements
      default: throw failure(.expectedCommaOrBracket, at: at)
      }
    }
  }

  /// Values are begun in the order they are written, so counting lines passes over the text once.
  @_lifetime(self: copy self)
  private mutating func line(of offset: Int) -> Int {
    place.advance(to: offset, in: bytes)
    return place.line
  }

  @_lifetime(self: copy self)
  mutating func skipSpace() throws(JSONError) {
    switch dialect {
    case .json: at = JSONSkimmer.space(bytes, from: at)
    case .json5: try skipSpaceAndComments()
    }
  }

  @_lifetime(self: copy self)
  private mutating func name(elseExpected reason: JSONError.Reason) throws(JSONError) -> String {
    switch dialect {
    case .json: try string(elseExpected: reason)
    case .json5: try nameWithOrWithoutQuotes(elseExpected: reason)
    }
  }

  @_lifetime(self: copy self)
  private mutating func string(elseExpected reason: JSONError.Reason) throws(JSONError) -> String {
    switch dialect {
    case .json5: return try looseString()
    case .json:
      guard byte == UInt8(ascii: "\"") else { throw failure(reason, at: at) }
      let start = at
      let text = try JSONSkimmer.string(bytes, from: start)
      at = text.end
      return text.isEscaped ? try JSONText.string(bytes, start..<at) : bytes.text(start + 1..<at - 1)
    }
  }

  @_lifetime(self: copy self)
  private mutating func number() throws(JSONError) -> JSONNumber {
    let start = at
    switch dialect {
    case .json:
      guard byte.isDigit || byte == UInt8(ascii: "-") else { throw failure(.expectedValue, at: at) }
      at = try JSONSkimmer.number(bytes, from: at)
    case .json5: try skipLooseNumber()
    }
    return JSONNumber(bytes.text(start..<at))
  }
}
