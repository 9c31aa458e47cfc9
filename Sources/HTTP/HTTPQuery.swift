public import Core

/// Walks the `name=value` pairs of a query, still encoded; nothing is decoded or copied until it is asked for.
public struct HTTPQuery: Sendable {
  private var at: Int
  private let end: Int

  /// No query has no pairs.
  public init(_ query: Range<Int>?) {
    at = query?.lowerBound ?? 0
    end = query?.upperBound ?? 0
  }

  /// One pair; `value` is nil when there is no `=`.
  public struct Pair: Equatable, Sendable {
    public let name: Range<Int>
    public let value: Range<Int>?

    /// Whether the decoded name is exactly `text`.
    public func isNamed(_ text: StaticString, in input: RawSpan) -> Bool {
      PercentCoding.equals(name, in: input, text, plusIsSpace: true)
    }

    /// Whether the decoded value is exactly `text`.
    public func hasValue(_ text: StaticString, in input: RawSpan) -> Bool {
      guard let value else { return text.utf8CodeUnitCount == 0 }
      return PercentCoding.equals(value, in: input, text, plusIsSpace: true)
    }

    /// Appends the decoded value; false when an escape in it is malformed.
    public func decodeValue(in input: RawSpan, into buffer: inout ByteBuffer) -> Bool {
      guard let value else { return true }
      return PercentCoding.decode(value, in: input, plusIsSpace: true, into: &buffer)
    }
  }

  /// The next pair; empty ones are passed over.
  public mutating func next(in input: RawSpan) -> Pair? {
    while at < end {
      let start = at
      var equals: Int?
      while at < end, input.byte(at: at) != UInt8(ascii: "&") {
        if equals == nil, input.byte(at: at) == UInt8(ascii: "=") { equals = at }
        at += 1
      }
      let stop = at
      at += 1
      if stop > start {
        return Pair(name: start..<(equals ?? stop), value: equals.map { $0 + 1..<stop })
      }
    }
    return nil
  }

  /// The first pair whose decoded name is `text`.
  public static func first(_ text: StaticString, of query: Range<Int>?, in input: RawSpan) -> Pair? {
    var pairs = HTTPQuery(query)
    while let pair = pairs.next(in: input) {
      if pair.isNamed(text, in: input) { return pair }
    }
    return nil
  }
}
