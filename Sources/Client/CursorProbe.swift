internal import Core
internal import HTTP
internal import SSE

/// Finds the cursor of a start: an event stream says first where it begins, and that is all that is read of it.
enum CursorProbe {
  static func locate(_ request: FollowRequest, _ client: HTTPClient) throws(ClientFailure) -> String {
    let deadline = ClientClock.now + Follower.connectTimeout
    var conversation = try HTTPConversation(to: client.server, deadline: deadline)
    var question = ClientRequest(.get, request.target(resumingAt: nil))
    question.headers = [("Accept", "text/event-stream")]
    try conversation.send(question, token: client.token, deadline: deadline)
    var answer = try conversation.receiveHead(deadline: deadline)
    var decoder = SSEDecoder()
    var body = ByteBuffer()
    while try conversation.receiveBody(into: &body, deadline: deadline, waitingFor: "a cursor") {
      guard answer.isSuccess else { continue }
      // Byte by byte, to stop at the first id: an event behind it would already be past it.
      for place in 0..<body.count {
        var at = place
        _ = body.withUnsafeBytes { decoder.next(UnsafeRawBufferPointer(rebasing: $0[...place]), &at) }
        if !decoder.lastEventID.isEmpty { return decoder.lastEventID.text }
      }
      body.removeAll()
    }
    answer.body = body.freeze()
    guard answer.isSuccess else { throw .refused(Problem(answer)) }
    throw .malformedAnswer("the stream ended before it said where it begins")
  }
}
