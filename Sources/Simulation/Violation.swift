public import Core

/// Something happened that was promised not to.
public struct Violation: Error, Sendable, CustomStringConvertible {
  public var text: String
  /// Simulated time.
  public var at: Instant

  public var description: String { "at \(Double(at.nanoseconds / 1_000_000) / 1000) s: \(text)" }
}
