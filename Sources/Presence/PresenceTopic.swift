internal import Core
internal import Feeds

/// One topic of a table: who is there, by which edges, and which edges want to hear of it.
struct PresenceTopic {
  struct Member {
    let id: Bytes
    var data: Bytes
    var since: WallTime
    var holds: [Hold]

    var shown: PresenceMember {
      PresenceMember(id: id, data: data, since: since, connections: holds.reduce(0) { $0 + $1.connections })
    }

    var cost: Int { id.count + data.count }
  }

  /// What one edge has said of a member.
  struct Hold {
    let source: Int
    var connections: Int
    var data: Bytes
    /// Of the source's whole announcements, the last one that named it.
    var round: UInt32
  }

  let name: Topic
  /// In order of their ids.
  var members: [Member] = []
  var watchers: [Int] = []
  /// Names that came, went or changed since watchers were told.
  var changed: [Bytes] = []

  init(name: Topic) { self.name = name }

  var isIdle: Bool { members.isEmpty && watchers.isEmpty && changed.isEmpty }

  func place(of id: Bytes) -> Int { members.firstNotBelow { $0.id.precedes(id) } }

  func find(_ id: Bytes) -> Int? {
    let place = place(of: id)
    return place < members.count && members[place].id == id ? place : nil
  }

  /// Who is there, in parts of a bounded size.
  func state(isPartial: Bool) -> [PresenceChange] {
    var parts = [PresenceChange(topic: name, begins: true, isPartial: isPartial)]
    var bytes = 0
    for member in members {
      if parts[parts.count - 1].came.count == PresenceLimits.messageEntries || bytes > PresenceLimits.messageBytes {
        parts.append(PresenceChange(topic: name, isPartial: isPartial))
        bytes = 0
      }
      parts[parts.count - 1].came.append(member.shown)
      bytes += member.cost
    }
    parts[parts.count - 1].completes = true
    return parts
  }

  /// What changed since this was last asked, in parts; of a table that does not know everybody yet, only who came.
  mutating func takeChanges(isPartial: Bool) -> [PresenceChange] {
    let ids = changed.sorted { $0.precedes($1) }
    changed.removeAll()
    var parts: [PresenceChange] = []
    var change = PresenceChange(topic: name)
    var bytes = 0
    var previous: Bytes?
    for id in ids where id != previous {
      previous = id
      if let place = find(id) {
        change.came.append(members[place].shown)
        bytes += members[place].cost
      } else if !isPartial {
        change.left.append(id)
        bytes += id.count
      }
      if change.came.count + change.left.count == PresenceLimits.messageEntries || bytes > PresenceLimits.messageBytes {
        parts.append(change)
        change = PresenceChange(topic: name)
        bytes = 0
      }
    }
    if !change.came.isEmpty || !change.left.isEmpty { parts.append(change) }
    return parts
  }
}
