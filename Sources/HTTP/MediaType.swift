import Core

/// What a media type names, apart from its parameters.
public enum MediaType {
  /// `type/subtype` without parameters and white space.
  public static func essence(_ value: Range<Int>, in input: RawSpan) -> Range<Int> {
    input.trimmed(value.lowerBound..<HTTPList.separator(UInt8(ascii: ";"), in: input, from: value.lowerBound, to: value.upperBound))
  }

  /// Whether the essence is `type`, which must be in lower case.
  public static func names(_ type: StaticString, _ value: Range<Int>, in input: RawSpan) -> Bool {
    input.equalsIgnoringCase(essence(value, in: input), type)
  }

  /// Whether the content is JSON: `application/json` or any type ending in `+json`.
  public static func isJSON(_ value: Range<Int>, in input: RawSpan) -> Bool {
    let essence = essence(value, in: input)
    if input.equalsIgnoringCase(essence, "application/json") { return true }
    return essence.count > 5 && input.equalsIgnoringCase(essence.upperBound - 5..<essence.upperBound, "+json")
  }

  /// Whether the value is a type, a slash, a subtype and well-formed parameters.
  public static func isWellFormed(_ value: Range<Int>, in input: RawSpan) -> Bool {
    let essence = essence(value, in: input)
    let slash = input.first(notIn: .token, from: essence.lowerBound, to: essence.upperBound)
    guard slash > essence.lowerBound, slash + 1 < essence.upperBound, input.byte(at: slash) == UInt8(ascii: "/") else { return false }
    guard input.first(notIn: .token, from: slash + 1, to: essence.upperBound) == essence.upperBound else { return false }
    var at = HTTPList.separator(UInt8(ascii: ";"), in: input, from: value.lowerBound, to: value.upperBound)
    while at < value.upperBound {
      let stop = HTTPList.separator(UInt8(ascii: ";"), in: input, from: at + 1, to: value.upperBound)
      guard isParameter(input.trimmed(at + 1..<stop), in: input) else { return false }
      at = stop
    }
    return true
  }

  /// `name=token` or `name="quoted"`; an empty parameter is let pass, as the grammar does.
  private static func isParameter(_ range: Range<Int>, in input: RawSpan) -> Bool {
    guard !range.isEmpty else { return true }
    let equals = input.first(notIn: .token, from: range.lowerBound, to: range.upperBound)
    guard equals > range.lowerBound, equals + 1 < range.upperBound, input.byte(at: equals) == UInt8(ascii: "=") else { return false }
    if input.byte(at: equals + 1) == UInt8(ascii: "\"") {
      return QuotedText.end(equals + 1..<range.upperBound, in: input) == range.upperBound
    }
    return input.first(notIn: .token, from: equals + 1, to: range.upperBound) == range.upperBound
  }
}

/// A string between double quotes, with backslashes before what must not be read as its end.
enum QuotedText {
  /// The offset after the closing quote of the string that begins `range`; nil when it does not close.
  static func end(_ range: Range<Int>, in input: RawSpan) -> Int? {
    var at = range.lowerBound + 1
    while at < range.upperBound {
      switch input.byte(at: at) {
      case UInt8(ascii: "\""): return at + 1
      case UInt8(ascii: "\\"): at += 2
      default: at += 1
      }
    }
    return nil
  }
}
