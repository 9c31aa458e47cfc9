internal import Core
public import Feeds

extension PresenceTable {
  /// Who is there. Numbers are kept as members come and go: a topic costs the same however many are on it.
  public func answer(_ question: PresenceQuestion) -> PresenceList {
    var found: [Int] = []
    for filter in question.filters where !filter.hasWildcard {
      if let place = place(of: Topic(trusting: filter.bytes)), topics[place]!.members.count > 0 { found.append(place) }
    }
    let wild = question.filters.filter(\.hasWildcard)
    if !wild.isEmpty {
      for place in topics.indices {
        guard let topic = topics[place], !topic.members.isEmpty else { continue }
        if topic.name.bytes.withUnsafeBytes({ name in wild.contains { $0.matches(name) } }) { found.append(place) }
      }
    }
    found.sort { topics[$0]!.name.bytes.precedes(topics[$1]!.name.bytes) }
    var list = PresenceList(topics: [], count: 0, isPartial: !isSettled)
    let most = question.wantsCountOnly ? min(question.limit, PresenceLimits.listedTopics) : PresenceLimits.listedTopics
    var room = min(question.limit, PresenceLimits.listed)
    var previous = -1
    for place in found where place != previous {
      previous = place
      let topic = topics[place]!
      list.count += topic.members.count
      guard list.topics.count < most else {
        list.isTruncated = true
        continue
      }
      var entry = PresenceList.Entry(topic: topic.name, count: topic.members.count)
      if !question.wantsCountOnly {
        let start = question.after.map { after in topic.members.firstNotBelow { !after.precedes($0.id) } } ?? 0
        let end = min(topic.members.count, start + room)
        entry.members = topic.members[start..<end].map(\.shown)
        room -= end - start
        if end < topic.members.count { list.isTruncated = true }
      }
      list.topics.append(entry)
    }
    return list
  }
}
