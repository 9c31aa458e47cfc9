internal import Core

/// Yields the members of one object in place, checking everything it passes; allocates nothing.
///
/// Members come in the order they are written, repeated names each time.
public struct JSONObjectReader: ~Escapable {
  @usableFromInline let bytes: RawSpan
  private var at: Int
  private let end: Int
  private var state = State.before

  enum State { case before, between, after }

  /// Reads the object that is all of `bytes`, white space around it allowed.
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) {
    self.init(bytes, in: 0..<bytes.byteCount)
  }

  /// Reads the object that is all of `range` in `bytes`; ranges and errors count from the start of `bytes`.
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan, in range: Range<Int>) {
    self.bytes = bytes.extracting(0..<range.upperBound)
    at = range.lowerBound
    end = range.upperBound
  }

  /// The next member, or nil after the last one once nothing but white space follows the object.
  @_lifetime(self: copy self)
  public mutating func next() throws(JSONError) -> JSONMember? {
    var expecting = JSONError.Reason.expectedName
    at = JSONSkimmer.space(bytes, from: at)
    switch state {
    case .after: return nil
    case .before:
      guard at < end else { throw JSONError(.empty, in: bytes, at: at) }
      guard bytes.byte(at: at) == UInt8(ascii: "{") else { throw JSONError(.expectedObject, in: bytes, at: at) }
      at = JSONSkimmer.space(bytes, from: at + 1)
      if at < end, bytes.byte(at: at) == UInt8(ascii: "}") { return try finish() }
      expecting = .expectedNameOrBrace
      state = .between
    case .between:
      guard at < end else { throw JSONError(.endInsideObject, in: bytes, at: at) }
      switch bytes.byte(at: at) {
      case UInt8(ascii: ","): at = JSONSkimmer.space(bytes, from: at + 1)
      case UInt8(ascii: "}"): return try finish()
      default: throw JSONError(.expectedCommaOrBrace, in: bytes, at: at)
      }
    }
    let name = try JSONSkimmer.name(bytes, from: at, expecting: expecting)
    guard name.value < end else { throw JSONError(.endInsideObject, in: bytes, at: name.value) }
    at = try JSONSkimmer.value(bytes, from: name.value, depth: 1)
    return JSONMember(
      name: name.content, nameIsEscaped: name.isEscaped, kind: JSONKind(startingWith: bytes.byte(at: name.value)),
      value: name.value..<at)
  }

  @_lifetime(self: copy self)
  private mutating func finish() throws(JSONError) -> JSONMember? {
    state = .after
    at = JSONSkimmer.space(bytes, from: at + 1)
    guard at == end else { throw JSONError(.textAfterValue, in: bytes, at: at) }
    return nil
  }
}
