/// A hash table whose keys are byte strings, looked up where they lie: no key object is made to ask a question.
///
/// Keys may be scoped by a number, so that one table serves all nodes of a trie. Open addressing with linear
/// probing; insert, look-up and removal are O(1) expected. Iteration is in order of insertion until the first
/// removal, after which a removed entry's place is taken by the last one: deterministic either way.
public struct ByteKeyTable<Value> {
  @usableFromInline struct Entry {
    @usableFromInline var hash: UInt64
    @usableFromInline var scope: UInt32
    @usableFromInline var length: UInt32
    @usableFromInline var start: Int
    @usableFromInline var value: Value

    @usableFromInline init(hash: UInt64, scope: UInt32, length: UInt32, start: Int, value: Value) {
      self.hash = hash
      self.scope = scope
      self.length = length
      self.start = start
      self.value = value
    }
  }

  /// The low half is an index into `entries` plus one, 0 for nobody; the high half is the low half of its hash, so that an
  /// entry is not touched to see that it is another's.
  @usableFromInline struct Place {
    @usableFromInline var bits: UInt64

    @inlinable init(hash: UInt64, number: Int) { bits = hash << 32 | UInt64(UInt32(truncatingIfNeeded: number)) }

    @inlinable static var empty: Place { Place(hash: 0, number: 0) }

    @inlinable var number: Int { Int(UInt32(truncatingIfNeeded: bits)) }
    @inlinable var hash: UInt64 { bits >> 32 }
    @inlinable var isEmpty: Bool { number == 0 }
  }

  @usableFromInline var entries: [Entry] = []
  @usableFromInline var places: [Place] = []
  @usableFromInline var keys: [UInt8] = []
  @usableFromInline var wastedKeyBytes = 0

  @inlinable public init() {}

  @inlinable public var count: Int { entries.count }
  @inlinable public var isEmpty: Bool { entries.isEmpty }

  @inlinable static func hash(_ key: UnsafeRawBufferPointer, _ scope: UInt32) -> UInt64 {
    StableHash.of(key, seed: UInt64(scope))
  }

  @inlinable func place(of key: UnsafeRawBufferPointer, scope: UInt32, hash: UInt64) -> Int? {
    guard !places.isEmpty else { return nil }
    let mask = places.count - 1
    let low = UInt64(UInt32(truncatingIfNeeded: hash))
    var place = Int(truncatingIfNeeded: hash) & mask
    while true {
      let candidate = places[place]
      if candidate.isEmpty { return nil }
      if candidate.hash == low, isEntry(candidate.number - 1, key, scope: scope, hash: hash) { return place }
      place = (place + 1) & mask
    }
  }

  @inlinable func isEntry(_ index: Int, _ key: UnsafeRawBufferPointer, scope: UInt32, hash: UInt64) -> Bool {
    entries.withUnsafeBufferPointer { entries in
      // Not the whole entry: a copy would hold on to what the value refers to.
      entries[index].hash == hash && entries[index].scope == scope && Int(entries[index].length) == key.count
        && matches(entries[index].start, key)
    }
  }

