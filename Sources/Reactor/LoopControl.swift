public import Core

/// What a room asks of the loop it lives on, whatever application runs there. Never on the path of a delivery.
public protocol LoopControl: AnyObject {
  var now: Instant { get }
  var wallTime: WallTime { get }
  var clockTime: WallTime { get }
  func watch(_ descriptor: FileDescriptor, _ token: PollToken, _ interest: Interest) throws(ReactorError)
  func unwatch(_ descriptor: FileDescriptor)
  func schedule(_ key: TimerKey, at deadline: Instant) -> TimerID
  @discardableResult func cancel(_ timer: TimerID) -> Bool
  func wakeImmediately()
}

extension ReactorLoop: LoopControl {}
