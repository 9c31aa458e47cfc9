public import Core

/// What this node believes of another.
public struct Member: Hashable, Sendable {
  public let id: NodeID
  public internal(set) var standing: Standing
  /// Counted up by the member alone, whenever it says something new of itself.
  public internal(set) var incarnation: UInt64
  public internal(set) var address: GossipAddress
  public internal(set) var profile: MemberProfile
  /// When its standing last changed here.
  public internal(set) var changedAt: Instant
}

/// A member with what only the gossip needs to know of it.
struct MemberEntry: Sendable {
  var member: Member
  /// The profile as it came, to be passed on untouched.
  var profile: Bytes
  var suspicion: Suspicion?
}

/// Everyone else this node knows, in an order that is the same for the same history.
struct MemberTable: Sendable {
  private(set) var entries: [MemberEntry] = []
  /// For look-up alone: its order differs from process to process.
  private var places: [NodeID: Int] = [:]
  private(set) var liveCount = 0
  private(set) var suspectCount = 0

  var count: Int { entries.count }

  func index(of id: NodeID) -> Int? { places[id] }

  subscript(index: Int) -> MemberEntry { entries[index] }

  subscript(id: NodeID) -> MemberEntry? { places[id].map { entries[$0] } }

  mutating func add(_ entry: MemberEntry) {
    precondition(places[entry.member.id] == nil, "a member is known once")
    places[entry.member.id] = entries.count
    entries.append(entry)
    count(entry, by: 1)
  }

  /// Changes one entry; its identity stays.
  mutating func change(_ index: Int, _ body: (inout MemberEntry) -> Void) {
    count(entries[index], by: -1)
    body(&entries[index])
    count(entries[index], by: 1)
  }

  /// Forgets an entry; the last one takes its place.
  mutating func remove(at index: Int) {
    count(entries[index], by: -1)
    places[entries[index].member.id] = nil
    entries.swapAt(index, entries.count - 1)
    entries.removeLast()
    if index < entries.count { places[entries[index].member.id] = index }
  }

  private mutating func count(_ entry: MemberEntry, by amount: Int) {
    if entry.member.standing.isLive { liveCount += amount }
    if entry.member.standing == .suspect { suspectCount += amount }
  }
}
