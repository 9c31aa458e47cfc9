public import Core

/// A stream that was asked for and has neither answered nor failed.
struct OpenStream: Sendable {
  enum Purpose: Sendable, Equatable {
    case exchange
    case ping
  }

  let token: UInt32
  let purpose: Purpose
  let to: GossipAddress
  var deadline: Instant
}

extension GossipNode {
  /// Offers this node's state to seeds, and takes theirs. Addresses of members that are alive are passed over: the
  /// others may be islands that nobody here knows.
  public mutating func join(_ seeds: [GossipAddress], at now: Instant, into output: inout GossipOutput) {
    guard departure == nil else { return }
    for seed in seeds.prefix(GossipLimits.seeds) where seed != address {
      let isKnown = table.entries.contains { $0.member.standing.isLive && $0.member.address == seed }
      if !isKnown { offerState(to: seed, at: now, into: &output) }
    }
  }

  /// A stream was opened by another node and brought a request; the answer is in the output.
  public mutating func receive(
    request: RawSpan, from sender: GossipAddress, at now: Instant, into output: inout GossipOutput
  ) {
    forgiveOwnPause(at: now)
    do throws(GossipRefusal) {
      let header = try read(request, limit: GossipLimits.state)
      switch header.form {
      case .state:
        try absorb(request, at: now, into: &output)
        output.streamReply = encodeState()
      case .packet:
        guard case .ping(let sequence, let target)? = messages.first, messages.count == 1 else {
          throw .unexpected
        }
        guard target == id else { throw .misdirected }
        output.streamReply = packet(.ack(sequence: sequence), about: header.sender)
      }
    } catch {
      counters.count(error)
    }
  }

  /// A stream this node asked for was answered.
  public mutating func receive(
    reply: RawSpan, of token: UInt32, at now: Instant, into output: inout GossipOutput
  ) {
    forgiveOwnPause(at: now)
    guard let index = streams.firstIndex(where: { $0.token == token }) else { return }
    let stream = streams.remove(at: index)
    do throws(GossipRefusal) {
      let header = try read(reply, limit: GossipLimits.state)
      switch (stream.purpose, header.form) {
      case (.exchange, .state):
        let before = incarnation
        try absorb(reply, at: now, into: &output)
        counters.exchanges += 1
        // The other thought this node dead, or remembers it from a former life: it hears otherwise at once.
        if incarnation != before { offerState(to: stream.to, at: now, into: &output) }
      case (.ping, .packet):
        for message in messages {
          switch message {
          case .ack(let sequence): receiveAck(sequence, byStream: true, at: now, into: &output)
          case .claim(let claim): apply(claim, profile: reply.copy(claim.profile), at: now, into: &output)
          case .ping, .pingRequest, .nack: throw .unexpected
          }
        }
      case (.exchange, .packet), (.ping, .state): throw .unexpected
      }
    } catch {
      counters.count(error)
    }
  }

  /// A stream this node asked for could not be opened, or broke.
  public mutating func streamFailed(_ token: UInt32) {
    streams.removeAll { $0.token == token }
  }

  mutating func dropStreams(at now: Instant) {
    if !streams.isEmpty { streams.removeAll { now >= $0.deadline } }
  }

  /// One exchange per period with a member that is alive and, if any are remembered, one with a member that is dead:
  /// after a partition each half thinks the other dead, and somebody has to ask.
  mutating func exchange(at now: Instant, into output: inout GossipOutput) {
    guard now >= nextExchangeAt else { return }
    nextExchangeAt = now + settings.exchangePeriod
    if let partner = chooseLive(1).first { offerState(to: table[partner].member.address, at: now, into: &output) }
    let dead = table.entries.indices.filter { table[$0].member.standing == .dead }
    if !dead.isEmpty {
      offerState(to: table[dead[random.below(dead.count)]].member.address, at: now, into: &output)
    }
    // Seeds that are strangers may lead to an island.
    output.wantsSeeds = true
  }

  mutating func askForSeeds(at now: Instant, into output: inout GossipOutput) {
    guard table.liveCount == 0, now >= nextSeedsAt else { return }
    nextSeedsAt = now + settings.seedPeriod
    output.wantsSeeds = true
  }

  private mutating func offerState(to address: GossipAddress, at now: Instant, into output: inout GossipOutput) {
    open(.exchange, to: address, encodeState(), until: now + settings.exchangeTimeout, into: &output)
  }

  mutating func pingByStream(
    _ target: Member, sequence: UInt32, until deadline: Instant, into output: inout GossipOutput
  ) {
    var buffer = ByteBuffer(capacity: 64)
    GossipFrame.begin(FrameHeader(form: .packet, cluster: cluster, sender: id), into: &buffer)
    GossipFrame.append(.ping(sequence: sequence, target: target.id), into: &buffer)
    GossipFrame.end(count: 1, into: &buffer)
    open(.ping, to: target.address, buffer.freeze(), until: deadline, into: &output)
  }

  private mutating func open(
    _ purpose: OpenStream.Purpose, to address: GossipAddress, _ bytes: Bytes, until deadline: Instant,
    into output: inout GossipOutput
  ) {
    guard streams.count < GossipLimits.streams else { return }
    let token = newSequence()
    streams.append(OpenStream(token: token, purpose: purpose, to: address, deadline: deadline))
    counters.streamsOpened += 1
    output.streams.append(GossipStream(token: token, to: address, bytes: bytes))
  }

  /// Everything known, as claims: a member in doubt or gone is told of as alive first, so that who never heard of it
  /// learns where it is, except the gone, of whom only that is told.
  private func encodeState() -> Bytes {
    var buffer = ByteBuffer(capacity: 256 * (table.count + 1))
    GossipFrame.begin(FrameHeader(form: .state, cluster: cluster, sender: id), into: &buffer)
    var count = 0
    if departure == nil {
      GossipFrame.append(.claim(ownClaim), profile: profileBytes, into: &buffer)
    } else {
      GossipFrame.append(.claim(Claim(standing: .left, subject: id, incarnation: incarnation)), into: &buffer)
    }
    count += 1
    for entry in table.entries {
      let member = entry.member
      var claim = Claim(standing: .alive, subject: member.id, incarnation: member.incarnation, address: member.address)
      if member.standing.isLive {
        GossipFrame.append(.claim(claim), profile: entry.profile, into: &buffer)
        count += 1
      }
      if member.standing != .alive {
        claim.standing = member.standing
        claim.accuser = entry.suspicion?.accusers.first ?? id
        GossipFrame.append(.claim(claim), into: &buffer)
        count += 1
      }
    }
    GossipFrame.end(count: count, into: &buffer)
    return buffer.freeze()
  }

  /// Takes over what a state says. The dead of another are only suspects here: they get the time to say otherwise.
  private mutating func absorb(
    _ state: RawSpan, at now: Instant, into output: inout GossipOutput
  ) throws(GossipRefusal) {
    for message in messages {
      guard case .claim = message else { throw .unexpected }
    }
    for message in messages {
      guard case .claim(var claim) = message else { continue }
      if claim.standing == .dead { claim.standing = .suspect }
      apply(claim, profile: state.copy(claim.profile), at: now, into: &output)
    }
  }
}
