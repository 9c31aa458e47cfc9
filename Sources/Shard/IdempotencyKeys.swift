public import Core
internal import Feeds

/// The idempotency keys of the recent past: who publishes again under the same key is told where the first one stands.
///
/// Keys leave oldest first, by the records' own times and never by a clock, so that every replica forgets the same.
/// Those that edges give to what they may have to send again (`RetryKey`) matter for seconds and are many: fewer are kept,
/// and apart, so that they do not push out those of publishers.
public struct IdempotencyKeys {
  /// What is remembered of one kind of key, at most.
  public struct Bounds: Sendable {
    public var windowMilliseconds: Int64
    public var count: Int
    /// Topics included.
    public var bytes: Int

    func count(_ use: Use, at now: WallTime) -> Bool {
      let (age, overflow) = now.milliseconds.subtractingReportingOverflow(use.time.milliseconds)
      return !overflow && age < windowMilliseconds
    }
  }

  public static let ofPublishers = Bounds(windowMilliseconds: 10 * 60 * 1000, count: 100_000, bytes: 32 << 20)
  /// An edge gives up after eight seconds; the time is as long as it is because the next leader's clock may be ahead, and
  /// the count is what a shard of six thousand messages a second needs.
  public static let ofEdges = Bounds(windowMilliseconds: 10 * 60 * 1000, count: 50_000, bytes: 8 << 20)

  public struct Use: Sendable, Equatable {
    public var offset: Offset
    public var time: WallTime
  }

  private var publishers = KeyRing(ofPublishers)
  private var edges = KeyRing(ofEdges)

  public init() {}

  public var count: Int { publishers.count + edges.count }

  /// What a key is filed under: the topic's length, the topic, the key.
  static func name(topic: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, into name: inout [UInt8]) {
    name.removeAll(keepingCapacity: true)
    name.append(UInt8(truncatingIfNeeded: topic.count))
    name.append(UInt8(truncatingIfNeeded: topic.count >> 8))
    name.append(contentsOf: topic)
    name.append(contentsOf: key)
  }

  private static func isOfAnEdge(_ name: [UInt8]) -> Bool {
    guard name.count > 2 else { return false }
    let topic = Int(name[0]) | Int(name[1]) << 8
    guard name.count == 2 + topic + RetryKey.length else { return false }
    return name.withUnsafeBytes { RetryKey.isOne(UnsafeRawBufferPointer(rebasing: $0[(2 + topic)...])) }
  }

  /// The use of `name` (see `name(topic:key:into:)`) that still counts at `now`.
  func use(_ name: [UInt8], at now: WallTime) -> Use? {
    IdempotencyKeys.isOfAnEdge(name) ? edges.use(name, at: now) : publishers.use(name, at: now)
  }

  /// Whether the use of a name still counts.
  static func counts(_ use: Use, of name: [UInt8], at now: WallTime) -> Bool {
    (isOfAnEdge(name) ? ofEdges : ofPublishers).count(use, at: now)
  }

  mutating func note(_ name: [UInt8], _ use: Use) {
    if IdempotencyKeys.isOfAnEdge(name) { edges.note(name, use) } else { publishers.note(name, use) }
  }

  /// Forgets what no longer counts at a record's time. O(forgotten).
  mutating func expire(at now: WallTime) {
    publishers.expire(at: now)
    edges.expire(at: now)
  }

  /// Walks the keys, the publishers' and then the edges', each oldest first, from a place that an earlier call answered
  /// (nil: from the first); nil at the end.
  func walk(from place: Int?, _ body: (UnsafeRawBufferPointer, Use) -> Void) -> Int? {
    let ofEdges = 1 << 60
    if let place, place >= ofEdges { return edges.walk(from: place - ofEdges, body).map { $0 + ofEdges } }
    if let next = publishers.walk(from: place, body) { return next }
    return edges.walk(from: nil, body).map { $0 + ofEdges }
  }
}
