internal import Core
internal import Feeds
internal import Journal

/// A read that looks at the log entry by entry, from a place on.
struct Scan {
  /// Matching bytes of a stretch that fill less than this part of it are copied out, so that a small page does not
  /// hold a large stretch in memory.
  private static let sparsePart = 8

  /// Set when the page is not an edge's but for a group, by the number of the read.
  var group: (name: GroupName, number: UInt64)?
  let edge: EdgeID
  let ticket: Ticket
  var filters: FilterSet
  /// Everything up to here was looked at.
  var at: Offset
  /// Where the log is read on; a hint.
  var place: ReadPosition?
  /// Messages before this are passed over.
  var notBefore = WallTime(milliseconds: .min)
  let maximumBytes: Int
  var gap: ReadGap?
  private(set) var pieces: [Bytes] = []
  private(set) var bytes = 0
  private(set) var examined = 0
  private(set) var isFull = false
  /// Where the topic's record before the first match stands; tells whether a gap took anything away.
  private(set) var previousOfFirst: Offset?

  init(_ request: ReadRequest, at start: Offset) {
    edge = request.edge
    ticket = request.ticket
    filters = FilterSet(request.filters)
    maximumBytes = request.maximumBytes
    at = start
  }

  /// Looks at whole entries, up to `committed` and until the page is full.
  mutating func examine(_ stretch: Bytes, upTo committed: Offset, wall: WallTime) {
    var runStart = 0
    var runEnd = 0
    let piecesBefore = pieces.count
    let bytesBefore = bytes
    stretch.withUnsafeBytes { memory in
      var from = 0
      for entry in RecordSequence(trusting: memory) {
        let start = from
        from += entry.length
        let offset = entry.offset
        if offset <= at { continue }
        if offset > committed { break }
        if wants(entry, wall) {
          if bytes > 0, bytes + entry.length > maximumBytes {
            isFull = true
            break
          }
          bytes += entry.length
          if runEnd != start || runEnd == runStart {
            if runEnd > runStart { pieces.append(stretch.slice(runStart..<runEnd)) }
            runStart = start
          }
          runEnd = from
        }
        at = offset
      }
      examined += from
    }
    if runEnd > runStart { pieces.append(stretch.slice(runStart..<runEnd)) }
    if bytes > bytesBefore, (bytes - bytesBefore) * Scan.sparsePart < stretch.count { compact(from: piecesBefore, bytes - bytesBefore) }
  }

  private mutating func wants(_ entry: RecordView, _ wall: WallTime) -> Bool {
    guard entry.kind == .record, entry.time >= notBefore, filters.matches(entry.topic) else { return false }
    if previousOfFirst == nil { previousOfFirst = entry.previous }
    return !entry.isExpired(at: wall)
  }

  private mutating func compact(from index: Int, _ count: Int) {
    var copy = ByteBuffer(capacity: count)
    for piece in pieces[index...] { copy.append(piece) }
    pieces.removeSubrange(index...)
    pieces.append(copy.freeze())
  }
}
