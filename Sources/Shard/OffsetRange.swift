public import Core

/// Offsets one after another, from the first to the last.
public struct OffsetRange: Hashable, Sendable {
  public var first: Offset
  public var last: Offset

  public init(first: Offset, last: Offset) {
    precondition(first <= last, "a stretch that ends before it begins")
    self.first = first
    self.last = last
  }
}
