internal import Core

/// Splits newline-delimited JSON into its lines without looking into them; blank lines are passed over.
public struct JSONLinesReader: ~Escapable {
  private let bytes: RawSpan
  private var at = 0
  private var lineNumber = 0

  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) {
    self.bytes = bytes
  }

  /// A line without its end and the white space around it; `number` counts from 1, blank lines included.
  public struct Line: Hashable, Sendable {
    public let number: Int
    public let range: Range<Int>
  }

  @_lifetime(self: copy self)
  public mutating func next() -> Line? {
    let count = bytes.byteCount
    while at < count {
      var end = at
      while end < count, bytes.byte(at: end) != UInt8(ascii: "\n") { end &+= 1 }
      let start = min(JSONSkimmer.space(bytes, from: at), end)
      at = end + 1
      lineNumber += 1
      while end > start, bytes.byte(at: end - 1) <= 0x20 { end -= 1 }
      if end > start { return Line(number: lineNumber, range: start..<end) }
    }
    return nil
  }
}
