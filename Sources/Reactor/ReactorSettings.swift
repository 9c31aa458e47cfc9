/// What a loop may be told before it is made.
public struct ReactorSettings: Hashable, Sendable {
  /// The thread's name is this and the loop's index; the kernel keeps 15 bytes.
  public var threadName = "reactor"
  /// Timers to have room for from the start.
  public var timerCapacity = 1024

  public init() {}
}
