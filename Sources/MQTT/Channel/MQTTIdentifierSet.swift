/// A set of packet identifiers, small while few are in use: two to four bytes for each. Open addressing with
/// linear probing; 0 is never an identifier, and marks an empty place. All operations O(1) expected.
struct MQTTIdentifierSet {
  private var places: [UInt16] = []
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  func contains(_ identifier: UInt16) -> Bool {
    count > 0 && places[place(of: identifier)] != 0
  }

  /// False if it was there.
  @discardableResult mutating func insert(_ identifier: UInt16) -> Bool {
    precondition(identifier != 0, "0 is no packet identifier")
    if (count + 1) * 4 > places.count * 3 { grow() }
    let place = place(of: identifier)
    guard places[place] == 0 else { return false }
    places[place] = identifier
    count += 1
    return true
  }

  /// False if it was not there.
  @discardableResult mutating func remove(_ identifier: UInt16) -> Bool {
    guard count > 0 else { return false }
    var hole = place(of: identifier)
    guard places[hole] != 0 else { return false }
    let mask = places.count - 1
    var place = (hole + 1) & mask
    // Later ones of the same run move back, so that no tombstone is needed.
    while places[place] != 0 {
      if (place - ideal(places[place])) & mask >= (place - hole) & mask {
        places[hole] = places[place]
        hole = place
      }
      place = (place + 1) & mask
    }
    places[hole] = 0
    count -= 1
    return true
  }

  /// In ascending order. O(n log n).
  var sorted: [UInt16] { places.filter { $0 != 0 }.sorted() }

  /// Where it is, or the empty place where it would go.
  private func place(of identifier: UInt16) -> Int {
    let mask = places.count - 1
    var place = ideal(identifier)
    while places[place] != 0, places[place] != identifier { place = (place + 1) & mask }
    return place
  }

  /// Clients count: side by side, what they count would be one long run, to be walked over at each removal. Multiplied by
  /// the golden ratio of 2¹⁶ it lies evenly apart.
  private func ideal(_ identifier: UInt16) -> Int {
    Int((UInt32(identifier &* 40503) << 16) >> (32 - UInt32(places.count.trailingZeroBitCount)))
  }

  private mutating func grow() {
    let before = places
    places = [UInt16](repeating: 0, count: max(16, before.count * 2))
    for identifier in before where identifier != 0 { places[place(of: identifier)] = identifier }
  }
}
