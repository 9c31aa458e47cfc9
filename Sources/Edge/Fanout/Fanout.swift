internal import Core
internal import Feeds
internal import Glibc
internal import Reactor

/// Brings what the shards push to everyone on this reactor who follows it.
///
/// ```
///  push ──▶ FeedClient (cache) ──▶ trie ──▶ audiences ──▶ render once per format ──▶ streams
///                                                                                     │
///  sockets ◀── one send each, all that gathered ◀── flush, at the end of the turn ◀───┘
/// ```
///
/// A delivery to a member that keeps up is one system call and two words written; nothing is copied, counted or
/// allocated for it. Confined to its reactor.
final class Fanout {
  let edge: EdgeID
  let shardCount: Int
  let limits: FanoutLimits
  let renderer: EventRenderer
  var feeds: [FeedClient]
  var audiences: [Audience?] = []
  private var vacantAudiences: [Int] = []
  private var audienceByKey: [Audience.Key: Int] = [:]
  private var trie = FilterTrie()
  private var matched: [UInt32] = []
  /// One for each format, so that consecutive messages of one audience lie side by side.
  var arenas: [RenderArena]
  private var rendered: [RenderedRecord]
  private var recordNumber: UInt64 = 0
  private var scratch = ByteBuffer(capacity: 4096)
  private let vectors = UnsafeMutableBufferPointer<iovec>.allocate(capacity: FanoutLimits.partsPerWrite)

  private(set) var dirty: [Int] = []
  /// Audiences whose waiters have something to be told.
  var answerable: [Int] = []
  /// Audiences whose readers may go on.
  var woken: [Audience] = []
  /// Audiences that have readers on their way.
  private var awaited: [Int] = []
  var counters = FanoutCounters()
  /// Latency from commit to the first write, by format.
  var latencies: [LatencyHistogram]

  /// One record's rendering in one format, good while the record is being fanned out.
  private struct RenderedRecord {
    var number: UInt64 = 0
    var body = RenderArena.Piece(start: UnsafeRawPointer(bitPattern: 1)!, count: 0, chunk: 0)
    /// With the id of a reader of one shard in front; only where the format carries cursors.
    var whole: RenderArena.Piece?
  }

  init(edge: EdgeID, cluster: ClusterID, shardCount: Int, limits: FanoutLimits) {
    self.edge = edge
    self.shardCount = shardCount
    self.limits = limits
    renderer = EventRenderer(cluster: cluster)
    feeds = (0..<shardCount).map { FeedClient(shard: ShardID($0), cacheBytes: limits.recentCacheBytes) }
    arenas = EventFormat.allCases.map { _ in RenderArena() }
    rendered = EventFormat.allCases.map { _ in RenderedRecord() }
    latencies = EventFormat.allCases.map { _ in LatencyHistogram() }
  }

  deinit {
    vectors.deallocate()
    for index in arenas.indices { arenas[index].freeAll() }
  }

  // MARK: Audiences

  /// The audience of `key`; made, and its filters held, if it is not there.
  func audience(_ key: Audience.Key, now: Instant) -> Audience {
    if let index = audienceByKey[key], let audience = audiences[index] { return audience }
    let index = vacantAudiences.popLast() ?? audiences.count
    let shards = Fanout.shards(of: key.filters, among: shardCount)
    let audience = Audience(key: key, index: index, shards: shards, shardCount: shardCount, now: now)
    if index == audiences.count { audiences.append(audience) } else { audiences[index] = audience }
    audienceByKey[key] = index
    for filter in key.filters {
      trie.insert(filter, UInt32(index))
      forEachShard(of: filter) { feeds[$0].hold(filter) }
    }
    return audience
  }

  /// A reader is on its way to `audience`.
  func await(_ audience: Audience, _ reader: SlotKey) {
    audience.readers.append(reader)
    if !audience.isAwaited {
      audience.isAwaited = true
      awaited.append(audience.index)
    }
  }

