import Core
import Journal
import Synchronization

@testable import Disks

/// Journals that live on a platter, from one power cut to the next, and what they may find there.
final class GroupLogLives {
  /// Kinds of work that are left out.
  struct Work {
    var remakes = true
    var lonely = true
  }

  static let logName = "group-0.log"
  /// So small that the log is full every few rounds.
  static let settings = GroupLogSettings(
    length: GroupLogFormat.roundsBegin + (12 << 10), mostRoundBytes: 3 << 10, checkpointAfter: .milliseconds(400))
  static let shards = [ShardID(0), ShardID(3), ShardID(7)]
  static let segments = [JournalFileName.segment(Offset(1)), .segment(Offset(50))]
  static let files = segments + [.mark]
  private static let longestFile = 6 << 10

  let platter: Platter
  var work = Work()
  private(set) var rounds = 0
  private var random: SeededGenerator
  private var models: [Platter.Place: FileModel] = [:]
  private var ends: [Platter.Place: Int] = [:]
  private var stamp: UInt64 = 0

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    platter = Platter(seed: seed ^ 0x5eed)
    look()
  }

  /// Takes what is on the platter as what was always there.
  private func look() {
    for shard in Self.shards {
      for file in Self.files {
        let place = Platter.Place.journal(shard, file)
        models[place] = FileModel(platter.contents(place))
        // A cut between the two halves of a remake has taken the file away; a journal makes it anew at opening.
        if models[place]?.settled == nil {
          try? platter.perform(.create(file, reserve: 1024), of: shard)
          models[place] = FileModel(platter.contents(place))
        }
        ends[place] = min(platter.contents(place)?.count ?? 0, Self.longestFile)
      }
    }
  }

  /// Writes for so many rounds, or until the power goes. An orderly end leaves nothing in a log.
  func write(rounds count: Int, endsOrderly: Bool = false) {
    var commits = GroupCommit(
      durability: .fsync, files: platter, logName: Self.logName, epoch: random.next() >> 1, settings: Self.settings)
    let answers = Mutex<[JournalAnswers]>([])
    let listener = JournalListener { round in answers.withLock { $0 += round } }
    for (number, shard) in Self.shards.enumerated() {
      let disk = Platter.ShardDisk(platter: platter, shard: shard)
      commits.attach(ShardWriter(disk: disk, shard: shard, key: JournalKey(group: 0, journal: number), listener: listener))
    }
    var now = Instant.zero
    var ticket = JournalTicket(0)
    for _ in 0..<count where !platter.isOff {
      for number in Self.shards.indices where !work.lonely || random.below(3) > 0 {
        let batches = (0...random.below(3)).map { _ in
          ticket.value += 1
          return batch(ticket, of: Self.shards[number])
        }
        commits.carryOut(batches, for: JournalKey(group: 0, journal: number))
      }
      commits.finishRound(at: now)
      now = now + .milliseconds(random.below(300))
      for round in answers.withLock({ $0 }) { settle(round.answers, of: Self.shards[round.journal]) }
      answers.withLock { $0 = [] }
      if commits.idleAfter != nil, random.below(8) == 0 { commits.idle() }
      rounds += 1
    }
    if endsOrderly { commits.stop() }
  }

  private func settle(_ answers: [DiskAnswer], of shard: ShardID) {
    for answer in answers where answer.error == nil {
      for file in Self.files { models[.journal(shard, file)]?.settle(upTo: answer.ticket) }
    }
  }

  private func batch(_ ticket: JournalTicket, of shard: ShardID) -> DiskBatch {
    let operations = work.remakes && random.below(12) == 0 ? remake(in: shard) : append(to: shard)
    for operation in operations { models[.journal(shard, operation.file)]?.add(operation, ticket) }
    return DiskBatch(ticket: ticket, operations: operations)
  }

  /// A write that overlaps the end of the one before, as a footer's does.
  private func append(to shard: ShardID) -> [DiskOperation] {
    if random.below(8) == 0 { return [.write(.mark, at: random.below(2) * 512, fresh(64)), .sync(.mark)] }
    let file = Self.segments[random.below(Self.segments.count)]
    let place = Platter.Place.journal(shard, file)
    if random.below(8) == 0 { return [.sync(file)] }
    let end = ends[place] ?? 0
    let length = work.remakes && random.below(40) == 0 ? 4 << 10 : 33 + random.below(500)
    // A segment that is long enough is written over from its beginning: no journal does, and it is harder.
    let position = end + length > Self.longestFile ? 0 : max(0, end - 32)
    ends[place] = position + length
    var operations: [DiskOperation] = [.write(file, at: position, fresh(length))]
    if random.below(6) == 0 { operations.insert(.reserve(file, upTo: position + 2 * length), at: 0) }
    if random.below(10) > 0 || !work.remakes { operations.append(.sync(file)) }
    return operations
  }

  private func remake(in shard: ShardID) -> [DiskOperation] {
    let file = Self.segments[random.below(Self.segments.count)]
    let place = Platter.Place.journal(shard, file)
    switch random.below(3) {
    case 0: return [.replace(.mark, header: fresh(512), body: fresh(512))]
    case 1:
      let end = random.below((ends[place] ?? 0) + 1)
      ends[place] = end
      return [.truncate(file, to: end), .write(.mark, at: 0, fresh(64)), .sync(.mark)]
    default:
      let bytes = fresh(200)
      ends[place] = bytes.count
      return [.delete(file), .create(file, reserve: 1024), .write(file, at: 0, bytes), .sync(file)]
    }
  }

  /// Bytes that were never there before, as good as.
  private func fresh(_ count: Int) -> Bytes {
    stamp += 1
    var generator = SeededGenerator(seed: stamp)
    let letters = (0..<(count + 7) / 8).flatMap { _ in withUnsafeBytes(of: generator.next()) { [UInt8]($0) } }
    return Bytes(Array(letters.prefix(count)))
  }

  /// A write of somebody who does not know of the log, answered as durable.
  func writePastTheLog() {
    let place = Platter.Place.journal(Self.shards[0], Self.segments[0])
    guard !platter.isOff, let bytes = platter.contents(place), !bytes.isEmpty else { return }
    stamp += 1
    let operation = DiskOperation.write(Self.segments[0], at: 0, fresh(bytes.count))
    do throws(DiskError) {
      try platter.perform(operation, of: Self.shards[0])
      try platter.perform(.sync(Self.segments[0]), of: Self.shards[0])
    } catch { return }
    models[place]?.add(operation, JournalTicket(.max))
    models[place]?.add(.sync(Self.segments[0]), JournalTicket(.max))
    models[place]?.settle(upTo: JournalTicket(.max))
  }

  /// The power comes back, goes again during the replay as often as chance will have it, and comes back. What is wrong
  /// then, if anything; what is there is what the next life begins with.
  func recover() -> String? {
    platter.cut()
    for _ in 0..<random.below(3) {
      platter.cutAt = 1 + random.below(30)
      if let complaint = replay() { return complaint }
      platter.cut()
    }
    if let complaint = replay() { return complaint }
    for (place, model) in models.sorted(by: { "\($0.key)" < "\($1.key)" }) where !model.allows(platter.contents(place)) {
      return "\(place) does not hold what it must: \(model.describe(platter.contents(place)))"
    }
    look()
    return nil
  }

  private func replay() -> String? {
    do throws(GroupLogError) {
      _ = try GroupLogReplay.run(platter)
    } catch {
      return platter.isOff ? nil : "the replay fails: \(error)"
    }
    return nil
  }
}
