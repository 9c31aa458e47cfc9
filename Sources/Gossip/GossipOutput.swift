public import Core

/// What a machine of the gossip wants done. Nothing in it waits for anything else in it.
public struct GossipOutput: Sendable {
  /// Datagrams to seal and send.
  public var packets: [GossipPacket] = []
  /// Streams to open: send the bytes, hand what comes back to `receive(reply:)`, or say `streamFailed`.
  public var streams: [GossipStream] = []
  /// What to send back on the stream whose request was just received; nil refuses it: close the stream.
  public var streamReply: Bytes?
  public var facts: [GossipFact] = []
  /// Resolve the names of the seeds anew and call `join`; without seeds there is nothing to do.
  public var wantsSeeds = false

  public init() {}

  public mutating func removeAll() {
    packets.removeAll(keepingCapacity: true)
    streams.removeAll(keepingCapacity: true)
    streamReply = nil
    facts.removeAll(keepingCapacity: true)
    wantsSeeds = false
  }
}

public struct GossipPacket: Sendable {
  public let to: GossipAddress
  public let bytes: Bytes
}

/// A question and its answer over TCP: an exchange of states, or a ping where datagrams got lost.
public struct GossipStream: Sendable {
  /// Names the stream when its answer or its failure is told.
  public let token: UInt32
  public let to: GossipAddress
  public let bytes: Bytes
}

/// What changed among the members. Death is a hint: nothing but a closer look may follow from it alone.
public enum GossipFact: Hashable, Sendable {
  /// New here, or back after it was dead, had left, or had restarted so fast that nobody missed it (then `died` is
  /// told first).
  case joined(Member)
  /// Its profile or address is another.
  case updated(Member)
  case suspected(NodeID, by: NodeID)
  /// A suspect was heard of again.
  case cleared(NodeID)
  case died(NodeID)
  case left(NodeID)
  /// Long dead or gone, and no longer remembered.
  case forgotten(NodeID)
  /// Others thought this node silent or dead; it told them otherwise.
  case selfSuspected(by: NodeID)
}