  func forEachAwaited(_ body: (Audience) -> Void) {
    var index = 0
    while index < awaited.count {
      guard let audience = audiences[awaited[index]], audience.isAwaited, !audience.readers.isEmpty else {
        audiences[awaited[index]]?.isAwaited = false
        awaited.swapAt(index, awaited.count - 1)
        awaited.removeLast()
        continue
      }
      body(audience)
      index += 1
    }
  }

  static func shards(of filters: [Filter], among count: Int) -> [ShardID] {
    if filters.contains(where: \.hasWildcard) { return (0..<count).map { ShardID($0) } }
    return Set(filters.compactMap { $0.shard(among: count) }).sorted()
  }

  private func forEachShard(of filter: Filter, _ body: (Int) -> Void) {
    if let shard = filter.shard(among: shardCount) { return body(shard.index) }
    for index in 0..<shardCount { body(index) }
  }

  /// Lets go of an audience in which nobody is any more.
  func dissolve(_ audience: Audience) {
    precondition(audience.isEmpty, "somebody is still here")
    audience.stream.trim(to: audience.stream.end, arena: &arenas[Int(audience.key.format.rawValue)])
    for filter in audience.key.filters {
      trie.remove(filter, UInt32(audience.index))
      forEachShard(of: filter) { feeds[$0].release(filter) }
    }
    audienceByKey[audience.key] = nil
    audiences[audience.index] = nil
    dirty.removeAll { $0 == audience.index }
    vacantAudiences.append(audience.index)
  }

  /// Whether everything the audience wants is being pushed, on every shard.
  func isLive(_ audience: Audience) -> Bool {
    for filter in audience.key.filters {
      var live = true
      forEachShard(of: filter) { if feeds[$0].liveFrom(filter) == nil { live = false } }
      if !live { return false }
    }
    return true
  }

  /// Where members of the audience stand once they have everything in its stream.
  func cursor(of audience: Audience) -> [Offset] {
    audience.shards.map { feeds[$0.index].upTo }
  }

  // MARK: Delivering

  /// Renders what a shard pushed into the streams of those who want it.
  func deliver(_ push: FeedPush, now: Instant, wallTime: WallTime) {
    for piece in push.pieces {
      piece.withUnsafeBytes { bytes in
        for record in RecordSequence(trusting: bytes) {
          deliver(record, push.shard, now: now, wallTime: wallTime)
        }
      }
    }
    feeds[push.shard.index].take(push)
  }

  private func deliver(_ record: RecordView, _ shard: ShardID, now: Instant, wallTime: WallTime) {
    // It was long on its way: nobody wants it any more.
    if record.isExpired(at: wallTime) { return feeds[shard.index].advance(to: record.offset) }
    matched.removeAll(keepingCapacity: true)
    trie.match(record.topic, into: &matched)
    recordNumber += 1
    let before = feeds[shard.index].upTo
    feeds[shard.index].advance(to: record.offset)
    for index in matched {
      guard let audience = audiences[Int(index)], audience.lastRecord != recordNumber else { continue }
      audience.lastRecord = recordNumber
      let place = Int(audience.places[shard.index])
      if !audience.parked.isEmpty { wake(audience, place, before) }
      if audience.members.isEmpty, audience.waiters.isEmpty { continue }
      if audience.stream.isEmpty {
        var base = cursor(of: audience)
        base[place] = before
        audience.stream.begin(at: base)
      }
      append(record, shard, to: audience, wallTime)
      audience.stream.mark(shard: place, offset: record.offset)
      if !audience.waiters.isEmpty, !audience.isAnswerable {
        audience.isAnswerable = true
        answerable.append(audience.index)
      }
      counters.deliveries[Int(audience.key.format.rawValue)] += audience.members.count
      if audience.key.format.transport == .mqtt { counters.mqttPayloadBytes += record.payload.count * audience.members.count }
      if audience.oldestUnsent == nil { audience.oldestUnsent = record.time }
      audience.lastSent = now
      touch(audience)
    }
  }

