/// What became of the hellos and the bytes of other nodes, for the node's metrics.
public struct WireCounters: Hashable, Sendable {
  public internal(set) var welcomed: UInt64 = 0
  private var farewells = [UInt64](repeating: 0, count: NodeFarewell.Reason.allCases.count)

  public init() {}

  /// How many links were refused, or ended, for this reason.
  public subscript(reason: NodeFarewell.Reason) -> UInt64 { farewells[Int(reason.rawValue) - 1] }

  public mutating func count(_ reason: NodeFarewell.Reason) { farewells[Int(reason.rawValue) - 1] += 1 }
}
