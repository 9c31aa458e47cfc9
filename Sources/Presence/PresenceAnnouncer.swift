public import Core
public import Feeds

/// What one edge reactor tells one shard's leader of its own members, and which topics it wants to hear of.
///
/// ```
///   enter, leave, watch ──▶ slots ──▶ next() ──▶ leader ──▶ take(receipt) ──▶ who is in, who was refused
///                             ▲ everything again, when a receipt or a push does not follow on what is known
/// ```
///
/// One announcement is under way at a time, so that none overtakes another. With nothing to say it repeats that the edge is
/// there, which is also how a new leader is found. Lives on its edge's reactor.
public struct PresenceAnnouncer {
  /// Changes gather for so long.
  public static let folding = TimeSpan.milliseconds(100)
  /// A quiet edge says so often that it is there.
  static let aliveEvery = TimeSpan.seconds(1)
  /// After a refusal.
  static let retryAfter = TimeSpan.milliseconds(250)
  /// No answer is waited for longer.
  static let patience = TimeSpan.seconds(15)

  struct Key: Hashable {
    var topic: Topic
    var id: Bytes
  }

  private struct Slot {
    let key: Key
    var data: Bytes
    var since: WallTime
    /// 0: it left, and the leader is yet to hear of it.
    var connections: Int
    var isDirty: Bool
  }

  private struct Watch {
    let topic: Topic
    var isWanted: Bool
    var isDirty: Bool
  }

  private struct Underway {
    var ticket: Ticket
    var sequence: UInt64
    var sentAt: Instant
    var slots: [Int] = []
    var watches: [Int] = []
    var isPartOfWhole = false
    var completes = false
  }

  /// How far a whole announcement has come.
  private struct Round {
    var slot = 0
    var watch = 0
    var hasBegun = false
  }

  public let shard: ShardID
  private let source: UInt64
  private var slots = PlaceList<Slot>()
  /// For look-up only.
  private var placeOfSlot: [Key: Int] = [:]
  private var dirtySlots: [Int] = []
  private var watches = PlaceList<Watch>()
  private var placeOfWatch: [Topic: Int] = [:]
  private var dirtyWatches: [Int] = []
  private var sequence: UInt64 = 0
  private var underway: Underway?
  private var round: Round?
  /// The leader has everything up to `sequence`, and what it pushes follows on `pushes`.
  private var isSynced = false
  private var table: UInt64 = 0
  private var pushes: UInt64 = 0
  private var notBefore = Instant.zero
  private var lastSentAt = Instant.zero

  /// `source`: a number that no other reactor of any edge has, nor had.
  public init(shard: ShardID, source: UInt64) {
    self.shard = shard
    self.source = source
  }

  /// Whether it has to be asked for its `next` as time goes by.
  public var isActive: Bool { !placeOfSlot.isEmpty || !placeOfWatch.isEmpty || underway != nil }

  public var watchedTopics: Int { placeOfWatch.count }

  // What it announces ----------------------------------------------------------------------------------

  /// One more connection of a member, or the first.
  public mutating func enter(_ topic: Topic, _ id: Bytes, data: Bytes, since: WallTime) {
    let key = Key(topic: topic, id: id)
    if let place = placeOfSlot[key] {
      if slots[place]!.connections == 0 { slots[place]!.since = since }
      slots[place]!.connections += 1
      slots[place]!.data = data
      return touch(place)
    }
    let place = slots.insert(Slot(key: key, data: data, since: since, connections: 1, isDirty: false))
    placeOfSlot[key] = place
    touch(place)
  }

  /// A member says something else of itself.
  public mutating func change(_ topic: Topic, _ id: Bytes, data: Bytes) {
    guard let place = placeOfSlot[Key(topic: topic, id: id)], slots[place]!.data != data else { return }
    slots[place]!.data = data
    touch(place)
  }

  /// One connection less.
  public mutating func leave(_ topic: Topic, _ id: Bytes) {
    guard let place = placeOfSlot[Key(topic: topic, id: id)], slots[place]!.connections > 0 else { return }
    slots[place]!.connections -= 1
    touch(place)
  }

