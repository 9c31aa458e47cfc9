/// What runs on a loop. Everything is called on the loop's thread, in this order within a turn: events, mail,
/// timers, `turnEnds`.
public protocol ReactorApplication: AnyObject, SendableMetatype {
  associatedtype Mail: Sendable

  /// Before the first turn. The loop outlives the application's last call.
  func started(on loop: ReactorLoop<Self>)
  /// One descriptor changed. Edges: whoever is told reads or writes until the call would block.
  func ready(_ token: PollToken, _ readiness: Readiness)
  /// A timer's time has come.
  func expired(_ timer: TimerKey)
  /// All mail that has gathered, at least one; the array is the application's until it returns.
  func received(_ mail: inout [Mail])
  /// All events of this turn have been told: what has gathered is written now.
  func turnEnds()
  /// After the last turn. Mail accepted until then has been received.
  func stopped()
}
