/// What the kernel said about a descriptor. The bits are epoll's own, so that nothing is translated per event.
public struct Readiness: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  @inlinable public static var readable: Readiness { Readiness(rawValue: 0x1) }
  @inlinable public static var writable: Readiness { Readiness(rawValue: 0x4) }
  @inlinable public static var error: Readiness { Readiness(rawValue: 0x8) }
  /// Both directions are over.
  @inlinable public static var hangup: Readiness { Readiness(rawValue: 0x10) }
  /// The peer will send nothing more; what it sent may still be waiting to be read.
  @inlinable public static var peerFinished: Readiness { Readiness(rawValue: 0x2000) }
}

/// What to be told about. Edges, unless `levels` is asked for: one event per change, and whoever gets it
/// reads or writes until the call would block.
public struct Interest: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  @inlinable public static var readable: Interest { Interest(rawValue: 0x1) }
  @inlinable public static var writable: Interest { Interest(rawValue: 0x4) }
  /// An event in every turn for as long as the condition lasts: right for listeners, where a turn may stop
  /// before all that waits has been taken.
  @inlinable public static var levels: Interest { Interest(rawValue: 1 << 31) }

  /// Both directions, by edges: what a connection wants, registered once for its whole life.
  @inlinable public static var connection: Interest { [.readable, .writable] }
  /// New connections, by levels.
  @inlinable public static var listener: Interest { [.readable, .levels] }

  /// The bits handed to epoll. The peer's end of sending is always of interest.
  var pollBits: UInt32 {
    let conditions = rawValue & ~Interest.levels.rawValue | Readiness.peerFinished.rawValue
    return contains(.levels) ? conditions : conditions | SystemCalls.pollEdge
  }
}
