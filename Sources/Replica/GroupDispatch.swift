internal import Core
internal import Feeds
internal import Shard

/// Who has which message of one group, as the leader alone knows, in memory.
///
/// ```
///   cursor ········ at ········ scanned ········ committed
///          done, out at an edge,       │ not looked at yet
///          or to be given out again    │
/// ```
///
/// What lies between the group's cursor and `scanned` and is not in `pending` is done. Messages are given out in the order of the
/// log; when some come back, `at` goes back to the first of them, and what lies between is passed over.
struct GroupDispatch {
  /// An edge, and what is out there.
  struct Holder {
    let edge: EdgeID
    var opening: UInt64
    var members: Int
    var credit: Int
    var count = 0
    var bytes = 0
    /// Who has waited longest for its members' share has the most.
    var turn = 0

    var hasRoom: Bool { members > 0 && count < credit && bytes < GroupLimits.creditBytes }
  }

  struct Pending {
    let offset: Offset
    var bytes: Int
    /// Nil: to be given out again.
    var holder: EdgeID?
  }

  /// What is to become of a message that a scan came by.
  enum Verdict: Equatable {
    case give(EdgeID)
    /// Done, or with somebody.
    case pass
    /// Nobody can have it now.
    case wait
  }

  private(set) var holders: [Holder] = []
  /// In the order of the log.
  private(set) var pending: [Pending] = []
  private(set) var scanned: Offset
  /// Everything up to here is done or given out: where the next scan begins.
  private(set) var at: Offset
  /// Acknowledged and not in the log, in no order.
  private(set) var acknowledged: [Offset] = []
  /// Of those, and of those in the log, what lies behind `scanned`.
  private var doneAhead: Set<Offset> = []
  /// Grows whenever a scan under way has become useless.
  private(set) var round = 0

  /// For a leader that knows of no edge yet.
  init(after cursor: Offset = .zero) {
    scanned = cursor
    at = cursor
  }

  var members: Int { holders.reduce(0) { $0 + $1.members } }
  var canGive: Bool { holders.contains(where: \.hasRoom) && (at < scanned || pending.count < GroupLimits.pending) }

  func opening(of edge: EdgeID) -> UInt64? { holders.first { $0.edge == edge }?.opening }

  // Who is there ---------------------------------------------------------------------------------------

  /// The group's place is known: what edges hold behind it was out before this leader led.
  mutating func begin(after cursor: Offset) {
    scanned = max(scanned, cursor)
    at = scanned
    pending.removeAll { $0.offset <= cursor }
    for index in holders.indices { recount(index) }
    doneAhead = doneAhead.filter { $0 > cursor }
    round += 1
  }

  /// With an opening that is not known the edge begins anew: what it does not say it holds comes back.
  mutating func join(_ edge: EdgeID, _ membership: GroupMembership) {
    let credit = min(max(0, membership.credit), GroupLimits.credit)
    if let index = index(of: edge), holders[index].opening == membership.opening {
      holders[index].members = membership.members
      holders[index].credit = credit
      return
    }
    var holder = Holder(edge: edge, opening: membership.opening, members: membership.members, credit: credit)
    if let index = index(of: edge) {
      holder.turn = holders[index].turn
      holders.remove(at: index)
    }
    takeBack { $0.holder == edge && !membership.holding.contains($0.offset) }
    for offset in membership.holding { hold(offset, edge) }
    for item in pending where item.holder == edge {
      holder.count += 1
      holder.bytes += item.bytes
    }
    holders.append(holder)
  }

  /// False if it is not known under that opening.
  mutating func leave(_ edge: EdgeID, opening: UInt64) -> Bool {
    guard let index = index(of: edge), holders[index].opening == opening else { return false }
    holders[index].members = 0
    dropIfDone(index)
    return true
  }

  mutating func forget(_ edge: EdgeID) {
    guard let index = index(of: edge) else { return }
    holders.remove(at: index)
    takeBack { $0.holder == edge }
  }

  mutating func release(_ edge: EdgeID, opening: UInt64, _ offsets: [Offset]) {
    guard let index = index(of: edge), holders[index].opening == opening else { return }
    let released = Set(offsets)
    takeBack { $0.holder == edge && released.contains($0.offset) }
    recount(index)
    dropIfDone(index)
  }

  /// Of what was out elsewhere, or is done, the others need not hear: it is done when either says so.
  private mutating func hold(_ offset: Offset, _ edge: EdgeID) {
    let place = place(of: offset)
    if place < pending.count, pending[place].offset == offset {
      if pending[place].holder == nil { pending[place].holder = edge }
    } else if offset > scanned {
      pending.insert(Pending(offset: offset, bytes: 0, holder: edge), at: place)
    }
  }

  private mutating func takeBack(_ isBack: (Pending) -> Bool) {
    var first: Offset?
    for index in pending.indices where pending[index].holder != nil && isBack(pending[index]) {
      pending[index].holder = nil
      if first == nil { first = pending[index].offset }
    }
    // What no scan has come by yet, a scan will come by.
    pending.removeAll { $0.holder == nil && $0.offset > scanned }
    guard let first, first <= at else { return }
    at = Offset(first.value - 1)
    round += 1
  }