  func touch(_ audience: Audience) {
    audience.startPass()
    if !audience.isDirty {
      audience.isDirty = true
      dirty.append(audience.index)
    }
  }

  /// The parked have everything up to here, and this is the first that they want.
  private func wake(_ audience: Audience, _ place: Int, _ before: Offset) {
    if audience.parkedAt == nil {
      var cursor = cursor(of: audience)
      cursor[place] = before
      audience.parkedAt = cursor
    }
    if !audience.isWoken {
      audience.isWoken = true
      woken.append(audience)
    }
  }

  private func append(_ record: RecordView, _ shard: ShardID, to audience: Audience, _ wallTime: WallTime) {
    let format = audience.key.format
    let slot = Int(format.rawValue)
    if rendered[slot].number != recordNumber { rendered[slot] = RenderedRecord(number: recordNumber, body: rendered[slot].body, whole: nil) }
    else if !format.carriesCursor {
      audience.stream.append(rendered[slot].body, arena: &arenas[slot])
      return
    } else if audience.shards.count == 1, let whole = rendered[slot].whole {
      audience.stream.append(whole, arena: &arenas[slot])
      return
    } else if audience.shards.count > 1 {
      // The id is this audience's own; the rest is shared.
      scratch.removeAll()
      renderer.appendID(audience.shards, cursor(of: audience), into: &scratch)
      let id = scratch.withUnsafeBytes { arenas[slot].place($0) }
      audience.stream.append(id, arena: &arenas[slot])
      audience.stream.append(rendered[slot].body, arena: &arenas[slot])
      return
    }
    scratch.removeAll()
    if format.carriesCursor { renderer.appendID(audience.shards, cursor(of: audience), into: &scratch) }
    let idCount = scratch.count
    renderer.appendBody(record, shard, as: format, wall: wallTime, into: &scratch)
    counters.renderings += 1
    let whole = scratch.withUnsafeBytes { arenas[slot].place($0) }
    rendered[slot].body = RenderArena.Piece(start: whole.start + idCount, count: whole.count - idCount, chunk: whole.chunk)
    rendered[slot].whole = audience.shards.count == 1 ? whole : nil
    audience.stream.append(whole, arena: &arenas[slot])
  }

  /// Puts a heartbeat into the audience's stream.
  func beat(_ audience: Audience, now: Instant) {
    let cursor = cursor(of: audience)
    if audience.stream.isEmpty { audience.stream.begin(at: cursor) }
    scratch.removeAll()
    renderer.appendHeartbeat(
      audience.key.format, shards: audience.shards, offsets: cursor, moved: cursor != audience.toldCursor, into: &scratch)
    audience.toldCursor = cursor
    let slot = Int(audience.key.format.rawValue)
    let piece = scratch.withUnsafeBytes { arenas[slot].place($0) }
    audience.stream.append(piece, arena: &arenas[slot])
    audience.stream.mark(shard: -1, offset: .zero)
    audience.lastSent = now
    touch(audience)
  }

  // MARK: Flushing

  /// Writes to members until all have everything or `budget` writes were made. False if there is more to do.
  func flush(budget: inout Int, wallTime: WallTime, _ outcome: (MemberEvent) -> Void) -> Bool {
    var looked = 0
    while looked < dirty.count, budget > 0 {
      guard let audience = audiences[dirty[looked]] else {
        looked += 1
        continue
      }
      flush(audience, budget: &budget, outcome)
      if audience.passRemaining > 0 {
        // Its turn comes again behind the others'.
        dirty.append(audience.index)
      } else {
        finishPass(audience, wallTime)
      }
      looked += 1
    }
    dirty.removeFirst(looked)
    return dirty.isEmpty
  }

