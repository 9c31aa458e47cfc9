public import Core

/// What a broker must not forget of a birth, kept in its data directory.
public enum BirthRecord: Sendable, Hashable {
  /// Free to take part in one.
  case none
  /// Bound to a proposal until it is started or withdrawn.
  case promised(BirthCertificate)
  /// Member of a cluster, for ever.
  case born(BirthCertificate)
}

// A record is u8 version, u8 kind and the certificate.

extension BirthRecord {
  public static let version: UInt8 = 1

  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(Self.version)
    switch self {
    case .none: buffer.append(0)
    case .promised(let certificate):
      buffer.append(1)
      certificate.encode(into: &buffer)
    case .born(let certificate):
      buffer.append(2)
      certificate.encode(into: &buffer)
    }
  }

  public init(decoding bytes: RawSpan) throws(PlacementRefusal) {
    var reader = FieldReader<PlacementRefusal>(bytes)
    let found = try reader.u8()
    guard found == Self.version else { throw .unknownVersion(found) }
    switch try reader.u8() {
    case 0: self = .none
    case 1: self = .promised(try reader.certificate())
    case 2: self = .born(try reader.certificate())
    case let kind: throw .unknownKind(kind)
    }
    guard reader.isAtEnd else { throw .trailingBytes }
  }
}

/// A broker that gossip shows alive, this one not among them.
public struct BirthCandidate: Sendable, Hashable {
  public let id: NodeID
  public let expect: Int
  /// The cluster its data belongs to.
  public let cluster: ClusterID?

  public init(id: NodeID, expect: Int, cluster: ClusterID? = nil) {
    self.id = id
    self.expect = expect
    self.cluster = cluster
  }
}

public struct BirthOutput: Sendable {
  /// Must be durable before any message of the same output is sent and before `born` is acted on.
  public var record: BirthRecord?
  public var messages: [(to: NodeID, message: BirthMessage)] = []
  /// This broker is a member of a cluster that was just born: start shard 0 if it is among the first voters.
  public var born: BirthCertificate?

  public init() {}

  public mutating func removeAll() {
    record = nil
    messages.removeAll(keepingCapacity: true)
    born = nil
  }
}

/// What a broker without a cluster waits for, in a form that can be told to people.
public enum BirthStatus: Sendable, Hashable, CustomStringConvertible {
  case born(ClusterID)
  case waitsForAdmission(ClusterID)
  case waitsForBrokers(seen: Int, expect: Int, otherwise: Int)
  case waitsForProposal(of: NodeID)
  case proposes(missing: Int, refusedFor: BirthRefusal?)
  case promised(to: NodeID)

  public var description: String {
    switch self {
    case .born(let cluster): "member of cluster \(cluster)"
    case .waitsForAdmission(let cluster): "waiting to be admitted to cluster \(cluster)"
    case .waitsForBrokers(let seen, let expect, let otherwise):
      "\(seen) of \(expect) brokers are here"
        + (otherwise > 0 ? "; \(otherwise) more have another --bootstrap-expect, which must be the same on all" : "")
    case .waitsForProposal(let id): "waiting for \(id) to propose a cluster"
    case .proposes(let missing, nil): "proposing a cluster; \(missing) brokers have not agreed yet"
    case .proposes(_, .termsDiffer?): "a broker has other --shards or --replicas; they must be the same on all"
    case .proposes(_, let refusal?): "proposing a cluster; the last proposal was refused (\(refusal))"
    case .promised(let id): "agreed to the cluster that \(id) proposes; waiting for it to begin"
    }
  }
}
