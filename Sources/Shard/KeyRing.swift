internal import Core

/// Keys in the order of their use, forgotten oldest first past a bound of time, count or bytes.
struct KeyRing {
  typealias Use = IdempotencyKeys.Use

  let bounds: IdempotencyKeys.Bounds
  private var table = ByteKeyTable<Use>()
  /// The same keys in order of use: `u32 length, u64 offset, u64 time, bytes`, from `oldest` on.
  private var order: [UInt8] = []
  private var oldest = 0
  private var keyBytes = 0
  private static let orderHeader = 20

  init(_ bounds: IdempotencyKeys.Bounds) { self.bounds = bounds }

  var count: Int { table.count }

  /// The use of `name` that still counts at `now`.
  func use(_ name: [UInt8], at now: WallTime) -> Use? {
    guard let use = name.withUnsafeBytes({ table[$0] }), counts(use, at: now) else { return nil }
    return use
  }

  private func counts(_ use: Use, at now: WallTime) -> Bool { bounds.count(use, at: now) }

  mutating func note(_ name: [UInt8], _ use: Use) {
    expire(at: use.time)
    let (index, inserted) = name.withUnsafeBytes { table.insert($0, default: use) }
    if inserted { keyBytes += name.count } else { table[at: index] = use }
    withUnsafeBytes(of: UInt32(name.count).littleEndian) { order.append(contentsOf: $0) }
    withUnsafeBytes(of: use.offset.value.littleEndian) { order.append(contentsOf: $0) }
    withUnsafeBytes(of: use.time.milliseconds.littleEndian) { order.append(contentsOf: $0) }
    order.append(contentsOf: name)
    while table.count > bounds.count || keyBytes > bounds.bytes { dropOldest() }
  }

  /// Forgets what no longer counts at a record's time. O(forgotten).
  mutating func expire(at now: WallTime) {
    while oldest < order.count, !counts(use(at: oldest), at: now) { dropOldest() }
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
    let start = oldest + KeyRing.orderHeader
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
    let start = place + KeyRing.orderHeader
    let end = start + length(at: place)
    order.withUnsafeBytes { bytes in
      let name = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
      let use = use(at: place)
      if table[name]?.offset == use.offset { body(name, use) }
    }
    return end
  }
}