  private func flush(_ audience: Audience, budget: inout Int, _ outcome: (MemberEvent) -> Void) {
    let end = audience.stream.end
    let bytesBefore = counters.bytes
    defer { if audience.key.format.transport == .mqtt { counters.mqttBytes += counters.bytes - bytesBefore } }
    var gatheredAt = UInt64.max
    var gathered = (count: 0, bytes: 0)
    while audience.passRemaining > 0, budget > 0 {
      if audience.flushIndex >= audience.members.count { endRound(audience) }
      let index = audience.flushIndex
      audience.flushIndex = index + 1
      audience.passRemaining -= 1
      let member = audience.members[index]
      if member.position == end {
        audience.roundMinimum = min(audience.roundMinimum, end)
        continue
      }
      if member.isStalled {
        let lag = end - member.position
        if lag > UInt64(limits.readerBuffer) {
          // The caller turns it into a reader; its place here is filled by another, who may not have been visited.
          outcome(.fellBehind(member.connection))
        } else {
          audience.roundMinimum = min(audience.roundMinimum, member.position)
        }
        continue
      }
      if gatheredAt != member.position {
        gathered = audience.stream.gather(from: member.position, into: vectors)
        gatheredAt = member.position
      }
      budget -= 1
      send(audience, index, gathered, outcome)
      // One write takes so many parts: the rest follows at once, for nobody may be left in the middle of a message.
      while audience.isUnderWay(index, member.connection, to: end) {
        let rest = audience.stream.gather(from: audience.members[index].position, into: vectors)
        gatheredAt = UInt64.max
        budget -= 1
        send(audience, index, rest, outcome)
      }
      if index < audience.members.count, audience.members[index].connection == member.connection {
        audience.roundMinimum = min(audience.roundMinimum, audience.members[index].position)
      }
    }
  }

  @inline(__always)
  private func send(_ audience: Audience, _ index: Int, _ gathered: (count: Int, bytes: Int), _ outcome: (MemberEvent) -> Void) {
    let descriptor = FileDescriptor(audience.members[index].descriptor)
    let result =
      gathered.count == 1
      ? descriptor.send(vectors[0].iov_base, count: vectors[0].iov_len)
      : descriptor.send(parts: UnsafePointer(vectors.baseAddress.unsafelyUnwrapped), count: gathered.count)
    switch result {
    case .bytes(let sent):
      counters.writes += 1
      counters.bytes += sent
      audience.members[index].position += UInt64(sent)
      if sent < gathered.bytes { outcome(.stalled(audience, index)) }
    case .wouldBlock:
      outcome(.stalled(audience, index))
    case .closed, .failed:
      outcome(.broke(audience.members[index].connection))
    }
  }

  private func finishPass(_ audience: Audience, _ wallTime: WallTime) {
    audience.isDirty = false
    if let oldest = audience.oldestUnsent {
      audience.oldestUnsent = nil
      latencies[Int(audience.key.format.rawValue)].record(
        milliseconds: wallTime.milliseconds - oldest.milliseconds, times: audience.members.count)
    }
    // Everyone has been visited since the last byte was appended: whoever is not stalled has it all.
    var least = audience.stream.end
    for member in audience.members where member.isStalled { least = min(least, member.position) }
    audience.stream.trim(to: least, arena: &arenas[Int(audience.key.format.rawValue)])
    audience.flushIndex = 0
    audience.roundMinimum = .max
  }

  /// All members have been visited once more: what lies before the least advanced of them is let go.
  private func endRound(_ audience: Audience) {
    audience.flushIndex = 0
    audience.stream.trim(to: min(audience.roundMinimum, audience.stream.end), arena: &arenas[Int(audience.key.format.rawValue)])
    audience.roundMinimum = .max
  }

  /// What the flush found out about a member.
  enum MemberEvent {
    /// Its socket took less than there was.
    case stalled(Audience, Int)
    /// It is stalled, and what it has not read passed the bound.
    case fellBehind(SlotKey)
    case broke(SlotKey)
  }
}
