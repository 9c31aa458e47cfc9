internal import Core

/// One thing said in a packet or a state.
enum GossipMessage: Hashable, Sendable {
  /// Asks `target` for an `ack` with this number.
  case ping(sequence: UInt32, target: NodeID)
  /// Asks the receiver to ping `target` and pass the answer on.
  case pingRequest(sequence: UInt32, target: NodeID, address: GossipAddress)
  case ack(sequence: UInt32)
  /// "I am here, but the target you asked me to ping does not answer me."
  case nack(sequence: UInt32)
  case claim(Claim)
}

/// What is said about a member. Later incarnations win; within one, the worse news does.
struct Claim: Hashable, Sendable {
  var standing: Standing
  var subject: NodeID
  var incarnation: UInt64
  /// Who found it silent; of no meaning to those alive or gone by their own will.
  var accuser = NodeID(0)
  /// Of a member alive: where it is, and where in the packet its profile lies.
  var address = GossipAddress(high: 0, low: 0, port: 0)
  var profile = 0..<0
}

/// How a member stands, best first.
public enum Standing: UInt8, Sendable, Comparable, CaseIterable {
  case alive = 0
  case suspect = 1
  case dead = 2
  case left = 3

  public static func < (a: Standing, b: Standing) -> Bool { a.rawValue < b.rawValue }

  /// Whether it is probed, counted and told things.
  public var isLive: Bool { self <= .suspect }
}
