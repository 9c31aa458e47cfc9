public import Feeds
internal import Core

extension FeedPush {
  /// The same push as several, each of about so many bytes or one larger record, for links: each says how far it reaches.
  /// Pieces are cut between records, not copied.
  public func parts(ofAtMost limit: Int = WireLimits.pageBytes) -> [FeedPush] {
    guard pieces.reduce(0, { $0 + $1.count }) > limit else { return [self] }
    var parts: [FeedPush] = []
    var part = FeedPush(shard: shard, pieces: [], upTo: .zero)
    var bytes = 0
    for piece in pieces {
      var start = 0
      var end = 0
      piece.withUnsafeBytes { memory in
        for record in RecordSequence(trusting: memory) {
          if bytes > 0, bytes + record.length > limit {
            if end > start { part.pieces.append(piece.slice(start..<end)) }
            parts.append(part)
            part.pieces = []
            bytes = 0
            start = end
          }
          part.upTo = record.offset
          bytes += record.length
          end += record.length
        }
      }
      part.pieces.append(piece.slice(start..<end))
    }
    part.upTo = upTo
    parts.append(part)
    return parts
  }
}
