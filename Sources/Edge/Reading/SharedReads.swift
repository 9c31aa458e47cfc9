internal import Core
internal import Feeds

/// What followers ask alike is asked of the shard once.
///
/// When an edge begins with nothing in memory, thousands come back to it at once with nearly the same cursors. Whoever
/// asks what is being asked already waits for that answer, and a page stays for a moment for those who come next. A stretch
/// of the log does not change, so an older page is as good as a new one to whoever reads on after it.
struct SharedReads {
  static let lifetime = TimeSpan.seconds(2)
  /// For all pages that are kept, and the number of them.
  static let maximumBytes = 4 << 20
  static let maximumPages = 1024

  struct Key: Hashable {
    var shard: ShardID
    var after: Offset
    var filters: [Filter]
  }

  private struct KeptPage {
    var page: ReadReply.Page
    var since: Instant
  }

  private var keys: [Ticket: Key] = [:]
  private var waiting: [Key: [Ticket]] = [:]
  private var pages: [Key: KeptPage] = [:]
  private(set) var byteCount = 0

  enum Answer {
    case page(ReadReply.Page)
    /// Somebody asked already: the answer comes with theirs.
    case comes
    case mustBeAsked
  }

  /// What there is for a question; one that must be asked is noted as under way.
  mutating func answer(to key: Key, _ ticket: Ticket, at now: Instant) -> Answer {
    if let kept = pages[key], now - kept.since < Self.lifetime { return .page(kept.page) }
    if waiting[key] != nil {
      waiting[key]?.append(ticket)
      return .comes
    }
    waiting[key] = []
    keys[ticket] = key
    return .mustBeAsked
  }

  /// Who else waited for this answer.
  mutating func answered(_ reply: ReadReply, at now: Instant) -> [Ticket] {
    guard let key = keys.removeValue(forKey: reply.ticket) else { return [] }
    if case .success(let page) = reply.result { keep(page, key, now) }
    return waiting.removeValue(forKey: key) ?? []
  }

  private mutating func keep(_ page: ReadReply.Page, _ key: Key, _ now: Instant) {
    // A page that leads nowhere would be taken again and again by the same reader.
    guard page.upTo > key.after, page.gap == nil, !page.isBehind, !page.isCurrentValues, pages[key] == nil else { return }
    let size = Self.size(of: page)
    guard byteCount + size <= Self.maximumBytes, pages.count < Self.maximumPages else { return }
    byteCount += size
    pages[key] = KeptPage(page: page, since: now)
  }

  /// Lets go of what has been kept long enough.
  mutating func forget(at now: Instant) {
    guard !pages.isEmpty else { return }
    pages = pages.filter { now - $0.value.since < Self.lifetime }
    byteCount = pages.values.reduce(0) { $0 + Self.size(of: $1.page) }
  }

  private static func size(of page: ReadReply.Page) -> Int { page.pieces.reduce(0) { $0 + $1.count } }
}
