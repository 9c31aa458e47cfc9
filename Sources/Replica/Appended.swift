internal import Core
internal import Feeds
internal import Shard

/// What one append put into the log, kept until it is committed: only then may anybody learn of it.
struct Appended {
  enum Waiting {
    /// The publisher's answers, as they will be once this is committed.
    case results(EdgeID, [PublishResult])
    /// Per command of the entry, who asked for it.
    case commands([[CommandAsker]])
    /// Nobody here: it came from the leader, or is consensus's own.
    case nobody
    /// Who asked for a consumer while commands that may change it were under way: what they wrote is seen.
    case lookUp(ConsumerLookUp)
  }

  /// The first entry of it.
  var first: Offset
  /// The newest offset that must be committed first. An append of nothing stands for answers that depend on what
  /// was appended before them, such as a duplicate of a message that is not committed yet.
  var last: Offset
  var bytes: Bytes
  /// The memory it holds.
  var cost: Int
  var waiting: Waiting
}

struct ConsumerLookUp {
  var name: String
  var asker: CommandAsker
}

/// Who waits for a command, and what kind of answer.
struct CommandAsker {
  enum Kind {
    case consumer
    case session
    case group
    /// Of that group: it has a place once this is committed.
    case join(GroupName)
  }

  var edge: EdgeID
  var ticket: Ticket
  var kind = Kind.consumer
}
