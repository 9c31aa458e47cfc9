internal import Core

/// The one probe that is under way.
struct Probe: Sendable {
  let target: NodeID
  let sequence: UInt32
  /// When others are asked, and whether they were.
  var helpAt: Instant
  var hasAskedForHelp = false
  /// When the period is over and the target is judged.
  var endsAt: Instant
  var isAnswered = false
  var nacksExpected = 0
  var nacks: [NodeID] = []

  var nextStep: Instant { isAnswered || hasAskedForHelp ? endsAt : helpAt }
}

/// A ping carried out for another member.
struct Relay: Sendable {
  let sequence: UInt32
  let requester: GossipAddress
  let requesterSequence: UInt32
  let target: NodeID
  /// When the requester is told that there is no answer yet; nil once it was.
  var nackAt: Instant?
  let endsAt: Instant

  var nextStep: Instant { nackAt ?? endsAt }
}

extension GossipNode {
  /// A helper says "no answer" after this share of its ping's time, so that it is heard before the period ends.
  private static let nackTenths = 8

  mutating func continueProbe(at now: Instant, into output: inout GossipOutput) {
    if let current = probe {
      if now >= current.endsAt {
        conclude(current, at: now, into: &output)
      } else if now >= current.helpAt, !current.isAnswered, !current.hasAskedForHelp {
        askForHelp(at: now, into: &output)
      }
    }
    if probe == nil, now >= nextProbeAt { beginProbe(at: now, into: &output) }
  }

  private mutating func beginProbe(at now: Instant, into output: inout GossipOutput) {
    guard let target = nextTarget(), let entry = table[target] else {
      nextProbeAt = now + settings.period
      return
    }
    let sequence = newSequence()
    probe = Probe(
      target: target, sequence: sequence, helpAt: now + settings.pingTimeout * health.multiplier,
      endsAt: now + settings.period * health.multiplier)
    counters.probes += 1
    send(.ping(sequence: sequence, target: target), to: entry.member.address, about: target, into: &output)
  }

  /// Every live member once, in an order of chance, then all over in another.
  private mutating func nextTarget() -> NodeID? {
    for _ in 0..<2 {
      while position < order.count {
        let candidate = order[position]
        position += 1
        if table[candidate]?.member.standing.isLive == true { return candidate }
      }
      order.removeAll(keepingCapacity: true)
      for entry in table.entries where entry.member.standing.isLive { order.append(entry.member.id) }
      for last in stride(from: order.count - 1, to: 0, by: -1) { order.swapAt(last, random.below(last + 1)) }
      position = 0
    }
    return nil
  }

  /// Somewhere in the order, so that those who join together are not probed together.
  mutating func putIntoOrder(_ id: NodeID) {
    let place = random.below(order.count + 1)
    order.insert(id, at: place)
    if place < position { position += 1 }
  }

  private mutating func askForHelp(at now: Instant, into output: inout GossipOutput) {
    guard var current = probe, let target = table[current.target]?.member else { return }
    current.hasAskedForHelp = true
    let helpers = chooseLive(settings.indirectProbes, except: current.target)
    current.nacksExpected = settings.lifeguard ? helpers.count : 0
    for helper in helpers {
      let request = GossipMessage.pingRequest(sequence: current.sequence, target: target.id, address: target.address)
      send(request, to: table[helper].member.address, about: nil, into: &output)
    }
    probe = current
    pingByStream(target, sequence: current.sequence, until: current.endsAt, into: &output)
  }

  private mutating func conclude(_ finished: Probe, at now: Instant, into output: inout GossipOutput) {
    probe = nil
    // A probe that ends late does not push the next ones later and later, unless it is very late.
    nextProbeAt = now - finished.endsAt > settings.period ? now : finished.endsAt
    guard !finished.isAnswered, let entry = table[finished.target], entry.member.standing.isLive else { return }
    counters.probesFailed += 1
    let missed = finished.nacksExpected - finished.nacks.count
    health.probeFailed(nacksMissed: missed, nacksExpected: finished.nacksExpected)
    let claim = Claim(
      standing: .suspect, subject: finished.target, incarnation: entry.member.incarnation, accuser: id)
    apply(claim, profile: Bytes(), at: now, into: &output)
  }

  mutating func receiveAck(
    _ sequence: UInt32, byStream: Bool, at now: Instant, into output: inout GossipOutput
  ) {
    if var current = probe, current.sequence == sequence {
      guard !current.isAnswered else { return }
      current.isAnswered = true
      probe = current
      health.probeSucceeded()
      if byStream { counters.streamAcks += 1 }
    } else if let index = relays.firstIndex(where: { $0.sequence == sequence }) {
      let relay = relays.remove(at: index)
      send(.ack(sequence: relay.requesterSequence), to: relay.requester, about: nil, into: &output)
    }
  }

  mutating func receiveNack(_ sequence: UInt32, from helper: NodeID) {
    guard var current = probe, current.sequence == sequence, current.nacks.count < current.nacksExpected,
      !current.nacks.contains(helper)
    else { return }
    current.nacks.append(helper)
    probe = current
  }

  mutating func relay(
    _ requesterSequence: UInt32, to target: NodeID, _ address: GossipAddress, for requester: GossipAddress,
    at now: Instant, into output: inout GossipOutput
  ) {
    guard relays.count < GossipLimits.relays else {
      counters.relaysRefused += 1
      return
    }
    let nackAfter = TimeSpan(nanoseconds: settings.pingTimeout.nanoseconds * Int64(Self.nackTenths) / 10)
    let sequence = newSequence()
    relays.append(
      Relay(
        sequence: sequence, requester: requester, requesterSequence: requesterSequence, target: target,
        nackAt: settings.lifeguard ? now + nackAfter : nil, endsAt: now + settings.period * 2))
    send(.ping(sequence: sequence, target: target), to: address, about: target, into: &output)
  }

  mutating func answerRelays(at now: Instant, into output: inout GossipOutput) {
    guard !relays.isEmpty else { return }
    for index in relays.indices {
      guard let nackAt = relays[index].nackAt, now >= nackAt else { continue }
      relays[index].nackAt = nil
      send(.nack(sequence: relays[index].requesterSequence), to: relays[index].requester, about: nil, into: &output)
    }
    relays.removeAll { now >= $0.endsAt }
  }

  mutating func newSequence() -> UInt32 {
    nextSequence &+= 1
    return nextSequence
  }

  /// Places in the table of `count` live members, or of as many as there are, chosen by chance.
  mutating func chooseLive(_ count: Int, except: NodeID? = nil) -> [Int] {
    var candidates = table.entries.indices.filter {
      table[$0].member.standing.isLive && table[$0].member.id != except
    }
    let chosen = min(count, candidates.count)
    for place in 0..<chosen { candidates.swapAt(place, place + random.below(candidates.count - place)) }
    return Array(candidates[..<chosen])
  }
}

extension TimeSpan {
  static func * (span: TimeSpan, times: Int) -> TimeSpan { TimeSpan(nanoseconds: span.nanoseconds * Int64(times)) }
}
