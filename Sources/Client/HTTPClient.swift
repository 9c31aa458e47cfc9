public import Core
internal import HTTP

/// Asks one node, one request at a time, keeping the connection between them.
public final class HTTPClient {
  public let server: ServerURL
  let token: String?
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

  /// The answer, whatever its status.
  ///
  /// A kept connection may be closed by the node at the moment it is used again; a request that changes nothing
  /// is then asked anew. Any other is not repeated once it is under way: it may have been carried out.
  public func perform(_ request: ClientRequest) throws(ClientFailure) -> ClientAnswer {
    let deadline = ClientClock.now + timeout
    if let kept = conversation.take(), kept.canContinue {
      do throws(ClientFailure) {
        return try perform(request, over: kept, deadline)
      } catch {
        guard error == .disconnected, request.method.isSafe else { throw error }
      }
    }
    return try perform(request, over: HTTPConversation(to: server, deadline: deadline), deadline)
  }

  private func perform(
    _ request: ClientRequest, over opened: consuming HTTPConversation, _ deadline: Instant
  ) throws(ClientFailure) -> ClientAnswer {
    var conversation = opened
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
}
