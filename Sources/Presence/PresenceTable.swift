public import Core
public import Feeds

/// Who is present on the topics of one shard, as its leader knows from what edges announce. Memory alone: a new leader has
/// an empty one, and is told everything anew.
///
/// ```
///  edge ─ announce ─▶ ┌───────────────────────────┐ ─ receipt ─▶ edge
///                     │ topic ─▶ member ─▶ holds  │
///  edge ─ ask ──────▶ │           source ─▶ lease │ ─ list ────▶ edge
///                     └───────────────────────────┘ ─ pushes ──▶ edges that watch
/// ```
///
/// - An announcement is taken once and in its order: each source numbers its own, and says what it goes on from. One that
///   does not follow on what is here is answered with the wish for a whole one.
/// - A member is there while any source holds it. A source that is gone holds its members for a grace; one that comes back
///   within it has lost nothing, and nobody hears of it.
/// - Until a table has settled nobody is told that somebody left: whoever is missing may not have been announced yet.
///
/// Lives with its shard's replica, on that one's reactor.
public struct PresenceTable {
  struct Source {
    let number: UInt64
    var edge: EdgeID
    var sequence: UInt64
    var heardAt: Instant
    /// Set while nobody can be heard there.
    var goneAt: Instant?
    var round: UInt32 = 0
    var holds = 0
    /// Of these, those named since the whole announcement under way began.
    var roundHolds = 0
    var watched: [Int] = []
    var pushes: UInt64 = 0
    /// What the last announcement was answered with, for the case that it is asked again.
    var receipt: PresenceReceipt
  }

  let shard: ShardID
  let settings: PresenceSettings
  /// A later table of the shard has a higher number; 0: there is none.
  public private(set) var number: UInt64 = 0
  public private(set) var isSettled = false
  private var settlesAt = Instant.zero
  var topics = PlaceList<PresenceTopic>()
  /// For look-up only.
  private var placeOfTopic: [Topic: Int] = [:]
  var sources = PlaceList<Source>()
  private var placeOfSource: [UInt64: Int] = [:]
  /// Topics whose watchers have something to be told.
  private var dirty: [Int] = []
  /// A member of two topics counts twice.
  public private(set) var memberCount = 0
  public private(set) var byteCount = 0
  public private(set) var denied: UInt64 = 0

  public init(shard: ShardID, settings: PresenceSettings = PresenceSettings()) {
    self.shard = shard
    self.settings = settings
  }

  public var sourceCount: Int { placeOfSource.count }

  /// The shard's leader begins to serve: nothing is known yet.
  public mutating func begin(_ number: UInt64, at now: Instant) {
    self = PresenceTable(shard: shard, settings: settings)
    self.number = number
    settlesAt = now + settings.settling
    isSettled = settings.settling == .zero
  }

  /// The replica leads no more.
  public mutating func end() { self = PresenceTable(shard: shard, settings: settings) }

  // Announcements --------------------------------------------------------------------------------------

  /// An edge says who is connected to it. What it is owed for it comes out of the next `takePushes`, behind the receipt.
  public mutating func announce(_ announcement: PresenceAnnouncement, from edge: EdgeID, at now: Instant) -> PresenceReceipt {
    let sequence = announcement.sequence
    guard let place = placeOfSource[announcement.source] ?? (announcement.begins ? makeSource(announcement, edge, now) : nil) else {
      return PresenceReceipt(table: number, sequence: sequence, pushes: 0, wantsWhole: true)
    }
    sources[place]!.edge = edge
    sources[place]!.heardAt = now
    sources[place]!.goneAt = nil
    let last = sources[place]!.sequence
    if sequence == last { return sources[place]!.receipt }
    // An older one that took longer: nobody waits for its answer.
    if sequence < last { return PresenceReceipt(table: number, sequence: sequence, pushes: 0) }
    // One after the other is of this very table: another leader's begins without any.
    guard announcement.begins || sequence == last + 1 else {
      return PresenceReceipt(table: number, sequence: sequence, pushes: 0, wantsWhole: true)
    }
    sources[place]!.sequence = sequence
    if announcement.begins { beginRound(place) }
    var refused: [PresenceDenial] = []
    for entry in announcement.entries {
      if let denial = apply(entry, place) { refused.append(denial) }
    }
    denied += UInt64(refused.count)
    for topic in announcement.unwatch { unwatch(topic, place) }
    var states: [Int] = []
    for topic in announcement.watch { states.append(watch(topic, place)) }
    if announcement.completes {
      sweep(place)
      states = sources[place]!.watched
    }
    let receipt = PresenceReceipt(table: number, sequence: sequence, pushes: sources[place]!.pushes, refused: refused)
    sources[place]!.receipt = receipt
    for topic in states { owed.append((place, topic)) }
    return receipt
  }

