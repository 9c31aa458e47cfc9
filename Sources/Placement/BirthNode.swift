public import Core

/// Brings brokers without data to agree on one new cluster: the lowest identity among those that expect the same
/// proposes, all others confirm, and only then does anyone start shard 0.
///
/// The proposer alone decides, once everybody has confirmed, and within `decideWithin` of proposing. A promise is
/// durable and binds until it is started or withdrawn; if the proposer is not seen for `patience`, far longer than it
/// may take to decide, the promise lapses. What remains: if a proposer decides in the instant its process is stopped
/// for longer than `patience`, its cluster may be born beside another. Without a second set of as many new brokers
/// it never gets a majority.
public struct BirthNode: Sendable {
  public static let repeatEvery = TimeSpan.milliseconds(500)
  /// How long the lowest waits for one lower still before it proposes.
  public static let settle = TimeSpan.seconds(2)
  public static let decideWithin = TimeSpan.seconds(5)
  public static let patience = TimeSpan.seconds(30)

  public let id: NodeID
  public let terms: BirthTerms
  public private(set) var record: BirthRecord

  private struct Proposal: Sendable {
    let certificate: BirthCertificate
    let decideBy: Instant
    var missing: [NodeID]
  }

  private var random: SeededGenerator
  private var candidates: [BirthCandidate] = []
  private var proposal: Proposal?
  private var lastRefusal: BirthRefusal?
  /// Since when this broker is the one to propose.
  private var lowestSince: Instant?
  private var proposerSeenAt: Instant
  private var nextRepeatAt: Instant
  /// Members of a cluster born here that have not said that they started.
  private var untold: [NodeID] = []
  /// A proposer that stopped before it decided takes its proposal back.
  private var mustWithdraw: Bool

  /// `record` is what the data directory holds. A broker with data of a cluster says so by `.born`.
  public init(id: NodeID, terms: BirthTerms, record: BirthRecord, seed: UInt64, at now: Instant) {
    precondition((1...BirthCertificate.maximumMembers).contains(terms.expect), "a cluster of no brokers, or too many")
    self.id = id
    self.terms = terms
    self.record = record
    random = SeededGenerator(seed: seed ^ id.value)
    proposerSeenAt = now
    nextRepeatAt = now
    mustWithdraw = false
    switch record {
    case .promised(let certificate): mustWithdraw = certificate.members.first == id
    case .born(let certificate) where certificate.members.first == id:
      untold = certificate.members.filter { $0 != id }
    case .born, .none: break
    }
  }

  public var nextTick: Instant {
    var next = nextRepeatAt
    if let lowestSince, proposal == nil { next = min(next, lowestSince + settleTime) }
    return next
  }

  /// The brokers that gossip shows alive now, this one left out.
  public mutating func see(_ candidates: [BirthCandidate], at now: Instant, into output: inout BirthOutput) {
    self.candidates = candidates.filter { $0.id != id }.sorted { $0.id < $1.id }
    tick(at: now, into: &output)
  }

  public mutating func tick(at now: Instant, into output: inout BirthOutput) {
    switch record {
    case .born(let certificate): tellStart(certificate, at: now, into: &output)
    case .promised(let certificate):
      if mustWithdraw { return withdraw(certificate, at: now, into: &output) }
      if proposal != nil { return pursue(at: now, into: &output) }
      remain(promisedTo: certificate, at: now, into: &output)
    case .none: considerProposing(at: now, into: &output)
    }
    if now >= nextRepeatAt { nextRepeatAt = now + Self.repeatEvery }
  }

  public mutating func receive(
    _ message: BirthMessage, from sender: NodeID, at now: Instant, into output: inout BirthOutput
  ) {
    switch message {
    case .propose(let certificate):
      if let refusal = objection(to: certificate, from: sender) {
        output.messages.append((sender, .refuse(certificate.cluster, refusal)))
      } else {
        if record != .promised(certificate) { keep(.promised(certificate), into: &output) }
        proposerSeenAt = now
        output.messages.append((sender, .confirm(certificate.cluster)))
      }
    case .confirm(let cluster): receiveConfirm(cluster, from: sender, at: now, into: &output)
    case .refuse(let cluster, let reason):
      guard let current = proposal, current.certificate.cluster == cluster, current.missing.contains(sender) else { return }
      lastRefusal = reason
      withdraw(current.certificate, at: now, into: &output)
    case .withdraw(let cluster):
      guard case .promised(let certificate) = record, certificate.cluster == cluster, certificate.members.first == sender,
        sender != id
      else { return }
      keep(.none, into: &output)
    case .start(let certificate):
      guard certificate.members.first == sender, certificate.members.contains(id) else { return }
      if record == .promised(certificate) { beBorn(certificate, into: &output) }
      if record == .born(certificate) { output.messages.append((sender, .started(certificate.cluster))) }
    case .started(let cluster):
      guard case .born(let certificate) = record, certificate.cluster == cluster else { return }
      untold.removeAll { $0 == sender }
    }
  }

  public var status: BirthStatus {
    switch record {
    case .born(let certificate): return .born(certificate.cluster)
    case .promised(let certificate):
      if let proposal { return .proposes(missing: proposal.missing.count, refusedFor: lastRefusal) }
      return .promised(to: certificate.members[0])
    case .none:
      if let cluster = seenCluster { return .waitsForAdmission(cluster) }
      let alike = self.alike
      guard alike.count >= terms.expect else {
        return .waitsForBrokers(seen: alike.count, expect: terms.expect, otherwise: candidates.count + 1 - alike.count)
      }
      return alike[0] == id ? .proposes(missing: terms.expect - 1, refusedFor: lastRefusal) : .waitsForProposal(of: alike[0])
    }
  }