  // Giving out -----------------------------------------------------------------------------------------

  /// A scan has come by this message, and by none that the filter wants between `at` and it.
  mutating func meet(_ offset: Offset, bytes: Int, isDone: Bool) -> Verdict {
    passOver(before: offset)
    let place = place(of: offset)
    let isKnown = place < pending.count && pending[place].offset == offset
    if isKnown ? pending[place].holder != nil : offset <= scanned || isDone || doneAhead.contains(offset) {
      reach(offset)
      return .pass
    }
    guard isKnown || pending.count < GroupLimits.pending, let index = nextHolder() else { return .wait }
    if isKnown {
      pending[place].holder = holders[index].edge
      pending[place].bytes = bytes
    } else {
      pending.insert(Pending(offset: offset, bytes: bytes, holder: holders[index].edge), at: place)
    }
    holders[index].count += 1
    holders[index].bytes += bytes
    reach(offset)
    return .give(holders[index].edge)
  }

  /// A scan has come to its end: there is nothing that the filter wants between `at` and there.
  mutating func reachEnd(_ offset: Offset) {
    guard offset > at else { return }
    passOver(before: offset.next)
    reach(offset)
  }

  /// What is between `at` and there is gone. True if something was, that nobody has been given.
  mutating func lose(upTo offset: Offset) -> Bool {
    let isLoss = offset > scanned || pending.contains { $0.holder == nil && $0.offset <= offset }
    reachEnd(offset)
    return isLoss
  }

  /// The edges take turns by the number of their members.
  private mutating func nextHolder() -> Int? {
    var best: Int?
    var shares = 0
    for index in holders.indices where holders[index].hasRoom {
      holders[index].turn += holders[index].members
      shares += holders[index].members
      if best.map({ holders[index].turn > holders[$0].turn }) ?? true { best = index }
    }
    if let best { holders[best].turn -= shares }
    return best
  }

  private mutating func reach(_ offset: Offset) {
    at = max(at, offset)
    guard offset > scanned else { return }
    scanned = offset
    if !doneAhead.isEmpty { doneAhead = doneAhead.filter { $0 > offset } }
  }

  /// What was to be given out again and is not there any more has expired: it is done.
  private mutating func passOver(before offset: Offset) {
    let (from, to) = (place(of: at.next), place(of: offset))
    guard from < to else { return }
    for item in pending[from..<to] where item.holder == nil { acknowledged.append(item.offset) }
    pending.removeAll { $0.holder == nil && $0.offset > at && $0.offset < offset }
  }

  // What is done ---------------------------------------------------------------------------------------

  /// Whoever has it, and be it somebody else by now.
  mutating func acknowledge(_ offsets: [Offset]) {
    for offset in offsets {
      acknowledged.append(offset)
      if offset > scanned { doneAhead.insert(offset) }
      let place = place(of: offset)
      guard place < pending.count, pending[place].offset == offset else { continue }
      let item = pending.remove(at: place)
      guard let edge = item.holder, let index = index(of: edge) else { continue }
      holders[index].count -= 1
      holders[index].bytes -= item.bytes
      dropIfDone(index)
    }
  }

  /// Everything that is done and not in the log: with each message the stretch around it in which nothing is pending. In order.
  mutating func takeDone(cursor: Offset) -> [OffsetRange] {
    acknowledged.sort()
    var ranges: [OffsetRange] = []
    for offset in acknowledged where offset > cursor {
      if let last = ranges.last, last.last >= offset { continue }
      ranges.append(stretch(around: offset, cursor: cursor))
    }
    acknowledged.removeAll(keepingCapacity: true)
    return ranges
  }

  /// The stretch up to `scanned`, if nothing is pending in front of it.
  func idleStretch(cursor: Offset) -> OffsetRange? {
    let end = min(scanned, pending.first.map { Offset($0.offset.value - 1) } ?? scanned)
    return end > cursor ? OffsetRange(first: cursor.next, last: end) : nil
  }

  private func stretch(around offset: Offset, cursor: Offset) -> OffsetRange {
    let place = place(of: offset)
    // Acknowledged before a scan came by it: nothing is known of its neighbours.
    guard offset <= scanned, place == pending.count || pending[place].offset != offset else {
      return OffsetRange(first: offset, last: offset)
    }
    let first = place == 0 ? cursor.next : max(pending[place - 1].offset.next, cursor.next)
    let last = place == pending.count ? scanned : min(scanned, Offset(pending[place].offset.value - 1))
    return OffsetRange(first: first, last: last)
  }

  // ----------------------------------------------------------------------------------------------------

  private func index(of edge: EdgeID) -> Int? { holders.firstIndex { $0.edge == edge } }
  private func place(of offset: Offset) -> Int { pending.firstNotBelow { $0.offset < offset } }

  private mutating func recount(_ index: Int) {
    let edge = holders[index].edge
    holders[index].count = 0
    holders[index].bytes = 0
    for item in pending where item.holder == edge {
      holders[index].count += 1
      holders[index].bytes += item.bytes
    }
  }

  private mutating func dropIfDone(_ index: Int) {
    if holders[index].members == 0, holders[index].count == 0 { holders.remove(at: index) }
  }
}
