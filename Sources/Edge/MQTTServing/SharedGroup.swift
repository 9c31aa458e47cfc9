internal import Core
internal import Feeds
internal import Reactor

/// The members of one group at this edge, and what the shards have given it for them.
///
/// ```
///  shards ── push ──▶ queue ── a message, a member, in turns ──▶ clients
///         ◀─ acknowledge ──── the client has it ◀──────────────── │
///         ◀─ release ──────── nobody here is left, or takes anything
/// ```
final class SharedGroup {
  struct Message {
    let lane: Int
    let offset: Offset
    let record: Bytes
  }

  /// The group as one shard knows it.
  struct Lane {
    let shard: ShardID
    /// Drawn anew when the shard has another leader; 0 before the first.
    var opening: UInt64 = 0
    /// The leader has answered, and gives messages out to here.
    var isJoined = false
    /// What the leader was told last.
    var told: (members: Int, credit: Int) = (0, 0)
    /// The leader refused: it is told again with time.
    var isRefused = false
    /// With clients that have not acknowledged them.
    var held: Set<Offset> = []
    /// To be told.
    var acknowledged: [Offset] = []
    var released: [Offset] = []
    /// Questions that are not answered.
    var underway = 0

    var hasToTell: Bool { !acknowledged.isEmpty || !released.isEmpty }
    var isIdle: Bool { told.members == 0 && held.isEmpty && acknowledged.isEmpty && released.isEmpty && underway == 0 }
  }

  let name: GroupName
  var lanes: [Lane]
  /// Everyone in the group, in turns.
  var members: [SlotKey] = []
  var next = 0
  /// Given to this edge, and with nobody.
  var queue: [Message] = []
  /// Of messages that are no longer there: told to the next member.
  var gaps: [(shard: ShardID, gap: ReadGap)] = []
  /// Whether the last one here left by saying so.
  var hasLeftForGood = false
  /// Nobody took anything for a while: others are to have it.
  var isStuck = false
  /// How long there was something that nobody took, in rounds of care.
  var idleRounds = 0
  var isStirred = false

  init(_ name: GroupName, shards: [ShardID]) {
    self.name = name
    lanes = shards.map { Lane(shard: $0) }
  }

  /// What is published from here on is some member's.
  var isLive: Bool { lanes.allSatisfy(\.isJoined) }
  var isOver: Bool { members.isEmpty && queue.isEmpty && lanes.allSatisfy(\.isIdle) }

  func lane(of shard: ShardID) -> Int? { lanes.firstIndex { $0.shard == shard } }

  /// The shard's leader is another: what is with nobody is given out anew by that one.
  func end(_ index: Int, opening: UInt64) {
    lanes[index].opening = opening
    lanes[index].isJoined = false
    lanes[index].told = (0, 0)
    lanes[index].released.removeAll()
    queue.removeAll { $0.lane == index }
  }

  /// A client that had the message is gone, and another may have it.
  func takeBack(_ message: Message) {
    lanes[message.lane].held.remove(message.offset)
    if lanes[message.lane].isJoined, !members.isEmpty {
      queue.insert(message, at: 0)
    } else {
      lanes[message.lane].released.append(message.offset)
    }
  }

  /// Others are to have what nobody here takes.
  func releaseQueue() {
    for message in queue { lanes[message.lane].released.append(message.offset) }
    queue.removeAll()
  }
}

/// All groups that have members at this edge, and what the shards were asked for them.
final class SharedGroups {
  struct Question {
    let group: SharedGroup
    let lane: Int
    let opening: UInt64
    let operation: GroupRequest.Operation
  }

  /// Tickets of these questions, apart from all others.
  static let tickets: UInt64 = 1 << 39
  /// Rounds of care after which what nobody took is given back.
  static let patience = 2

  private(set) var byName: [GroupName: SharedGroup] = [:]
  /// What sessions took along that are being given back.
  var handedOver: [SessionClaim: [MQTTShares.Holding]] = [:]
  private(set) var stirred: [SharedGroup] = []
  private var questions: [UInt64: Question] = [:]
  private var lastTicket: UInt64 = 0

  var isStirred: Bool { !stirred.isEmpty }
  var members: Int { byName.values.reduce(0) { $0 + $1.members.count } }

  func group(_ name: GroupName, among shardCount: Int) -> SharedGroup {
    if let group = byName[name] { return group }
    let group = SharedGroup(name, shards: Fanout.shards(of: [name.filter], among: shardCount))
    byName[name] = group
    return group
  }

  /// Has something to give out, or to tell.
  func stir(_ group: SharedGroup) {
    guard !group.isStirred else { return }
    group.isStirred = true
    stirred.append(group)
  }

  func takeStirred() -> [SharedGroup] {
    defer { stirred.removeAll(keepingCapacity: true) }
    for group in stirred { group.isStirred = false }
    return stirred
  }

  func ask(_ question: Question, from edge: EdgeID) -> GroupRequest {
    lastTicket = (lastTicket + 1) & (Self.tickets - 1)
    let ticket = Self.tickets | lastTicket
    questions[ticket] = question
    question.group.lanes[question.lane].underway += 1
    return GroupRequest(edge: edge, ticket: Ticket(ticket), group: question.group.name, operation: question.operation)
  }

  func answered(_ ticket: Ticket) -> Question? {
    guard let question = questions.removeValue(forKey: ticket.value) else { return nil }
    question.group.lanes[question.lane].underway -= 1
    return question
  }

  func drop(_ group: SharedGroup) { byName[group.name] = nil }
}
