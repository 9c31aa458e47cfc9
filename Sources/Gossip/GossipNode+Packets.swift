public import Core

extension GossipNode {
  /// A datagram arrived, opened and authenticated. One that cannot be read is counted and changes nothing.
  public mutating func receive(
    packet: RawSpan, from sender: GossipAddress, at now: Instant, into output: inout GossipOutput
  ) {
    forgiveOwnPause(at: now)
    counters.packetsReceived += 1
    do throws(GossipRefusal) {
      let header = try read(packet, limit: GossipLimits.plainPacket)
      guard header.form == .packet else { throw .unexpected }
      try checkTargets()
      // Claims first: who is told that it is thought silent says otherwise in the very answer.
      for case .claim(let claim) in messages {
        apply(claim, profile: packet.copy(claim.profile), at: now, into: &output)
      }
      for message in messages {
        switch message {
        case .ping(let sequence, _):
          send(.ack(sequence: sequence), to: sender, about: header.sender, into: &output)
        case .pingRequest(let sequence, let target, let address):
          relay(sequence, to: target, address, for: sender, at: now, into: &output)
        case .ack(let sequence): receiveAck(sequence, byStream: false, at: now, into: &output)
        case .nack(let sequence): receiveNack(sequence, from: header.sender)
        case .claim: break
        }
      }
    } catch {
      counters.count(error)
    }
  }

  /// Reads a frame into `messages` and checks whose it is.
  mutating func read(_ bytes: RawSpan, limit: Int) throws(GossipRefusal) -> FrameHeader {
    let header = try GossipFrame.decode(bytes, limit: limit, into: &messages)
    if let cluster = profile.cluster, header.cluster != 0, header.cluster != cluster.value { throw .foreignCluster }
    // An echo of this node's own words, or another that uses its identity.
    guard header.sender != id else { throw .unexpected }
    return header
  }

  /// A ping for whoever had this address before must not be answered in its name.
  func checkTargets() throws(GossipRefusal) {
    for case .ping(_, let target) in messages where target != id { throw .misdirected }
  }

  var cluster: UInt64 { profile.cluster?.value ?? 0 }

  /// Sends one message, with what is thought of `subject` if that is nothing good (who is doubted hears of it first),
  /// and as many rumours as fit.
  mutating func send(
    _ message: GossipMessage, to address: GossipAddress, about subject: NodeID?, into output: inout GossipOutput
  ) {
    let bytes = packet(message, about: subject)
    counters.packetsSent += 1
    output.packets.append(GossipPacket(to: address, bytes: bytes))
  }

  mutating func packet(_ message: GossipMessage?, about subject: NodeID?) -> Bytes {
    var buffer = ByteBuffer(capacity: GossipLimits.plainPacket)
    GossipFrame.begin(FrameHeader(form: .packet, cluster: cluster, sender: id), into: &buffer)
    var count = 0
    if let message {
      GossipFrame.append(message, into: &buffer)
      count += 1
    }
    if settings.lifeguard, let subject, let claim = doubt(about: subject) {
      GossipFrame.append(.claim(claim), into: &buffer)
      count += 1
    }
    count += rumours.tell(into: &buffer, limit: GossipLimits.plainPacket, times: timesTold)
    GossipFrame.end(count: count, into: &buffer)
    return buffer.freeze()
  }

  /// What this node thinks of a member, if that is not simply "alive".
  private func doubt(about subject: NodeID) -> Claim? {
    guard let entry = table[subject], entry.member.standing != .alive else { return nil }
    return Claim(
      standing: entry.member.standing, subject: subject, incarnation: entry.member.incarnation,
      accuser: entry.suspicion?.accusers.first ?? id)
  }
}

extension RawSpan {
  func copy(_ range: Range<Int>) -> Bytes { range.isEmpty ? Bytes() : Bytes(copying: extracting(range)) }
}
