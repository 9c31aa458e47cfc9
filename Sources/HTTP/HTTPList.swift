import Core

/// Walks the elements of one comma-separated field value; commas inside quoted strings do not separate,
/// empty elements are passed over.
public struct HTTPList: Sendable {
  private var at: Int
  private let end: Int

  public init(_ value: Range<Int>) {
    at = value.lowerBound
    end = value.upperBound
  }

  /// The next element without the white space around it.
  public mutating func next(in input: RawSpan) -> Range<Int>? {
    while at < end {
      let start = at
      at = HTTPList.separator(UInt8(ascii: ","), in: input, from: at, to: end)
      let element = input.trimmed(start..<at)
      at += 1
      if !element.isEmpty { return element }
    }
    return nil
  }

  /// Whether the list on all lines of a field has `token`, which must be in lower case, as an element.
  public static func contains(_ token: StaticString, in field: HTTPFieldName, of fields: HTTPFields, _ input: RawSpan) -> Bool {
    for value in fields.all(field) {
      var list = HTTPList(value)
      while let element = list.next(in: input) {
        if input.equalsIgnoringCase(element, token) { return true }
      }
    }
    return false
  }

  /// The first `mark` outside a quoted string, or `end`.
  static func separator(_ mark: UInt8, in input: RawSpan, from start: Int, to end: Int) -> Int {
    var at = start
    var isQuoted = false
    while at < end {
      let byte = input.byte(at: at)
      if isQuoted {
        if byte == UInt8(ascii: "\\") { at += 1 } else if byte == UInt8(ascii: "\"") { isQuoted = false }
      } else if byte == mark {
        return at
      } else if byte == UInt8(ascii: "\"") {
        isQuoted = true
      }
      at += 1
    }
    return end
  }
}
