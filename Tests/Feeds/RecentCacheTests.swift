import Core
import Feeds
import Testing

/// Records as a shard would push them.
enum Pushes {
  static func record(_ offset: UInt64, _ topic: String, bytes: Int = 10) -> Bytes {
    var buffer = ByteBuffer()
    RecordDraft().encode(topic: topic, payload: [UInt8](repeating: 1, count: bytes), into: &buffer)
    buffer.withUnsafeMutableBytes {
      RecordStamp(offset: Offset(offset), previous: .zero, time: WallTime(milliseconds: 0), term: 1).stamp($0.baseAddress.unsafelyUnwrapped)
    }
    return buffer.freeze()
  }
}

@Suite("Recent cache")
struct RecentCacheTests {
  private func offsets(_ cache: RecentCache, after offset: UInt64, most: Int = .max) -> [UInt64] {
    var found: [UInt64] = []
    cache.forEach(after: Offset(offset)) { record in
      found.append(record.offset.value)
      return found.count < most
    }
    return found
  }

  @Test("Against a model: what is kept is the newest, from its floor on, within its bound", arguments: 1...10)
  func model(seed: UInt64) {
    var chance = SeededGenerator(seed: seed)
    let bound = 1000 + chance.below(4000)
    var cache = RecentCache(maximumBytes: bound)
    var pushed: [UInt64] = []
    var next: UInt64 = 1
    for _ in 0..<500 {
      if chance.below(60) == 0 {
        next += UInt64(chance.below(5))
        cache.restart(at: Offset(next - 1))
        pushed.removeAll()
        #expect(cache.byteCount == 0 && cache.floor == Offset(next - 1))
        continue
      }
      var pieces: [Bytes] = []
      for _ in 0..<chance.below(4) {
        var piece = ByteBuffer()
        for _ in 0...chance.below(3) {
          next += UInt64(chance.below(3))
          piece.append(Pushes.record(next, "t", bytes: chance.below(300)))
          pushed.append(next)
          next += 1
        }
        pieces.append(piece.freeze())
      }
      next += UInt64(chance.below(3))
      cache.append(pieces, upTo: Offset(next - 1))
      #expect(cache.byteCount <= bound)
      let from = cache.floor.value + UInt64(chance.below(Int(next - cache.floor.value) + 2))
      #expect(offsets(cache, after: from) == pushed.filter { $0 > from }, "seed \(seed)")
      #expect(offsets(cache, after: cache.floor.value, most: 3) == Array(pushed.filter { $0 > cache.floor.value }.prefix(3)))
    }
  }

  @Test("A push larger than the cache leaves an empty cache behind it, not a broken one")
  func tooLarge() {
    var cache = RecentCache(maximumBytes: 500)
    cache.append([Pushes.record(1, "a")], upTo: Offset(1))
    cache.append([Pushes.record(2, "a", bytes: 1000)], upTo: Offset(5))
    #expect(cache.byteCount == 0 && cache.floor == Offset(5))
    cache.append([Pushes.record(6, "a")], upTo: Offset(6))
    #expect(offsets(cache, after: 5) == [6])
  }
}
