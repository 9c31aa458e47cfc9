public import Core
internal import HTTP

/// Asks one node, one request at a time, keeping the connection between them.
public final class HTTPClient {
  public let server: ServerURL
  private let token: String?
  private let timeout: TimeSpan
  private var conversation: HTTPConversation?

  /// How long connecting, sending and answering may take together unless said otherwise.
  public static let standardTimeout = TimeSpan.seconds(30)
  /// No answer that a command takes whole is larger.
  public static let maximumAnswerSize = 64 << 20

  public init(server: ServerURL, token: String? = nil, timeout: TimeSpan = HTTPClient.standardTimeout) {
    self.server = server
    self.token = token
    self.timeout = timeout
  }

  /// The answer, whatever its status. A connection that the node closed in the meantime is replaced first; once
  /// a request is under way it is not repeated, because it may have been carried out.
  public func perform(_ request: ClientRequest) throws(ClientFailure) -> ClientAnswer {
    let deadline = ClientClock.now + timeout
    var conversation = try takeConversation(deadline: deadline)
    try conversation.send(request, token: token, deadline: deadline)
    var answer = try conversation.receiveHead(deadline: deadline)
    var body = ByteBuffer()
    while try conversation.receiveBody(into: &body, deadline: deadline, waitingFor: "the rest of an answer") {
      guard body.count <= HTTPClient.maximumAnswerSize else { throw .malformedAnswer("it is too large") }
    }
    answer.body = body.freeze()
    self.conversation = consume conversation
    return answer
  }

  /// The answer if the node did what was asked; its refusal is thrown.
  public func succeed(_ request: ClientRequest) throws(ClientFailure) -> ClientAnswer {
    let answer = try perform(request)
    guard answer.isSuccess else { throw .refused(Problem(answer)) }
    return answer
  }

  private func takeConversation(deadline: Instant) throws(ClientFailure) -> HTTPConversation {
    if let kept = conversation.take(), kept.canContinue { return kept }
    return try HTTPConversation(to: server, deadline: deadline)
  }
}