  /// Whether the leader has been told what there is to tell of a member.
  public func isTold(_ topic: Topic, _ id: Bytes) -> Bool {
    guard isSynced, let place = placeOfSlot[Key(topic: topic, id: id)] else { return false }
    return !slots[place]!.isDirty && underway?.slots.contains(place) != true
  }

  public mutating func watch(_ topic: Topic) {
    if let place = placeOfWatch[topic] {
      watches[place]!.isWanted = true
      return touchWatch(place)
    }
    let place = watches.insert(Watch(topic: topic, isWanted: true, isDirty: false))
    placeOfWatch[topic] = place
    touchWatch(place)
  }

  public mutating func unwatch(_ topic: Topic) {
    guard let place = placeOfWatch[topic] else { return }
    watches[place]!.isWanted = false
    touchWatch(place)
  }

  private mutating func touch(_ place: Int) {
    guard !slots[place]!.isDirty else { return }
    slots[place]!.isDirty = true
    dirtySlots.append(place)
  }

  private mutating func touchWatch(_ place: Int) {
    guard !watches[place]!.isDirty else { return }
    watches[place]!.isDirty = true
    dirtyWatches.append(place)
  }

  private mutating func freeSlot(_ place: Int) {
    if let slot = slots.remove(at: place) { placeOfSlot[slot.key] = nil }
  }

  private mutating func freeWatch(_ place: Int) {
    if let watch = watches.remove(at: place) { placeOfWatch[watch.topic] = nil }
  }

  // Announcing -----------------------------------------------------------------------------------------

  /// What is to be sent now, if anything.
  public mutating func next(at now: Instant, from edge: EdgeID) -> PresenceRequest? {
    if let sent = underway, now - sent.sentAt >= Self.patience { failed(at: now) }
    guard underway == nil, now >= notBefore else { return nil }
    guard !placeOfSlot.isEmpty || !placeOfWatch.isEmpty else {
      // The leader lets the rest go by itself.
      isSynced = false
      return nil
    }
    let isQuiet = dirtySlots.isEmpty && dirtyWatches.isEmpty && isSynced
    guard !isQuiet || now - lastSentAt >= Self.aliveEvery else { return nil }
    if !isSynced, round == nil {
      round = Round()
      // All of it is told now.
      dirtySlots.removeAll(keepingCapacity: true)
      dirtyWatches.removeAll(keepingCapacity: true)
    }
    let announcement = round != nil ? wholePart() : changes()
    sequence = announcement.sequence
    lastSentAt = now
    notBefore = round != nil ? now : now + Self.folding
    underway?.sentAt = now
    guard let ticket = underway?.ticket else { return nil }
    return PresenceRequest(edge: edge, ticket: ticket, operation: .announce(announcement))
  }

  /// Tickets of announcements, apart from those of connections and of catching up.
  private static let tickets: UInt64 = 1 << 41

  private func ticket(_ sequence: UInt64) -> Ticket { Ticket(Self.tickets | sequence & (Self.tickets - 1)) }

  /// Whether the answer to `ticket` is for an announcer.
  public static func isAnnouncement(_ ticket: Ticket) -> Bool { ticket.value & ~(tickets - 1) == tickets }

  private mutating func changes() -> PresenceAnnouncement {
    var sent = Underway(ticket: ticket(sequence + 1), sequence: sequence + 1, sentAt: .zero)
    var announcement = PresenceAnnouncement(source: source, sequence: sequence + 1)
    var bytes = 0
    var taken = 0
    for place in dirtySlots {
      guard announcement.entries.count < PresenceLimits.messageEntries, bytes < PresenceLimits.messageBytes else { break }
      taken += 1
      guard let slot = slots[place], slot.isDirty else { continue }
      slots[place]!.isDirty = false
      append(slot, to: &announcement, &bytes)
      sent.slots.append(place)
    }
    dirtySlots.removeFirst(taken)
    taken = 0
    for place in dirtyWatches {
      guard taken < PresenceLimits.messageEntries, bytes < PresenceLimits.messageBytes else { break }
      taken += 1
      guard let watch = watches[place], watch.isDirty else { continue }
      watches[place]!.isDirty = false
      if watch.isWanted { announcement.watch.append(watch.topic) } else { announcement.unwatch.append(watch.topic) }
      bytes += watch.topic.bytes.count
      sent.watches.append(place)
    }
    dirtyWatches.removeFirst(taken)
    underway = sent
    return announcement
  }

