public import Core
internal import JSON

/// Why a command could not do what it was asked.
public enum ClientFailure: Error, Hashable, Sendable {
  case unresolvable(host: String, reason: String)
  case unreachable(address: String, reason: String)
  case timedOut(waitingFor: String)
  case disconnected
  /// The other side does not speak as it should.
  case malformedAnswer(String)
  /// The node said no.
  case refused(Problem)
  case file(path: String, reason: String)
  case output(reason: String)
  case input(reason: String)

  /// Whether the same attempt may succeed later.
  public var isTransient: Bool {
    switch self {
    case .unresolvable, .unreachable, .timedOut, .disconnected: true
    case .refused(let problem): problem.status == 408 || problem.status == 429 || problem.status >= 500
    case .malformedAnswer, .file, .output, .input: false
    }
  }

  /// What the user may try, where there is something.
  public var hint: String? {
    switch self {
    case .unresolvable, .unreachable:
      "is a node running there? start one with `tidings serve`, or name another with --url or TIDINGS_URL"
    case .malformedAnswer: "is it a Tidings node that listens there?"
    case .refused(let problem) where problem.status == 401: "a token is needed"
    default: nil
    }
  }
}

extension ClientFailure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unresolvable(let host, let reason): "cannot find \(host): \(reason)"
    case .unreachable(let address, let reason): "cannot reach \(address): \(reason)"
    case .timedOut(let what): "timed out waiting for \(what)"
    case .disconnected: "the node closed the connection"
    case .malformedAnswer(let what): "the answer cannot be understood: \(what)"
    case .refused(let problem): problem.description
    case .file(let path, let reason): "\(path): \(reason)"
    case .output(let reason): "cannot write the output: \(reason)"
    case .input(let reason): "cannot read the input: \(reason)"
    }
  }
}

/// A node's refusal, from its problem document or, failing that, from its status.
public struct Problem: Hashable, Sendable, CustomStringConvertible {
  public let status: Int
  public let title: String
  public let detail: String
  /// How long the node asks to be left alone.
  public let retryAfter: TimeSpan?

  public init(status: Int, title: String, detail: String, retryAfter: TimeSpan? = nil) {
    self.status = status
    self.title = title
    self.detail = detail
    self.retryAfter = retryAfter
  }

  init(_ answer: ClientAnswer) {
    let document: JSONValue?
    do throws(JSONError) {
      document = try JSONValue(parsing: answer.body.bytes)
    } catch {
      document = nil
    }
    self.init(
      status: answer.status, title: document?["title"]?.string ?? "status \(answer.status)",
      detail: document?["detail"]?.string ?? "", retryAfter: answer.retryAfter)
  }

  public var description: String {
    detail.isEmpty ? "the node answered \(status): \(title)" : "the node answered \(status), \(title): \(detail)"
  }
}
