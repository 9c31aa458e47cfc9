import Core

/// Finds one cookie among those a client sent.
public enum HTTPCookie {
  /// The value of the first cookie called `name` (exactly), quotes around it taken off; nil when there is none.
  public static func value(named name: StaticString, in fields: HTTPFields, _ input: RawSpan) -> Range<Int>? {
    for line in fields.all(.cookie) {
      var at = line.lowerBound
      while at < line.upperBound {
        var stop = at
        while stop < line.upperBound, input.byte(at: stop) != UInt8(ascii: ";") { stop += 1 }
        let pair = input.trimmed(at..<stop)
        at = stop + 1
        let length = name.utf8CodeUnitCount
        guard pair.count > length, input.starts(with: name, at: pair.lowerBound),
          input.byte(at: pair.lowerBound + length) == UInt8(ascii: "=")
        else { continue }
        return unquoted(pair.lowerBound + length + 1..<pair.upperBound, in: input)
      }
    }
    return nil
  }

  private static func unquoted(_ range: Range<Int>, in input: RawSpan) -> Range<Int> {
    let quote = UInt8(ascii: "\"")
    guard range.count >= 2, input.byte(at: range.lowerBound) == quote, input.byte(at: range.upperBound - 1) == quote else {
      return range
    }
    return range.lowerBound + 1..<range.upperBound - 1
  }
}
