internal import Core
internal import HTTP
internal import JSON

/// Tells nodes what operators want of them, and looks how far they are.
public struct NodeWishes {
  private let client: HTTPClient

  public init(client: HTTPClient) { self.client = client }

  public enum Wish: String, Sendable {
    case drain, resume, leave
  }

  /// The identity of the node that was meant.
  public func wish(_ wish: Wish, of node: String) throws(ClientFailure) -> String {
    let path = "/v1/cluster/nodes/\(RequestTarget.escaped(node))/\(wish.rawValue)"
    let answer = try AnswerDocument.parse(try client.succeed(ClientRequest(.post, path)))
    guard let identity = answer["node"]?.string else { throw .malformedAnswer("it does not say which node was meant") }
    return identity
  }

  /// How far a node is with what was wanted of it.
  public struct Progress: Hashable, Sendable {
    public var leads = 0
    public var holds = 0
    public var connections = 0
    /// As the cluster calls it; nil when it is not there any more.
    public var state: String?

    /// A node that is not known to drain yet may be about to lead, or to take clients. One that is gone has nothing to give up.
    public var hasDrained: Bool { leads == 0 && connections == 0 && (state == "draining" || state == "left" || state == "dead") }
    /// Until then it refuses clients.
    public var hasResumed: Bool { state != "draining" }
    public var hasLeft: Bool { holds == 0 && (state == nil || state == "left" || state == "dead") }
  }

  public func progress(of identity: String) throws(ClientFailure) -> Progress {
    let status = try AnswerDocument.parse(try ClusterStatus.fetch(client))
    var progress = Progress()
    for shard in status["shards"]?.array ?? [] {
      if shard["leader"]?.string == identity { progress.leads += 1 }
      if shard["replicas"]?.array?.contains(where: { $0["node"]?.string == identity }) == true { progress.holds += 1 }
    }
    for node in status["nodes"]?.array ?? [] where node["id"]?.string == identity {
      progress.state = node["state"]?.string
      for (name, value) in (node["connections"]?.object?.members ?? []).map({ ($0.name, $0.value) }) where name != "total" && name != "http" {
        if case .number(let number) = value.content { progress.connections += Int(number.text) ?? 0 }
      }
    }
    return progress
  }
}
