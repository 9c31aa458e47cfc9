public import Core

/// What a loop has done since it was made; plain numbers that its own thread reads out.
public struct ReactorCounters: Hashable, Sendable {
  public var turns = 0
  public var events = 0
  public var mails = 0
  public var timers = 0
  public var accepted = 0
  /// How often accepting stopped for a while, for want of descriptors or memory.
  public var acceptPauses = 0
  /// Connections closed at once, because no descriptor was left to serve them with.
  public var refused = 0
  public var working = TimeSpan.zero
  public var waiting = TimeSpan.zero

  public init() {}
}
