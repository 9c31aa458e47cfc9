public import Core

/// How far this node has come with telling the others that it goes.
struct Departure: Sendable {
  var nextTellingAt: Instant
  var isTold = false
}

extension GossipNode {
  /// Says goodbye: the others will not look for this node. Keep ticking until `hasLeft`.
  public mutating func leave(at now: Instant, into output: inout GossipOutput) {
    guard departure == nil else { return }
    departure = Departure(nextTellingAt: now)
    probe = nil
    incarnation += 1
    var buffer = ByteBuffer(capacity: 32)
    GossipFrame.append(.claim(Claim(standing: .left, subject: id, incarnation: incarnation)), into: &buffer)
    rumours.add(buffer.freeze(), about: id)
    tellDeparture(at: now, into: &output)
  }

  /// Whether the goodbye was said often enough for everyone to hear of it.
  public var hasLeft: Bool { departure?.isTold ?? false }

  mutating func tellDeparture(at now: Instant, into output: inout GossipOutput) {
    guard let current = departure, !current.isTold, now >= current.nextTellingAt else { return }
    for index in chooseLive(settings.indirectProbes) where rumours.isTelling(of: id) {
      let bytes = packet(nil, about: nil)
      counters.packetsSent += 1
      output.packets.append(GossipPacket(to: table[index].member.address, bytes: bytes))
    }
    departure?.isTold = table.liveCount == 0 || !rumours.isTelling(of: id)
    departure?.nextTellingAt = now + settings.leavePeriod
  }
}
