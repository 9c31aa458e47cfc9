public import Core
public import Feeds

/// What an edge knows of the topics that somebody there hears of: every topic's members as the leader told them, so that
/// whoever joins is told the state at once, and a new leader's state is told as what differs.
public struct PresenceMirror {
  private struct Seen {
    var member: PresenceMember
    /// The state that named it last.
    var round: UInt32
  }

  private struct Room {
    /// In order of their ids.
    var members: [Seen] = []
    var round: UInt32 = 0
    /// A whole state has come.
    var isKnown = false
    var isCollecting = false
  }

  /// What those who hear of a topic are to be told.
  public struct News: Sendable {
    public var topic: Topic
    public var count: Int
    /// Set when this is the first that is known of it: the state, rather than changes.
    public var isState = false
    public var joined: [PresenceMember] = []
    public var left: [Bytes] = []
  }

  /// For look-up only.
  private var rooms: [Topic: Room] = [:]

  public init() {}

  public var isEmpty: Bool { rooms.isEmpty }

  public mutating func watch(_ topic: Topic) { if rooms[topic] == nil { rooms[topic] = Room() } }

  public mutating func unwatch(_ topic: Topic) { rooms[topic] = nil }

  /// The first members of a topic and how many there are in all; nil while it is not known.
  public func state(of topic: Topic, atMost limit: Int) -> (members: [PresenceMember], count: Int)? {
    guard let room = rooms[topic], room.isKnown else { return nil }
    return (room.members.prefix(limit).map(\.member), room.members.count)
  }

  /// Takes over what the leader pushed, and tells what is new in it.
  public mutating func take(_ push: PresencePush) -> [News] {
    var news: [News] = []
    for change in push.changes {
      guard rooms[change.topic] != nil, let each = take(change) else { continue }
      news.append(each)
    }
    return news
  }

  private mutating func take(_ change: PresenceChange) -> News? {
    var news = News(topic: change.topic, count: 0)
    if change.begins {
      rooms[change.topic]!.round &+= 1
      rooms[change.topic]!.isCollecting = true
    }
    // Changes of what is not known yet stand in the state that is to come.
    guard rooms[change.topic]!.isKnown || rooms[change.topic]!.isCollecting else { return nil }
    for member in change.came {
      if put(member, change.topic) { news.joined.append(member) }
    }
    for id in change.left {
      let place = self.place(of: id, change.topic)
      guard place < rooms[change.topic]!.members.count, rooms[change.topic]!.members[place].member.id == id else { continue }
      rooms[change.topic]!.members.remove(at: place)
      news.left.append(id)
    }
    if change.completes, rooms[change.topic]!.isCollecting {
      rooms[change.topic]!.isCollecting = false
      if !change.isPartial {
        let round = rooms[change.topic]!.round
        for seen in rooms[change.topic]!.members where seen.round != round { news.left.append(seen.member.id) }
        if !news.left.isEmpty { rooms[change.topic]!.members.removeAll { $0.round != round } }
      }
      if !rooms[change.topic]!.isKnown {
        rooms[change.topic]!.isKnown = true
        return News(topic: change.topic, count: rooms[change.topic]!.members.count, isState: true)
      }
    }
    guard rooms[change.topic]!.isKnown, !news.joined.isEmpty || !news.left.isEmpty else { return nil }
    news.count = rooms[change.topic]!.members.count
    return news
  }

  /// True if those who hear of the topic should be told.
  private mutating func put(_ member: PresenceMember, _ topic: Topic) -> Bool {
    let place = self.place(of: member.id, topic)
    let round = rooms[topic]!.round
    guard place < rooms[topic]!.members.count, rooms[topic]!.members[place].member.id == member.id else {
      rooms[topic]!.members.insert(Seen(member: member, round: round), at: place)
      return true
    }
    let isNews = rooms[topic]!.members[place].member.data != member.data
    rooms[topic]!.members[place] = Seen(member: member, round: round)
    return isNews
  }

  private func place(of id: Bytes, _ topic: Topic) -> Int {
    rooms[topic]!.members.firstNotBelow { $0.member.id.precedes(id) }
  }
}