  /// States that sources are to be sent: source, topic.
  private var owed: [(Int, Int)] = []

  private mutating func makeSource(_ announcement: PresenceAnnouncement, _ edge: EdgeID, _ now: Instant) -> Int {
    let receipt = PresenceReceipt(table: number, sequence: 0, pushes: 0)
    let source = Source(number: announcement.source, edge: edge, sequence: announcement.sequence - 1, heardAt: now, receipt: receipt)
    let place = sources.insert(source)
    placeOfSource[announcement.source] = place
    return place
  }

  private mutating func beginRound(_ place: Int) {
    sources[place]!.round &+= 1
    sources[place]!.roundHolds = 0
    let watched = sources[place]!.watched
    sources[place]!.watched = []
    for topic in watched {
      topics[topic]!.watchers.removeAll { $0 == place }
      freeIfIdle(topic)
    }
  }

  private mutating func apply(_ entry: PresenceEntry, _ source: Int) -> PresenceDenial? {
    let id = entry.member.id
    guard entry.member.connections > 0 else {
      if let topic = placeOfTopic[entry.topic], let place = topics[topic]!.find(id) { release(place, of: topic, by: source) }
      return nil
    }
    let known = placeOfTopic[entry.topic].flatMap { topic in topics[topic]!.find(id).map { (topic, $0) } }
    if let (topic, place) = known {
      hold(place, of: topic, entry.member, source)
      return nil
    }
    let size = id.count + entry.member.data.count
    if memberCount >= settings.shardMembers || byteCount + size > settings.shardBytes {
      return PresenceDenial(topic: entry.topic, id: id, reason: .shardFull)
    }
    if let topic = placeOfTopic[entry.topic], topics[topic]!.members.count >= settings.topicMembers {
      return PresenceDenial(topic: entry.topic, id: id, reason: .topicFull)
    }
    let topic = makeTopic(entry.topic)
    let place = topics[topic]!.place(of: id)
    let round = sources[source]!.round
    let hold = PresenceTopic.Hold(source: source, connections: entry.member.connections, data: entry.member.data, round: round)
    topics[topic]!.members.insert(
      PresenceTopic.Member(id: id, data: entry.member.data, since: entry.member.since, holds: [hold]), at: place)
    sources[source]!.holds += 1
    sources[source]!.roundHolds += 1
    memberCount += 1
    byteCount += size
    mark(topic, id)
    return nil
  }

  private mutating func hold(_ place: Int, of topic: Int, _ member: PresenceMember, _ source: Int) {
    let round = sources[source]!.round
    var saysOther = true
    if let index = topics[topic]!.members[place].holds.firstIndex(where: { $0.source == source }) {
      let before = topics[topic]!.members[place].holds[index]
      // To be told the same once more changes nothing, though another edge may have said something else since.
      saysOther = before.data != member.data
      if before.round != round { sources[source]!.roundHolds += 1 }
      topics[topic]!.members[place].holds[index].connections = member.connections
      topics[topic]!.members[place].holds[index].data = member.data
      topics[topic]!.members[place].holds[index].round = round
    } else {
      topics[topic]!.members[place].holds.append(
        PresenceTopic.Hold(source: source, connections: member.connections, data: member.data, round: round))
      sources[source]!.holds += 1
      sources[source]!.roundHolds += 1
    }
    if member.since < topics[topic]!.members[place].since { topics[topic]!.members[place].since = member.since }
    if saysOther, topics[topic]!.members[place].data != member.data {
      byteCount += member.data.count - topics[topic]!.members[place].data.count
      topics[topic]!.members[place].data = member.data
      mark(topic, member.id)
    }
  }

  private mutating func release(_ place: Int, of topic: Int, by source: Int) {
    guard let index = topics[topic]!.members[place].holds.firstIndex(where: { $0.source == source }) else { return }
    let hold = topics[topic]!.members[place].holds.remove(at: index)
    sources[source]!.holds -= 1
    if hold.round == sources[source]!.round { sources[source]!.roundHolds -= 1 }
    guard topics[topic]!.members[place].holds.isEmpty else { return }
    let member = topics[topic]!.members.remove(at: place)
    memberCount -= 1
    byteCount -= member.cost
    mark(topic, member.id)
    freeIfIdle(topic)
  }

  /// A whole announcement has ended: what it did not name is not there any more.
  private mutating func sweep(_ source: Int) {
    guard sources[source]!.holds > sources[source]!.roundHolds else { return }
    let round = sources[source]!.round
    releaseAll(of: source) { $0.round != round }
  }

