import Core

/// Reads one `name: value` line whose control characters `HeadScanner` has already judged.
enum FieldLine {
  /// Reads the line that begins at `at` and moves `at` past its line end.
  @inline(__always)
  static func read(_ input: RawSpan, at: inout Int, end: Int) throws(HTTPDecodeFailure) -> HTTPField {
    let start = at
    let colon = input.first(notIn: .token, from: start, to: end)
    guard input.byte(at: colon) == UInt8(ascii: ":"), colon > start else {
      throw fault(input, start: start, stop: colon)
    }
    var lineEnd = colon + 1
    while true {
      lineEnd = input.firstControl(from: lineEnd, to: end)
      guard input.byte(at: lineEnd) == .tab else { break }
      lineEnd += 1
    }
    at = lineEnd + 2
    let name = start..<colon
    return HTTPField(
      known: HTTPFieldName.recognise(name, in: input), name: name, value: input.trimmed(colon + 1..<lineEnd))
  }

  @inline(never)
  private static func fault(_ input: RawSpan, start: Int, stop: Int) -> HTTPDecodeFailure {
    let byte = input.byte(at: stop)
    if stop == start {
      if byte.isBlank { return .foldedField }
      return byte == UInt8(ascii: ":") ? .emptyFieldName : .malformedFieldName
    }
    if byte == .carriageReturn { return .missingColon }
    guard byte.isBlank else { return .malformedFieldName }
    var after = stop
    while input.byte(at: after).isBlank { after += 1 }
    return input.byte(at: after) == UInt8(ascii: ":") ? .spaceBeforeColon : .malformedFieldName
  }
}
