/// One use of a place in a `SlotTable`.
public struct SlotKey: Hashable, Sendable {
  public let index: UInt32
  public let generation: UInt32

  @inlinable public init(index: UInt32, generation: UInt32) {
    self.index = index
    self.generation = generation
  }

  /// Generations have the 24 bits that a `PollToken` has room for.
  @inlinable public static var generationMask: UInt32 { 0xff_ffff }
}

/// Elements at small numbers that are used again, each use with a generation of its own, so that a key that
/// outlived its element finds nothing.
///
/// Insertion, removal and lookup are O(1); the most recently freed place is used first, it is still cached.
public struct SlotTable<Element>: ~Copyable {
  @usableFromInline var elements: [Element?] = []
  @usableFromInline var generations: [UInt32] = []
  @usableFromInline var free: [UInt32] = []

  public init() {}

  /// The key of whatever is at `index` now.
  @inlinable public func key(at index: UInt32) -> SlotKey? {
    guard Int(index) < elements.count, elements[Int(index)] != nil else { return nil }
    return SlotKey(index: index, generation: generations[Int(index)])
  }

  @inlinable public var count: Int { elements.count - free.count }
  @inlinable public var isEmpty: Bool { count == 0 }

  /// Puts the element in a free place.
  @inlinable public mutating func insert(_ element: Element) -> SlotKey {
    insert { _ in element }
  }

  /// Puts an element that knows its own key in a free place.
  @inlinable public mutating func insert(making element: (SlotKey) -> Element) -> SlotKey {
    if let index = free.popLast() {
      let key = SlotKey(index: index, generation: generations[Int(index)])
      elements[Int(index)] = element(key)
      return key
    }
    precondition(elements.count < UInt32.max, "more slots than a token can name")
    let key = SlotKey(index: UInt32(elements.count), generation: 0)
    elements.append(element(key))
    generations.append(0)
    return key
  }

  /// Whether the key's element is still there.
  @inlinable public func contains(_ key: SlotKey) -> Bool {
    let index = Int(key.index)
    return index < generations.count && generations[index] == key.generation && elements[index] != nil
  }

  /// The key's element, or nothing when it is gone, whoever lives there now.
  @inlinable public subscript(_ key: SlotKey) -> Element? {
    let index = Int(key.index)
    guard index < generations.count, generations[index] == key.generation else { return nil }
    return elements[index]
  }

  /// Changes the element where it lies; answers nothing when it is gone.
  @inlinable public mutating func update<Result>(_ key: SlotKey, _ change: (inout Element) -> Result) -> Result? {
    guard contains(key) else { return nil }
    return change(&elements[Int(key.index)]!)
  }

  /// Takes the element out; its key finds nothing from then on.
  @discardableResult
  @inlinable public mutating func remove(_ key: SlotKey) -> Element? {
    guard contains(key) else { return nil }
    let index = Int(key.index)
    generations[index] = (generations[index] &+ 1) & SlotKey.generationMask
    free.append(key.index)
    return elements[index].take()
  }

  /// The keys of all elements, in order of their places; a copy, so that elements may come and go meanwhile. O(n).
  public var keys: [SlotKey] {
    elements.indices.compactMap { index in
      elements[index] == nil ? nil : SlotKey(index: UInt32(index), generation: generations[index])
    }
  }
}
