import Core
import Feeds

extension MessageSource {
  mutating func group() -> GroupName { GroupName(name: Bytes(text()), filter: filters(atLeast: 1)[0]) }

  mutating func groupOperations() -> [GroupRequest.Operation] {
    let offsets = (0..<random.below(5)).map { _ in offset() }
    return [
      .join(GroupMembership(opening: random.next(), members: random.below(GroupLimits.members + 1), credit: random.below(GroupLimits.credit + 1), holding: offsets)),
      .join(GroupMembership(opening: 1, members: 1, credit: 0)), .leave(opening: random.next(), forGood: random.below(2) == 0), .acknowledge(offsets),
      .release(opening: random.next(), offsets),
    ]
  }

  mutating func groupReplies() -> [ShardReply] {
    let gap = ReadGap(reason: .expired, from: Offset(2), to: offset(), skipped: random.next())
    let contents: [GroupReply.Content] = [
      .answer(ticket(), nil), .answer(ticket(), .overloaded), .answer(ticket(), .notLeader(node())), .ended(.notLeader(nil)),
      .push(GroupPush(group: group(), opening: random.next(), pieces: [row(2, from: 5), row(1, from: 12)])),
      .push(GroupPush(group: group(), opening: 1, pieces: [], gap: gap)),
    ]
    return contents.map { .group(GroupReply(shard: shard(), $0)) }
  }
}