  @inlinable func matches(_ start: Int, _ key: UnsafeRawBufferPointer) -> Bool {
    guard let bytes = key.baseAddress else { return true }
    return keys.withUnsafeBytes { stored in
      var index = 0
      let base = stored.baseAddress.unsafelyUnwrapped + start
      while index + 8 <= key.count {
        if base.loadUnaligned(fromByteOffset: index, as: UInt64.self) != bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) {
          return false
        }
        index += 8
      }
      while index < key.count {
        if base.load(fromByteOffset: index, as: UInt8.self) != bytes.load(fromByteOffset: index, as: UInt8.self) { return false }
        index += 1
      }
      return true
    }
  }

  /// The entry's index, good until the next removal.
  @inlinable public func index(of key: UnsafeRawBufferPointer, scope: UInt32 = 0) -> Int? {
    guard let place = place(of: key, scope: scope, hash: Self.hash(key, scope)) else { return nil }
    return places[place].number - 1
  }

  @inlinable public subscript(key: UnsafeRawBufferPointer) -> Value? {
    guard let index = index(of: key) else { return nil }
    return entries[index].value
  }

  /// Direct access to a value by its index.
  @inlinable public subscript(at index: Int) -> Value {
    get { entries[index].value }
    _modify { yield &entries[index].value }
  }

  @inlinable public func withKey<R>(at index: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    let entry = entries[index]
    return keys.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[entry.start..<entry.start + Int(entry.length)])) }
  }

  @inlinable public func scope(at index: Int) -> UInt32 { entries[index].scope }

  /// The index of the key's entry, made with `value` if there was none.
  @inlinable @discardableResult public mutating func insert(
    _ key: UnsafeRawBufferPointer, scope: UInt32 = 0, default value: @autoclosure () -> Value
  ) -> (index: Int, inserted: Bool) {
    let hash = Self.hash(key, scope)
    if let place = place(of: key, scope: scope, hash: hash) { return (places[place].number - 1, false) }
    if (entries.count + 1) * 4 > places.count * 3 { rehash(places: Swift.max(16, places.count * 2)) }
    let start = keys.count
    keys.append(contentsOf: key)
    entries.append(Entry(hash: hash, scope: scope, length: UInt32(key.count), start: start, value: value()))
    settle(entries.count)
    return (entries.count - 1, true)
  }

  @usableFromInline mutating func settle(_ number: Int) { settle(Place(hash: entries[number - 1].hash, number: number)) }

  private mutating func settle(_ settling: Place) {
    let mask = places.count - 1
    var place = Int(truncatingIfNeeded: settling.hash) & mask
    while !places[place].isEmpty { place = (place + 1) & mask }
    places[place] = settling
  }

  /// A table has fewer than 2³² places, so what a place holds of its hash says where it belongs.
  @usableFromInline mutating func rehash(places newCount: Int) {
    let before = places
    places = [Place](repeating: .empty, count: newCount)
    for place in before where !place.isEmpty { settle(place) }
  }

  /// Removes the key's entry; the last entry takes its index.
  @discardableResult public mutating func remove(_ key: UnsafeRawBufferPointer, scope: UInt32 = 0) -> Value? {
    guard let place = place(of: key, scope: scope, hash: Self.hash(key, scope)) else { return nil }
    let index = places[place].number - 1
    vacate(place)
    let removed = entries[index]
    wastedKeyBytes += Int(removed.length)
    let last = entries.count - 1
    if index != last {
      let moved = entries[last]
      let mask = places.count - 1
      var movedPlace = Int(truncatingIfNeeded: moved.hash) & mask
      while places[movedPlace].number != last + 1 { movedPlace = (movedPlace + 1) & mask }
      places[movedPlace] = Place(hash: moved.hash, number: index + 1)
      entries[index] = moved
    }
    entries.removeLast()
    if wastedKeyBytes > 4096, wastedKeyBytes > keys.count / 2 { compactKeys() }
    if entries.capacity > Self.smallCapacity, entries.count * 8 < entries.capacity { shrink() }
    return removed.value
  }

  /// Up to here memory is not given back.
  private static var smallCapacity: Int { 1024 }

  /// Few are left of many: what they were is not held for ever.
  private mutating func shrink() {
    var kept: [Entry] = []
    kept.reserveCapacity(entries.count * 2)
    kept += entries
    entries = kept
    var wanted = 16
    while wanted < entries.count * 2 { wanted *= 2 }
    rehash(places: wanted)
  }

  /// Empties a place and moves later entries of the same run back, so that no tombstones are needed.
  private mutating func vacate(_ emptied: Int) {
    let mask = places.count - 1
    var hole = emptied
    var place = (hole + 1) & mask
    while !places[place].isEmpty {
      let ideal = Int(truncatingIfNeeded: places[place].hash) & mask
      if (place - ideal) & mask >= (place - hole) & mask {
        places[hole] = places[place]
        hole = place
      }
      place = (place + 1) & mask
    }
    places[hole] = .empty
  }

  private mutating func compactKeys() {
    var kept: [UInt8] = []
    kept.reserveCapacity(keys.count - wastedKeyBytes)
    for index in entries.indices {
      let start = entries[index].start
      entries[index].start = kept.count
      kept.append(contentsOf: keys[start..<start + Int(entries[index].length)])
    }
    keys = kept
    wastedKeyBytes = 0
  }
}
