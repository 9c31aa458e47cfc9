public import Core

/// The idempotency keys of the recent past: who publishes again under the same key is told where the first one stands.
///
/// Keys leave oldest first, by the records' own times and never by a clock, so that every replica forgets the same.
public struct IdempotencyKeys {
  /// How long a key is remembered.
  public static let windowMilliseconds: Int64 = 10 * 60 * 1000
  /// No shard remembers more keys, so that a flood of them costs bounded memory…
  public static let maximumCount = 100_000
  /// …nor more bytes of them, topics included.
  public static let maximumBytes = 32 << 20

  public struct Use: Sendable, Equatable {
    public var offset: Offset
    public var time: WallTime
  }

  private var table = ByteKeyTable<Use>()
  /// The same keys in order of use: `u32 length, u64 offset, u64 time, bytes`, from `oldest` on.
  private var order: [UInt8] = []
  private var oldest = 0
  private var keyBytes = 0
  private static let orderHeader = 20

  public init() {}

  public var count: Int { table.count }

  /// The use of `name` (see `name(topic:key:into:)`) that still counts at `now`.
  func use(_ name: [UInt8], at now: WallTime) -> Use? {
    guard let use = name.withUnsafeBytes({ table[$0] }), IdempotencyKeys.counts(use, at: now) else { return nil }
    return use
  }

  static func counts(_ use: Use, at now: WallTime) -> Bool {
    let (age, overflow) = now.milliseconds.subtractingReportingOverflow(use.time.milliseconds)
    return !overflow && age < windowMilliseconds
  }

  /// What a key is filed under: the topic's length, the topic, the key.
  static func name(topic: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, into name: inout [UInt8]) {
    name.removeAll(keepingCapacity: true)
    name.append(UInt8(truncatingIfNeeded: topic.count))
    name.append(UInt8(truncatingIfNeeded: topic.count >> 8))
    name.append(contentsOf: topic)
    name.append(contentsOf: key)
  }

  mutating func note(_ name: [UInt8], _ use: Use) {
    expire(at: use.time)
    let (index, inserted) = name.withUnsafeBytes { table.insert($0, default: use) }
    if inserted { keyBytes += name.count } else { table[at: index] = use }
    withUnsafeBytes(of: UInt32(name.count).littleEndian) { order.append(contentsOf: $0) }
    withUnsafeBytes(of: use.offset.value.littleEndian) { order.append(contentsOf: $0) }
    withUnsafeBytes(of: use.time.milliseconds.littleEndian) { order.append(contentsOf: $0) }
    order.append(contentsOf: name)
    while table.count > IdempotencyKeys.maximumCount || keyBytes > IdempotencyKeys.maximumBytes { dropOldest() }
  }

  /// Forgets what no longer counts at a record's time. O(forgotten).
  mutating func expire(at now: WallTime) {
    while oldest < order.count, !IdempotencyKeys.counts(use(at: oldest), at: now) { dropOldest() }
  }

  private func use(at place: Int) -> Use {
    order.withUnsafeBytes {
      Use(
        offset: Offset(UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: place + 4, as: UInt64.self))),
        time: WallTime(milliseconds: Int64(littleEndian: $0.loadUnaligned(fromByteOffset: place + 12, as: Int64.self))))
    }
  }

  private func length(at place: Int) -> Int {
    order.withUnsafeBytes { Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt32.self))) }
  }

  private mutating func dropOldest() {
    let length = length(at: oldest)
    let start = oldest + IdempotencyKeys.orderHeader
    let offset = use(at: oldest).offset
    order.withUnsafeBytes { bytes in
      let name = UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
      // A key used again since then stays.
      guard table[name]?.offset == offset else { return }
      table.remove(name)
      keyBytes -= length
    }
    oldest = start + length
    if oldest > 1 << 16, oldest > order.count / 2 {
      order.removeFirst(oldest)
      oldest = 0
    }
  }

  /// Walks the keys oldest first from a place that an earlier call answered (nil: from the oldest); nil at the end.
  func walk(from place: Int?, _ body: (UnsafeRawBufferPointer, Use) -> Void) -> Int? {
    let place = place ?? oldest
    guard place < order.count else { return nil }
    let start = place + IdempotencyKeys.orderHeader
    let end = start + length(at: place)
    order.withUnsafeBytes { bytes in
      let name = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
      let use = use(at: place)
      if table[name]?.offset == use.offset { body(name, use) }
    }
    return end
  }
}
