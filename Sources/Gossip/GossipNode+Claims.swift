internal import Core

// What is said about members, and what follows from it. The order of claims: a later incarnation wins; within one,
// the worse standing does. Only the member itself raises its incarnation.

extension GossipNode {
  mutating func apply(_ claim: Claim, profile: Bytes, at now: Instant, into output: inout GossipOutput) {
    guard claim.subject != id else { return applyToSelf(claim, profile: profile, into: &output) }
    switch claim.standing {
    case .alive: applyAlive(claim, profile: profile, at: now, into: &output)
    case .suspect: applySuspect(claim, at: now, into: &output)
    case .dead, .left: applyGone(claim, at: now, into: &output)
    }
  }

  /// Whatever is said of this node that it did not say itself is answered with a later incarnation.
  private mutating func applyToSelf(_ claim: Claim, profile: Bytes, into output: inout GossipOutput) {
    guard departure == nil else { return }
    if claim.standing == .alive {
      let isOurs = claim.incarnation == incarnation && claim.address == address && profile == profileBytes
      guard claim.incarnation >= incarnation, !isOurs else { return }
      incarnation = nextIncarnation(after: claim.incarnation)
      tellOfSelf()
      return
    }
    guard claim.incarnation >= incarnation else {
      // Answered before; whoever still says so has missed it.
      tellOfSelf()
      return
    }
    incarnation = nextIncarnation(after: claim.incarnation)
    counters.refutations += 1
    health.refuted()
    output.facts.append(.selfSuspected(by: claim.accuser))
    tellOfSelf()
  }

  private func nextIncarnation(after claimed: UInt64) -> UInt64 {
    // Nobody counts that far; whoever claims to have is not followed into an overflow.
    claimed < .max ? claimed + 1 : claimed
  }

  mutating func tellOfSelf() {
    var buffer = ByteBuffer(capacity: 256)
    GossipFrame.append(.claim(ownClaim), profile: profileBytes, into: &buffer)
    rumours.add(buffer.freeze(), about: id)
  }

  var ownClaim: Claim { Claim(standing: .alive, subject: id, incarnation: incarnation, address: address) }

  private mutating func applyAlive(_ claim: Claim, profile: Bytes, at now: Instant, into output: inout GossipOutput) {
    let index = table.index(of: claim.subject)
    if let index, table[index].member.incarnation >= claim.incarnation { return }
    let told: MemberProfile
    do {
      told = try MemberProfile(decoding: profile.bytes)
    } catch {
      counters.count(error)
      return
    }
    guard let index else {
      addMember(claim, profile, told, at: now, into: &output)
      return
    }
    let before = table[index].member
    table.change(index) { entry in
      if !before.standing.isLive || before.standing == .suspect { entry.member.changedAt = now }
      entry.member.standing = .alive
      entry.member.incarnation = claim.incarnation
      entry.member.address = claim.address
      entry.member.profile = told
      entry.profile = profile
      entry.suspicion = nil
    }
    pass(on: claim, profile: profile)
    let after = table[index].member
    if !before.standing.isLive {
      putIntoOrder(after.id)
      output.facts.append(.joined(after))
    } else if before.profile.boot != told.boot {
      output.facts.append(.died(after.id))
      output.facts.append(.joined(after))
    } else {
      if before.standing == .suspect { output.facts.append(.cleared(after.id)) }
      if before.profile != told || before.address != claim.address { output.facts.append(.updated(after)) }
    }
  }

  private mutating func addMember(
    _ claim: Claim, _ profile: Bytes, _ told: MemberProfile, at now: Instant, into output: inout GossipOutput
  ) {
    if table.count >= GossipLimits.members, !forgetOldest(into: &output) {
      counters.membersRefused += 1
      return
    }
    let member = Member(
      id: claim.subject, standing: .alive, incarnation: claim.incarnation, address: claim.address, profile: told,
      changedAt: now)
    table.add(MemberEntry(member: member, profile: profile))
    putIntoOrder(member.id)
    pass(on: claim, profile: profile)
    output.facts.append(.joined(member))
  }

  private mutating func applySuspect(_ claim: Claim, at now: Instant, into output: inout GossipOutput) {
    guard let index = table.index(of: claim.subject) else { return }
    let member = table[index].member
    guard member.standing.isLive, claim.incarnation >= member.incarnation else { return }
    if member.standing == .suspect {
      var isNews = claim.incarnation > member.incarnation
      table.change(index) { entry in
        entry.member.incarnation = claim.incarnation
        if entry.suspicion?.confirm(by: claim.accuser) == true { isNews = true }
      }
      if isNews { pass(on: claim) }
      return
    }
    let suspicion = Suspicion(
      since: now, accuser: claim.accuser, members: table.liveCount + 1, settings: settings)
    table.change(index) { entry in
      entry.member.standing = .suspect
      entry.member.incarnation = claim.incarnation
      entry.member.changedAt = now
      entry.suspicion = suspicion
    }
    pass(on: claim)
    output.facts.append(.suspected(member.id, by: claim.accuser))
  }

  private mutating func applyGone(_ claim: Claim, at now: Instant, into output: inout GossipOutput) {
    // Of the dead that were never known there is nothing to remember.
    guard let index = table.index(of: claim.subject) else { return }
    let member = table[index].member
    guard claim.incarnation >= member.incarnation, claim.standing > member.standing else { return }
    table.change(index) { entry in
      entry.member.standing = claim.standing
      entry.member.incarnation = claim.incarnation
      entry.member.changedAt = now
      entry.suspicion = nil
    }
    if probe?.target == member.id { probe?.isAnswered = true }
    pass(on: claim)
    output.facts.append(claim.standing == .left ? .left(member.id) : .died(member.id))
  }

  private mutating func pass(on claim: Claim, profile: Bytes = Bytes()) {
    var buffer = ByteBuffer(capacity: 64 + profile.count)
    GossipFrame.append(.claim(claim), profile: profile, into: &buffer)
    rumours.add(buffer.freeze(), about: claim.subject)
  }
}