  /// A part of everything; members that left are not named, and so are gone.
  private mutating func wholePart() -> PresenceAnnouncement {
    guard var round else { preconditionFailure("no whole announcement is under way") }
    var sent = Underway(ticket: ticket(sequence + 1), sequence: sequence + 1, sentAt: .zero, isPartOfWhole: true)
    var announcement = PresenceAnnouncement(source: source, sequence: sequence + 1, begins: !round.hasBegun)
    round.hasBegun = true
    var bytes = 0
    while round.slot < slots.indices.endIndex, announcement.entries.count < PresenceLimits.messageEntries, bytes < PresenceLimits.messageBytes {
      defer { round.slot += 1 }
      guard let slot = slots[round.slot] else { continue }
      slots[round.slot]!.isDirty = false
      guard slot.connections > 0 else {
        freeSlot(round.slot)
        continue
      }
      append(slot, to: &announcement, &bytes)
      sent.slots.append(round.slot)
    }
    while round.slot == slots.indices.endIndex, round.watch < watches.indices.endIndex,
      announcement.watch.count < PresenceLimits.messageEntries, bytes < PresenceLimits.messageBytes
    {
      defer { round.watch += 1 }
      guard let watch = watches[round.watch] else { continue }
      watches[round.watch]!.isDirty = false
      guard watch.isWanted else {
        freeWatch(round.watch)
        continue
      }
      announcement.watch.append(watch.topic)
      bytes += watch.topic.bytes.count
    }
    announcement.completes = round.slot == slots.indices.endIndex && round.watch == watches.indices.endIndex
    sent.completes = announcement.completes
    self.round = round
    underway = sent
    return announcement
  }

  private func append(_ slot: Slot, to announcement: inout PresenceAnnouncement, _ bytes: inout Int) {
    let member = PresenceMember(id: slot.key.id, data: slot.data, since: slot.since, connections: slot.connections)
    announcement.entries.append(PresenceEntry(topic: slot.key.topic, member: member))
    bytes += slot.key.topic.bytes.count + slot.key.id.count + slot.data.count
  }

  // Answers --------------------------------------------------------------------------------------------

  /// Who is known to be in by a receipt, and who was refused.
  public struct Settled: Sendable {
    public var entered: [(topic: Topic, id: Bytes)] = []
    public var denied: [PresenceDenial] = []
  }

  /// The leader's answer to what is under way.
  public mutating func take(_ reply: PresenceReply, at now: Instant) -> Settled {
    var settled = Settled()
    guard let sent = underway, sent.ticket == reply.ticket else { return settled }
    guard case .success(.receipt(let receipt)) = reply.result, receipt.sequence == sent.sequence else {
      failed(at: now)
      return settled
    }
    underway = nil
    if receipt.wantsWhole {
      isSynced = false
      round = nil
      notBefore = now
      return settled
    }
    for denial in receipt.refused {
      guard let place = placeOfSlot[Key(topic: denial.topic, id: denial.id)] else { continue }
      freeSlot(place)
      settled.denied.append(denial)
    }
    for place in sent.slots {
      guard let slot = slots[place] else { continue }
      if slot.connections > 0 { settled.entered.append((slot.key.topic, slot.key.id)) } else if !slot.isDirty { freeSlot(place) }
    }
    for place in sent.watches {
      if let watch = watches[place], !watch.isWanted, !watch.isDirty { freeWatch(place) }
    }
    if sent.isPartOfWhole {
      guard sent.completes else { return settled }
      round = nil
      isSynced = true
      table = receipt.table
      pushes = receipt.pushes
    } else if receipt.table != table || receipt.pushes > pushes {
      // Something that was pushed has not come.
      isSynced = false
    }
    return settled
  }

  private mutating func failed(at now: Instant) {
    underway = nil
    round = nil
    isSynced = false
    notBefore = now + Self.retryAfter
  }

  /// Whether a push follows on what is known; if one is missing, everything is asked for anew.
  public mutating func admits(_ push: PresencePush) -> Bool {
    guard isSynced, push.table == table, push.number > pushes else { return false }
    guard push.number == pushes + 1 else {
      isSynced = false
      return false
    }
    pushes = push.number
    return true
  }
}
