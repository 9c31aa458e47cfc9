internal import Core
internal import HTTP
internal import JSON
internal import Feeds

/// An error as `application/problem+json` (RFC 9457): what went wrong and what to do.
struct Problem: Error {
  var status: HTTPStatus
  var detail: String
  var retryAfterSeconds: Int?
  var allow: String?
  /// More members, each already JSON.
  var members: [(name: StaticString, json: String)] = []

  init(_ status: HTTPStatus, _ detail: String) {
    self.status = status
    self.detail = detail
    if status == .unavailable || status == .tooManyRequests { retryAfterSeconds = 1 }
    if status == .insufficientStorage { retryAfterSeconds = 10 }
  }

  func append(into buffer: inout ByteBuffer) {
    buffer.append("{\"type\":\"about:blank\",\"title\":\"")
    buffer.append(status.reason)
    buffer.append("\",\"status\":")
    buffer.append(decimal: UInt64(status.rawValue))
    buffer.append(",\"detail\":")
    buffer.append(jsonText: detail)
    for member in members {
      buffer.append(",\"")
      buffer.append(member.name)
      buffer.append("\":")
      buffer.append(text: member.json)
    }
    buffer.append(UInt8(ascii: "}"))
  }
}

extension EdgeReactor {
  func answerProblem(_ connection: Connection, _ session: HTTPSession, _ sequence: UInt32, _ problem: Problem) {
    complete(connection, session, sequence) { manner, buffer in
      var body = ByteBuffer(capacity: 256)
      problem.append(into: &body)
      body.withUnsafeBytes { bytes in
        appendAnswer(problem.status, "application/problem+json", bytes, manner, into: &buffer) { buffer in
          if let seconds = problem.retryAfterSeconds { HTTPFieldEncoder.field("Retry-After", decimal: seconds, into: &buffer) }
          if let allow = problem.allow { HTTPFieldEncoder.field("Allow", text: allow, into: &buffer) }
        }
      }
    }
  }

  /// What a shard's refusal means to whoever asked over HTTP.
  func problem(of refusal: Refusal) -> Problem {
    switch refusal {
    case .headMoved(let head):
      var problem = Problem(
        .preconditionFailed,
        head == .zero
          ? "The topic has no message yet; If-Match names one. Read the topic and decide anew."
          : "The topic has moved on: its newest offset is \(head). Read it and decide anew.")
      problem.members.append(("head", String(head.value)))
      return problem
    case .diskFull:
      return Problem(.insufficientStorage, "The disk is full; nothing was written. Publishing goes on by itself when there is space.")
    case .journalFailed:
      var problem = Problem(.unavailable, "This shard cannot write any more. The node's log says why; restart it when the disk is well.")
      problem.retryAfterSeconds = nil
      return problem
    case .damaged:
      return Problem(.internalError, "Part of this shard's log is damaged, and what was asked for lies there. The node's log says where.")
    case .overloaded:
      return Problem(.unavailable, "Too much is waiting to be written. Slow down and try again.")
    case .notLeader, .electing:
      return Problem(.unavailable, "The shard's leader is changing. Try again in a moment.")
    case .noQuorum:
      return Problem(.unavailable, "Too few of the shard's brokers can be reached to keep a message. Try again when they are back.")
    case .unknownOutcome:
      return Problem(.unavailable, "A broker failed before it could say whether the message was kept. Repeat it with the same Idempotency-Key.")
    case .noSuchConsumer:
      return Problem(.notFound, "There is no consumer of this name.")
    case .consumerDiffers:
      return Problem(.conflict, "A consumer of this name reads other topics. Delete it first, or choose another name.")
    case .sessionLost:
      return Problem(.conflict, "The session is another connection's.")
    }
  }
}
