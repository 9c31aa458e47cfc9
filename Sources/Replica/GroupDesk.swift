internal import Core
internal import Feeds

/// The groups whose members the leader knows, and what it is about to give them.
struct GroupDesk {
  struct Entry {
    let group: GroupName
    var dispatch = GroupDispatch()
    /// The group's place is in the state, and the dispatch stands there.
    var hasBegun = false
    /// The read under way, and the round of the dispatch in which it was begun.
    var reading: (number: UInt64, round: Int)?
    /// Read and not given out yet: single records, and how far the page reaches.
    var ahead = FirstInFirstOut<Bytes>()
    var aheadUpTo = Offset.zero
    var aheadRound = 0
    /// To be told with the next push.
    var gap: ReadGap?
    /// Whose acknowledgements are not in the log yet.
    var acknowledging: [CommandAsker] = []
    /// Who has left for good: answered when it is known whether anybody is left.
    var leaving: [CommandAsker] = []

    var isVoid: Bool { !hasBegun && dispatch.holders.isEmpty && dispatch.acknowledged.isEmpty && acknowledging.isEmpty && leaving.isEmpty }
  }

  /// A page read for a group.
  static let pageBytes = 64 << 10
  /// What is scanned and of no use to a quiet group is written down after so many entries, or when retention comes near.
  static let idleEntries: UInt64 = 1024
  /// Stretches in one entry of the log, about: the rest follows with the next tick.
  static let stretchesPerEntry = 16_384

  private(set) var entries: [Entry] = []
  /// For look-up only.
  private var byName: [GroupName: Int] = [:]
  private var lastRead: UInt64 = 0
  private(set) var since = Instant.zero

  var members: Int { entries.reduce(0) { $0 + $1.dispatch.members } }

  mutating func begin(at now: Instant) {
    entries.removeAll()
    byName.removeAll()
    since = now
  }

  mutating func end() -> [Entry] {
    defer { begin(at: since) }
    return entries
  }

  func index(of group: GroupName) -> Int? { byName[group] }

  mutating func entry(_ group: GroupName) -> Int {
    if let index = byName[group] { return index }
    entries.append(Entry(group: group))
    byName[group] = entries.count - 1
    return entries.count - 1
  }

  mutating func remove(_ group: GroupName) {
    guard let index = byName.removeValue(forKey: group) else { return }
    entries.swapAt(index, entries.count - 1)
    entries.removeLast()
    if index < entries.count { byName[entries[index].group] = index }
  }

  subscript(index: Int) -> Entry {
    get { entries[index] }
    _modify { yield &entries[index] }
  }

  mutating func forget(_ edge: EdgeID) {
    for index in entries.indices { entries[index].dispatch.forget(edge) }
  }

  /// Where the next page for a group begins; nil if it needs none now.
  mutating func nextPage(_ index: Int, committed: Offset) -> Scan? {
    let entry = entries[index]
    guard entry.hasBegun, entry.reading == nil, entry.ahead.isEmpty, entry.dispatch.at < committed, entry.dispatch.canGive else { return nil }
    lastRead += 1
    entries[index].reading = (lastRead, entry.dispatch.round)
    let request = ReadRequest(
      edge: EdgeID(0), ticket: Ticket(0), filters: [entry.group.filter], start: .after(entry.dispatch.at), maximumBytes: GroupDesk.pageBytes)
    var scan = Scan(request, at: entry.dispatch.at)
    scan.group = (entry.group, lastRead)
    return scan
  }

  /// Whose read it was; nil if it is of no use any more.
  mutating func stopReading(_ scan: Scan) -> Int? {
    guard let (name, number) = scan.group, let index = byName[name], let reading = entries[index].reading, reading.number == number
    else { return nil }
    entries[index].reading = nil
    return reading.round == entries[index].dispatch.round ? index : nil
  }

  /// A page has come: it is given out with the next pump.
  mutating func take(_ scan: Scan, gap: ReadGap?) {
    guard let index = stopReading(scan) else { return }
    if let skipped = scan.gap, entries[index].dispatch.lose(upTo: skipped.to), let gap { entries[index].tell(gap) }
    entries[index].aheadUpTo = scan.at
    entries[index].aheadRound = entries[index].dispatch.round
    for piece in scan.pieces {
      var start = 0
      piece.withUnsafeBytes { memory in
        for record in RecordSequence(trusting: memory) {
          entries[index].ahead.append(piece.slice(start..<start + record.length))
          start += record.length
        }
      }
    }
    if entries[index].ahead.isEmpty { entries[index].dispatch.reachEnd(scan.at) }
  }
}

extension GroupDesk.Entry {
  fileprivate mutating func tell(_ gap: ReadGap) {
    guard let known = self.gap else { return self.gap = gap }
    let skipped = known.skipped.flatMap { before in gap.skipped.map { before + $0 } }
    self.gap = ReadGap(reason: known.reason, from: known.from, to: gap.to, skipped: skipped)
  }

  /// Gives out what was read, as far as there is room: to whom, and what.
  mutating func giveOut(isDone: (Offset) -> Bool) -> [(edge: EdgeID, pieces: [Bytes])] {
    var given: [(edge: EdgeID, pieces: [Bytes])] = []
    if aheadRound != dispatch.round { ahead = FirstInFirstOut() }
    while let record = ahead.first {
      let offset = record.withUnsafeBytes { RecordView(trusting: $0.baseAddress.unsafelyUnwrapped).offset }
      switch dispatch.meet(offset, bytes: record.count, isDone: isDone(offset)) {
      case .wait: return given
      case .pass: break
      case .give(let edge):
        if let index = given.firstIndex(where: { $0.edge == edge }) {
          given[index].pieces.append(record)
        } else {
          given.append((edge, [record]))
        }
      }
      _ = ahead.removeFirst()
      if ahead.isEmpty { dispatch.reachEnd(aheadUpTo) }
    }
    return given
  }
}
