/// First in, first out, in one run of memory that is kept: no allocation once it has been as long as it gets.
struct MQTTRing<Element: BitwiseCopyable> {
  private var storage: [Element] = []
  private var head = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }
  var first: Element? { count == 0 ? nil : self[0] }

  /// Counted from the oldest.
  subscript(index: Int) -> Element {
    get {
      precondition(index >= 0 && index < count, "outside the ring")
      return storage[(head + index) & (storage.count - 1)]
    }
    set {
      precondition(index >= 0 && index < count, "outside the ring")
      storage[(head + index) & (storage.count - 1)] = newValue
    }
  }

  mutating func append(_ element: Element) {
    if count == storage.count { grow(filler: element) }
    count += 1
    self[count - 1] = element
  }

  @discardableResult mutating func removeFirst() -> Element {
    let element = self[0]
    head = (head + 1) & (storage.count - 1)
    count -= 1
    return element
  }

  /// O(distance to the oldest): what leaves out of turn leaves near the front.
  mutating func remove(at index: Int) {
    var hole = index
    while hole > 0 {
      self[hole] = self[hole - 1]
      hole -= 1
    }
    removeFirst()
  }

  private mutating func grow(filler: Element) {
    var bigger = [Element](repeating: filler, count: max(8, storage.count * 2))
    for index in 0..<count { bigger[index] = self[index] }
    storage = bigger
    head = 0
  }
}
