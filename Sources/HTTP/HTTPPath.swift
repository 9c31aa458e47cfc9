import Core

/// Questions a router asks of a path. Literal parts are compared as sent: nobody escapes letters of a fixed route.
public enum HTTPPath {
  /// Whether the path is exactly `text`.
  @inline(__always) public static func equals(_ path: Range<Int>, in input: RawSpan, _ text: StaticString) -> Bool {
    input.equals(path, text)
  }

  /// What follows `prefix`, still encoded; nil when the path does not begin with it.
  @inline(__always) public static func rest(of path: Range<Int>, in input: RawSpan, after prefix: StaticString) -> Range<Int>? {
    guard path.count >= prefix.utf8CodeUnitCount, input.starts(with: prefix, at: path.lowerBound) else { return nil }
    return path.lowerBound + prefix.utf8CodeUnitCount..<path.upperBound
  }
}
