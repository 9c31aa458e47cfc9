/// What became of one read or write. Waiting and the end of a connection are answers, not errors.
public enum IOResult: Hashable, Sendable {
  case bytes(Int)
  case wouldBlock
  /// The peer ended the connection, in order or by a reset.
  case closed
  case failed(Int32)
}
