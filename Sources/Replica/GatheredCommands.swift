internal import Core
internal import Feeds
internal import Shard

/// Commands that arrived in this turn, to become one entry. Acknowledgements of one consumer fold into one: many
/// readers that acknowledge as they go cost one small entry.
struct GatheredCommands {
  private(set) var commands: [ShardCommand] = []
  /// Asked for behind these commands, and answered behind them.
  var lookUps: [ConsumerLookUp] = []
  private var askers: [[CommandAsker]] = []
  /// Where a consumer's acknowledgement stands that later ones may be folded into. For look-up only.
  private var foldable: [String: Int] = [:]

  var isEmpty: Bool { commands.isEmpty }
  var isFull: Bool { commands.count == ShardCommand.maximumPerEntry || byteCount >= GatheredCommands.maximumBytes }
  /// Of what sessions keep, which may be large: past it they become an entry.
  private var byteCount = 0
  static let maximumBytes = 1 << 20

  mutating func add(_ command: ShardCommand, _ asker: CommandAsker?) {
    if case .session(let change) = command { byteCount += change.byteCount }
    commands.append(command)
    askers.append(asker.map { [$0] } ?? [])
    switch command {
    case .openConsumer(let name, _, _), .deleteConsumer(let name): foldable[name] = nil
    case .acknowledge(let name, _, _): foldable[name] = commands.count - 1
    case .forgetTopics, .session, .openGroup, .acknowledgeGroup, .closeGroup: break
    }
  }

  mutating func add(_ command: ShardCommand, askedBy those: [CommandAsker]) {
    add(command, nil)
    askers[askers.count - 1] = those
  }

  /// True when the acknowledgement went into one that was there already.
  mutating func fold(_ name: String, _ cursor: Cursor, reset: Bool, _ asker: CommandAsker) -> Bool {
    guard !reset, let index = foldable[name], case .acknowledge(_, let known, let wasReset) = commands[index],
      known.cluster == cursor.cluster
    else { return false }
    var folded = known
    for position in cursor.positions { folded.fold(position) }
    commands[index] = .acknowledge(name: name, cursor: folded, reset: wasReset)
    askers[index].append(asker)
    return true
  }

  mutating func take() -> (commands: [ShardCommand], askers: [[CommandAsker]], lookUps: [ConsumerLookUp]) {
    defer { self = GatheredCommands() }
    return (commands, askers, lookUps)
  }
}
