public import Core

/// What a member says of itself, at most 512 bytes on the wire. What changes often travels on links instead.
public struct MemberProfile: Hashable, Sendable {
  public enum Role: UInt8, Sendable {
    case all = 0
    case broker = 1
    case edge = 2

    public var ownsShards: Bool { self != .edge }
  }

  public var role: Role
  /// Chosen anew at every start: tells a member that restarted from one that was only away.
  public var boot: UInt64
  public var name: String
  public var version = ""
  /// Where clients reach it, as text for people and for redirects.
  public var http = ""
  public var mqtt = ""
  /// Replicas of a shard are kept on different racks where there are several.
  public var rack = ""
  /// The cluster its data belongs to; nil if it has none yet.
  public var cluster: ClusterID?
  /// How many brokers it waits for before a cluster is born.
  public var bootstrapExpect: UInt8 = 0
  public var isDraining = false

  public init(role: Role, boot: UInt64, name: String) {
    self.role = role
    self.boot = boot
    self.name = name
  }

  /// What is too long to be told to others; nil if nothing is.
  public var problem: String? {
    for (field, text, limit) in texts where text.utf8.count > limit {
      return "\(field) has \(text.utf8.count) bytes; at most \(limit) are told to other nodes"
    }
    return nil
  }

  static let maximumName = 64
  static let maximumVersion = 32
  static let maximumAddress = 100
  static let maximumRack = 64

  private var texts: [(String, String, Int)] {
    [
      ("the node's name", name, Self.maximumName), ("the version", version, Self.maximumVersion),
      ("the HTTP address", http, Self.maximumAddress), ("the MQTT address", mqtt, Self.maximumAddress),
      ("the rack", rack, Self.maximumRack),
    ]
  }
}
