internal import Core

/// Yields the elements of one array in place, checking everything it passes; allocates nothing.
public struct JSONArrayReader: ~Escapable {
  @usableFromInline let bytes: RawSpan
  private var at: Int
  private let end: Int
  private var state = JSONObjectReader.State.before

  /// Reads the array that is all of `bytes`, white space around it allowed.
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) {
    self.init(bytes, in: 0..<bytes.byteCount)
  }

  /// Reads the array that is all of `range` in `bytes`; ranges and errors count from the start of `bytes`.
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan, in range: Range<Int>) {
    self.bytes = bytes.extracting(0..<range.upperBound)
    at = range.lowerBound
    end = range.upperBound
  }

  /// The next element, or nil after the last one once nothing but white space follows the array.
  @_lifetime(self: copy self)
  public mutating func next() throws(JSONError) -> JSONElement? {
    at = JSONSkimmer.space(bytes, from: at)
    switch state {
    case .after: return nil
    case .before:
      guard at < end else { throw JSONError(.empty, in: bytes, at: at) }
      guard bytes.byte(at: at) == UInt8(ascii: "[") else { throw JSONError(.expectedArray, in: bytes, at: at) }
      at = JSONSkimmer.space(bytes, from: at + 1)
      if at < end, bytes.byte(at: at) == UInt8(ascii: "]") { return try finish() }
      state = .between
    case .between:
      guard at < end else { throw JSONError(.endInsideArray, in: bytes, at: at) }
      switch bytes.byte(at: at) {
      case UInt8(ascii: ","):
        at = JSONSkimmer.space(bytes, from: at + 1)
        if at < end, bytes.byte(at: at) == UInt8(ascii: "]") { throw JSONError(.commaWithoutValue, in: bytes, at: at) }
      case UInt8(ascii: "]"): return try finish()
      default: throw JSONError(.expectedCommaOrBracket, in: bytes, at: at)
      }
    }
    guard at < end else { throw JSONError(.endInsideArray, in: bytes, at: at) }
    let start = at
    at = try JSONSkimmer.value(bytes, from: start, depth: 1)
    return JSONElement(kind: JSONKind(startingWith: bytes.byte(at: start)), range: start..<at)
  }

  @_lifetime(self: copy self)
  private mutating func finish() throws(JSONError) -> JSONElement? {
    state = .after
    at = JSONSkimmer.space(bytes, from: at + 1)
    guard at == end else { throw JSONError(.textAfterValue, in: bytes, at: at) }
    return nil
  }
}
