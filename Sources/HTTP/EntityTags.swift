import Core

/// The entity tags of an `If-Match` or `If-None-Match`, one by one.
public struct EntityTags: Sendable {
  private var at: Int
  private let end: Int
  /// Whether the walk stopped at something that is not an entity tag.
  public private(set) var isMalformed = false

  public init(_ value: Range<Int>) {
    at = value.lowerBound
    end = value.upperBound
  }

  public enum Element: Equatable, Sendable {
    case any
    /// `tag` is what stands between the quotes.
    case tag(Range<Int>, isWeak: Bool)
  }

  public mutating func next(in input: RawSpan) -> Element? {
    while at < end, input.byte(at: at).isBlank || input.byte(at: at) == UInt8(ascii: ",") { at += 1 }
    guard at < end else { return nil }
    var element: Element?
    if input.byte(at: at) == UInt8(ascii: "*") {
      element = .any
      at += 1
    } else {
      let isWeak = end - at >= 2 && input.starts(with: "W/", at: at)
      let open = isWeak ? at + 2 : at
      if open < end, input.byte(at: open) == UInt8(ascii: "\"") {
        // No escapes here: a backslash in an entity tag is a backslash.
        var close = open + 1
        while close < end, input.byte(at: close) != UInt8(ascii: "\"") { close += 1 }
        if close < end {
          element = .tag(open + 1..<close, isWeak: isWeak)
          at = close + 1
        }
      }
    }
    let after = input.trimmed(at..<end).lowerBound
    guard let element, after == end || input.byte(at: after) == UInt8(ascii: ",") else {
      isMalformed = true
      at = end
      return nil
    }
    return element
  }

  /// How two tags are compared.
  public enum Comparison: Sendable {
    /// For `If-None-Match`: the same in meaning.
    case weak
    /// For `If-Match`: the same byte for byte, so that weak tags match nothing.
    case strong
  }

  /// What a condition says of the current state.
  public enum Verdict: Equatable, Sendable {
    /// The field is not there.
    case absent
    case matches
    case differs
    case malformed
  }

  /// Holds all lines of `field` against the current tag (without quotes); `*` matches whenever there is one.
  public static func judge(
    _ field: HTTPFieldName, of fields: HTTPFields, in input: RawSpan, current: RawSpan?, isWeak: Bool = false,
    by comparison: Comparison
  ) -> Verdict {
    guard fields.contains(field) else { return .absent }
    var matches = false
    for value in fields.all(field) {
      var tags = EntityTags(value)
      while let element = tags.next(in: input) {
        switch element {
        case .any: matches = matches || current != nil
        case .tag(let tag, let isTagWeak):
          guard let current, comparison == .weak || !(isWeak || isTagWeak) else { continue }
          matches = matches || same(tag, in: input, current)
        }
      }
      if tags.isMalformed { return .malformed }
    }
    return matches ? .matches : .differs
  }

  private static func same(_ tag: Range<Int>, in input: RawSpan, _ other: RawSpan) -> Bool {
    guard tag.count == other.byteCount else { return false }
    for index in 0..<tag.count where input.byte(at: tag.lowerBound + index) != other.byte(at: index) { return false }
    return true
  }
}
