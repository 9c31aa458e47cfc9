public import Core

/// One event as a client's program sees it.
public struct SSEEvent: Equatable, Sendable {
  /// The last id the stream gave, by this event or an earlier one; empty when it gave none.
  public var lastEventID: Bytes
  /// `message` when the stream named no type.
  public var type: Bytes
  public var data: Bytes

  public init(lastEventID: Bytes, type: Bytes, data: Bytes) {
    self.lastEventID = lastEventID
    self.type = type
    self.data = data
  }
}

/// What a decoder made of the bytes it was shown.
public enum SSEStep: Equatable, Sendable {
  /// All bytes were taken; show it the next ones.
  case needMore
  /// An event is complete: `withEvent` or `event` has it until the next step.
  case event
  /// The server asks for this delay before reconnecting.
  case retry(milliseconds: Int)
  /// A line or an event is larger than the limit; nothing more is read.
  case tooBig
}