  /// Brokers without data that expect as many as this one, by identity, this one among them.
  private var alike: [NodeID] {
    (candidates.filter { $0.cluster == nil && $0.expect == terms.expect }.map(\.id) + [id]).sorted()
  }

  private var seenCluster: ClusterID? { candidates.compactMap(\.cluster).first }

  /// Who expects nobody need not wait for anybody.
  private var settleTime: TimeSpan { terms.expect == 1 ? .zero : Self.settle }

  private mutating func keep(_ record: BirthRecord, into output: inout BirthOutput) {
    self.record = record
    output.record = record
  }

  private mutating func beBorn(_ certificate: BirthCertificate, into output: inout BirthOutput) {
    keep(.born(certificate), into: &output)
    output.born = certificate
    proposal = nil
  }

  // Proposing.

  private mutating func considerProposing(at now: Instant, into output: inout BirthOutput) {
    let alike = self.alike
    guard seenCluster == nil, alike.count >= terms.expect, alike[0] == id else {
      lowestSince = nil
      return
    }
    let since = lowestSince ?? now
    lowestSince = since
    guard now - since >= settleTime else { return }
    let certificate = BirthCertificate(
      cluster: ClusterID(random.next()), terms: terms, members: Array(alike.prefix(terms.expect)))
    let others = certificate.members.filter { $0 != id }
    proposal = Proposal(certificate: certificate, decideBy: now + Self.decideWithin, missing: others)
    lowestSince = nil
    keep(.promised(certificate), into: &output)
    if others.isEmpty { return beBorn(certificate, into: &output) }
    for other in others { output.messages.append((other, .propose(certificate))) }
    nextRepeatAt = now + Self.repeatEvery
  }

  private mutating func pursue(at now: Instant, into output: inout BirthOutput) {
    guard let current = proposal else { return }
    let members = current.certificate.members
    let alike = self.alike
    // Somebody lower came, somebody went, or there is a cluster already: this one is not to be.
    let stands = seenCluster == nil && alike[0] == id && members.allSatisfy(alike.contains)
    guard stands, now < current.decideBy else { return withdraw(current.certificate, at: now, into: &output) }
    guard now >= nextRepeatAt else { return }
    for other in current.missing { output.messages.append((other, .propose(current.certificate))) }
    nextRepeatAt = now + Self.repeatEvery
  }

  private mutating func receiveConfirm(
    _ cluster: ClusterID, from sender: NodeID, at now: Instant, into output: inout BirthOutput
  ) {
    if var current = proposal, current.certificate.cluster == cluster {
      guard now < current.decideBy else { return withdraw(current.certificate, at: now, into: &output) }
      current.missing.removeAll { $0 == sender }
      proposal = current
      guard current.missing.isEmpty else { return }
      untold = current.certificate.members.filter { $0 != id }
      beBorn(current.certificate, into: &output)
      for other in untold { output.messages.append((other, .start(current.certificate))) }
    } else if case .born(let certificate) = record, certificate.cluster == cluster {
      if certificate.members.contains(sender) { output.messages.append((sender, .start(certificate))) }
    } else {
      output.messages.append((sender, .withdraw(cluster)))
    }
  }

  private mutating func withdraw(_ certificate: BirthCertificate, at now: Instant, into output: inout BirthOutput) {
    proposal = nil
    mustWithdraw = false
    keep(.none, into: &output)
    // The next proposal waits as the first did, so that what was in the way has time to go.
    lowestSince = now
    for member in certificate.members where member != id { output.messages.append((member, .withdraw(certificate.cluster))) }
    nextRepeatAt = now + Self.repeatEvery
  }

  private mutating func tellStart(_ certificate: BirthCertificate, at now: Instant, into output: inout BirthOutput) {
    guard !untold.isEmpty else { return }
    untold.removeAll { member in candidates.contains { $0.id == member && $0.cluster == certificate.cluster } }
    guard now >= nextRepeatAt else { return }
    for member in untold { output.messages.append((member, .start(certificate))) }
  }

  // Confirming.

  private func objection(to certificate: BirthCertificate, from sender: NodeID) -> BirthRefusal? {
    switch record {
    case .born: return .hasCluster
    case .promised(let other) where other != certificate: return .promisedAnother
    case .promised, .none: break
    }
    if certificate.members.first != sender || sender == id || !certificate.members.contains(id) { return .malformed }
    if certificate.terms != terms { return .termsDiffer }
    if seenCluster != nil { return .seesCluster }
    return alike[0] < sender ? .seesLower : nil
  }

  private mutating func remain(promisedTo certificate: BirthCertificate, at now: Instant, into output: inout BirthOutput) {
    let proposer = certificate.members[0]
    // Any member with that cluster's data proves that it was born.
    if candidates.contains(where: { $0.cluster == certificate.cluster }) { return beBorn(certificate, into: &output) }
    if candidates.contains(where: { $0.id == proposer }) { proposerSeenAt = now }
    if now - proposerSeenAt >= Self.patience { return keep(.none, into: &output) }
    if now >= nextRepeatAt { output.messages.append((proposer, .confirm(certificate.cluster))) }
  }
}
