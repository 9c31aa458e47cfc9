/// What a follower hands its events to.
public protocol FollowSink: AnyObject {
  /// One event, a whole JSON object.
  func event(_ json: UnsafeRawBufferPointer) throws(ClientFailure)

  /// Events that the node can no longer give, as the JSON that says which.
  func gap(_ json: UnsafeRawBufferPointer) throws(ClientFailure)

  /// Everything handed over so far must be out: after this the follower records that it was seen.
  func flush() throws(ClientFailure)

  /// Something for the person who watches, such as that the connection was lost.
  func notice(_ text: String)
}
