public import Core

/// What brokers must agree on before a cluster is born.
public struct BirthTerms: Sendable, Hashable {
  public var expect: Int
  public var shards: Int
  public var replicas: Int

  public init(expect: Int, shards: Int, replicas: Int) {
    self.expect = expect
    self.shards = shards
    self.replicas = replicas
  }
}

/// A cluster that is proposed, or born: what its first members agree on to the letter.
public struct BirthCertificate: Sendable, Hashable {
  /// Drawn anew for every proposal, so that it names the proposal too.
  public let cluster: ClusterID
  public let terms: BirthTerms
  /// By identity; the first one proposes.
  public let members: [NodeID]

  public init(cluster: ClusterID, terms: BirthTerms, members: [NodeID]) {
    self.cluster = cluster
    self.terms = terms
    self.members = members
  }

  /// Who begins shard 0.
  public var firstVoters: [NodeID] { Array(members.prefix(terms.replicas)) }

  public static let maximumMembers = 255
}

/// What brokers without data say to each other.
public enum BirthMessage: Sendable, Hashable {
  case propose(BirthCertificate)
  case confirm(ClusterID)
  case refuse(ClusterID, BirthRefusal)
  case withdraw(ClusterID)
  case start(BirthCertificate)
  case started(ClusterID)
}

/// Why a broker does not agree to a birth.
public enum BirthRefusal: UInt8, Sendable, Hashable, CaseIterable {
  case hasCluster = 1
  case seesCluster = 2
  case termsDiffer = 3
  case promisedAnother = 4
  case seesLower = 5
  case malformed = 6
}

// A message is u8 version, u8 kind and its parts. Little-endian.

extension BirthMessage {
  public static let version: UInt8 = 1
  public static let maximumLength = 4096

  private enum Kind: UInt8 {
    case propose = 1
    case confirm = 2
    case refuse = 3
    case withdraw = 4
    case start = 5
    case started = 6
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(Self.version)
    switch self {
    case .propose(let certificate): buffer.append(Kind.propose.rawValue, certificate)
    case .confirm(let cluster): buffer.append(Kind.confirm.rawValue, cluster)
    case .refuse(let cluster, let reason):
      buffer.append(Kind.refuse.rawValue, cluster)
      buffer.append(reason.rawValue)
    case .withdraw(let cluster): buffer.append(Kind.withdraw.rawValue, cluster)
    case .start(let certificate): buffer.append(Kind.start.rawValue, certificate)
    case .started(let cluster): buffer.append(Kind.started.rawValue, cluster)
    }
  }

  /// Reads what `encode` wrote, or refuses all of it.
  public init(decoding bytes: RawSpan) throws(PlacementRefusal) {
    guard bytes.byteCount <= Self.maximumLength else { throw .tooLong }
    var reader = FieldReader<PlacementRefusal>(bytes)
    let found = try reader.u8()
    guard found == Self.version else { throw .unknownVersion(found) }
    let number = try reader.u8()
    guard let kind = Kind(rawValue: number) else { throw .unknownKind(number) }
    switch kind {
    case .propose: self = .propose(try reader.certificate())
    case .confirm: self = .confirm(try reader.cluster())
    case .refuse:
      let cluster = try reader.cluster()
      guard let reason = BirthRefusal(rawValue: try reader.u8()) else { throw .malformed }
      self = .refuse(cluster, reason)
    case .withdraw: self = .withdraw(try reader.cluster())
    case .start: self = .start(try reader.certificate())
    case .started: self = .started(try reader.cluster())
    }
    guard reader.isAtEnd else { throw .trailingBytes }
  }
}

extension BirthCertificate {
  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(littleEndian: cluster.value)
    buffer.append(littleEndian: UInt16(terms.expect))
    buffer.append(littleEndian: UInt16(terms.shards))
    buffer.append(littleEndian: UInt16(terms.replicas))
    buffer.append(members)
  }
}

extension ByteBuffer {
  fileprivate mutating func append(_ kind: UInt8, _ cluster: ClusterID) {
    append(kind)
    append(littleEndian: cluster.value)
  }

  fileprivate mutating func append(_ kind: UInt8, _ certificate: BirthCertificate) {
    append(kind)
    certificate.encode(into: &self)
  }
}

extension FieldReader<PlacementRefusal> {
  @_lifetime(self: copy self)
  mutating func certificate() throws(PlacementRefusal) -> BirthCertificate {
    let cluster = try cluster()
    let terms = BirthTerms(expect: Int(try u16()), shards: Int(try u16()), replicas: Int(try u16()))
    let members = try nodes(atMost: BirthCertificate.maximumMembers)
    for (a, b) in zip(members, members.dropFirst()) where a >= b { throw .malformed }
    guard members.count == terms.expect, !members.isEmpty else { throw .malformed }
    return BirthCertificate(cluster: cluster, terms: terms, members: members)
  }
}
