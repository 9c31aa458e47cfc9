public import Core

/// The first message of each side, once the link is secured: who speaks.
public struct NodeHello: Hashable, Sendable {
  /// The versions of this protocol that it speaks.
  public var versions: ClosedRange<UInt16>
  /// nil while it belongs to none.
  public var cluster: ClusterID?
  public var node: NodeID
  /// Grows with every start of the node.
  public var incarnation: UInt64
  public var roles: NodeRoles
  /// It knows itself to be removed for good, and says so.
  public var knowsItIsRemoved: Bool
  /// How many shards its cluster has; 0: it does not know.
  public var shards: UInt16
  /// How many replicas each has; 0: it does not know.
  public var replicas: UInt8
  /// For people.
  public var name: String
  /// What its clock says; nil: it does not tell.
  public var clock: WallTime?

  /// What is spoken here.
  public static let spoken: ClosedRange<UInt16> = 1...1

  public init(
    versions: ClosedRange<UInt16> = NodeHello.spoken, cluster: ClusterID?, node: NodeID, incarnation: UInt64, roles: NodeRoles,
    knowsItIsRemoved: Bool = false, shards: UInt16 = 0, replicas: UInt8 = 0, name: String,
    clock: WallTime? = nil
  ) {
    self.versions = versions
    self.cluster = cluster
    self.node = node
    self.incarnation = incarnation
    self.roles = roles
    self.knowsItIsRemoved = knowsItIsRemoved
    self.shards = shards
    self.replicas = replicas
    self.name = name
    self.clock = clock
  }
}

public struct NodeRoles: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let broker = NodeRoles(rawValue: 1)
  public static let edge = NodeRoles(rawValue: 2)
  static let all: NodeRoles = [.broker, .edge]
}

/// The last message of a link: why it ends.
public struct NodeFarewell: Error, Hashable, Sendable {
  public var reason: Reason
  /// What is wrong and what to do about it.
  public var text: String

  public enum Reason: UInt8, Hashable, Sendable, CaseIterable {
    case wrongCluster = 1
    /// Removed for good: its identity is never admitted again.
    case removed = 2
    /// No version is spoken by both.
    case version = 3
    /// The address leads back to the node itself.
    case ownAddress = 4
    /// Another process with this identity is alive.
    case sameIdentity = 5
    /// A hello from before a restart that is known of.
    case oldIncarnation = 6
    /// More nodes than are remembered.
    case crowded = 7
    /// It is about to stop, and takes no more links.
    case draining = 8
    /// What came could not be read.
    case unreadable = 9
    /// Another node lives at this address than the one that was looked for.
    case otherNode = 10
  }

  public init(_ reason: Reason, _ text: String) {
    self.reason = reason
    self.text = text
  }
}

// A hello begins with what no other protocol begins with, and the version of its own layout, which is all that may be
// asked of a node before it is known what it speaks.

extension NodeHello {
  static let mark: UInt32 = 0x474e_4454
  static let layout: UInt8 = 1

  func encode(into buffer: inout ByteBuffer) throws(WireRefusal) {
    buffer.append(littleEndian: Self.mark)
    buffer.append(Self.layout)
    buffer.append(littleEndian: versions.lowerBound)
    buffer.append(littleEndian: versions.upperBound)
    buffer.append(isSo: cluster != nil)
    if let cluster { buffer.append(littleEndian: cluster.value) }
    buffer.append(littleEndian: node.value)
    buffer.append(littleEndian: incarnation)
    buffer.append(roles.intersection(.all).rawValue)
    buffer.append(isSo: knowsItIsRemoved)
    guard shards <= WireLimits.shards, replicas <= WireLimits.replicas else { throw .outOfBounds }
    buffer.append(littleEndian: shards)
    buffer.append(replicas)
    try buffer.append(text: name, atMost: WireLimits.nodeName)
    buffer.append(isSo: clock != nil)
    if let clock { buffer.append(littleEndian: UInt64(bitPattern: clock.milliseconds)) }
  }
}

extension NodeFarewell {
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(reason.rawValue)
    buffer.append(reason: text)
  }
}

extension WireReader {
  @_lifetime(self: copy self)
  mutating func hello() throws(WireRefusal) -> NodeHello {
    guard try u32() == NodeHello.mark else { throw .notTidings }
    let layout = try u8()
    guard layout == NodeHello.layout else { throw .unknownVersion(layout) }
    let lowest = try u16()
    let highest = try u16()
    guard lowest <= highest else { throw .contradiction }
    let cluster = try boolean() ? try cluster() : nil
    let node = try node()
    let incarnation = try u64()
    let roles = NodeRoles(rawValue: try u8())
    guard NodeRoles.all.isSuperset(of: roles) else { throw .unknownPart(roles.rawValue) }
    let knowsItIsRemoved = try boolean()
    let shards = try u16()
    let replicas = try u8()
    guard shards <= WireLimits.shards, replicas <= WireLimits.replicas else { throw .outOfBounds }
    let name = try text(atMost: WireLimits.nodeName)
    let clock = try boolean() ? WallTime(milliseconds: Int64(bitPattern: try u64())) : nil
    return NodeHello(
      versions: lowest...highest, cluster: cluster, node: node, incarnation: incarnation, roles: roles,
      knowsItIsRemoved: knowsItIsRemoved, shards: shards, replicas: replicas, name: name, clock: clock)
  }

  @_lifetime(self: copy self)
  mutating func farewell() throws(WireRefusal) -> NodeFarewell {
    let number = try u8()
    guard let reason = NodeFarewell.Reason(rawValue: number) else { throw .unknownPart(number) }
    return NodeFarewell(reason, try text(atMost: WireLimits.reason))
  }
}