  private mutating func releaseAll(of source: Int, where isOver: (PresenceTopic.Hold) -> Bool) {
    for topic in topics.indices {
      guard var place = topics[topic]?.members.count else { continue }
      while place > 0 {
        place -= 1
        if topics[topic]!.members[place].holds.contains(where: { $0.source == source && isOver($0) }) {
          release(place, of: topic, by: source)
          if topics[topic] == nil { break }
        }
      }
    }
  }

  // Watching -------------------------------------------------------------------------------------------

  /// Who asks to watch is owed the state, even if it did watch: it may have stopped and begun between two announcements.
  private mutating func watch(_ name: Topic, _ source: Int) -> Int {
    let topic = makeTopic(name)
    guard !topics[topic]!.watchers.contains(source) else { return topic }
    topics[topic]!.watchers.append(source)
    sources[source]!.watched.append(topic)
    return topic
  }

  private mutating func unwatch(_ name: Topic, _ source: Int) {
    guard let topic = placeOfTopic[name] else { return }
    topics[topic]!.watchers.removeAll { $0 == source }
    sources[source]!.watched.removeAll { $0 == topic }
    freeIfIdle(topic)
  }

  private mutating func mark(_ topic: Int, _ id: Bytes) {
    guard !topics[topic]!.watchers.isEmpty else { return }
    if topics[topic]!.changed.isEmpty { dirty.append(topic) }
    topics[topic]!.changed.append(id)
  }

  private mutating func makeTopic(_ name: Topic) -> Int {
    if let place = placeOfTopic[name] { return place }
    let place = topics.insert(PresenceTopic(name: name))
    placeOfTopic[name] = place
    return place
  }

  private mutating func freeIfIdle(_ topic: Int) {
    guard let state = topics[topic], state.isIdle else { return }
    placeOfTopic[state.name] = nil
    topics.remove(at: topic)
  }

  // Ends and time --------------------------------------------------------------------------------------

  /// The way to an edge is closed: it has a grace to come back by another.
  public mutating func forget(_ edge: EdgeID, at now: Instant) {
    for place in sources.indices where sources[place]?.edge == edge && sources[place]?.goneAt == nil {
      sources[place]!.goneAt = now + settings.grace
    }
  }

  /// Time passed: every 50 to 100 ms.
  public mutating func tick(at now: Instant) {
    guard number > 0 else { return }
    for place in sources.indices {
      guard let source = sources[place] else { continue }
      if now - source.heardAt >= settings.silence || source.goneAt.map({ now >= $0 }) ?? false { removeSource(place) }
    }
    if !isSettled, now >= settlesAt {
      isSettled = true
      for place in sources.indices { for topic in sources[place]?.watched ?? [] { owed.append((place, topic)) } }
    }
  }

  private mutating func removeSource(_ place: Int) {
    guard let source = sources[place] else { return }
    if source.holds > 0 { releaseAll(of: place) { _ in true } }
    for topic in source.watched {
      topics[topic]!.watchers.removeAll { $0 == place }
      freeIfIdle(topic)
    }
    owed.removeAll { $0.0 == place }
    placeOfSource[source.number] = nil
    sources.remove(at: place)
  }

  // Pushes ---------------------------------------------------------------------------------------------

  /// Whether `takePushes` has states for those who asked; changes wait for the tick.
  public var owesStates: Bool { !owed.isEmpty }

  /// States that are owed and, with `changes`, what came and went since.
  public mutating func takePushes(changes: Bool) -> [PresenceDelivery] {
    var parcels = PresenceParcels(shard: shard, table: number)
    for (source, topic) in owed {
      guard let state = topics[topic], state.watchers.contains(source) else { continue }
      for change in state.state(isPartial: !isSettled) { parcels.add(change, to: source) }
    }
    owed.removeAll(keepingCapacity: true)
    if changes {
      for topic in dirty {
        guard topics[topic]?.changed.isEmpty == false else { continue }
        let parts = topics[topic]!.takeChanges(isPartial: !isSettled)
        for watcher in topics[topic]!.watchers { for part in parts { parcels.add(part, to: watcher) } }
        freeIfIdle(topic)
      }
      dirty.removeAll(keepingCapacity: true)
    }
    return parcels.take { source in
      sources[source]!.pushes += 1
      return (sources[source]!.edge, sources[source]!.pushes)
    }
  }

  // Questions ------------------------------------------------------------------------------------------

  /// Where a topic stands in `topics`.
  func place(of topic: Topic) -> Int? { placeOfTopic[topic] }
}
