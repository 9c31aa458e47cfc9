/// Elements that keep their place, a small number, for as long as they are there. A place that was vacated goes to the
/// next one that comes: the last vacated first.
struct PlaceList<Element> {
  private var elements: [Element?] = []
  private var vacant: [Int] = []

  /// All places, vacant ones too.
  var indices: Range<Int> { elements.indices }

  /// nil where the place is vacant; `remove(at:)` alone makes it so.
  subscript(place: Int) -> Element? {
    _read { yield elements[place] }
    _modify { yield &elements[place] }
  }

  /// Where it stands now.
  mutating func insert(_ element: Element) -> Int {
    if let place = vacant.popLast() {
      elements[place] = element
      return place
    }
    elements.append(element)
    return elements.count - 1
  }

  /// What stood there; a vacant place stays so.
  @discardableResult
  mutating func remove(at place: Int) -> Element? {
    guard let element = elements[place] else { return nil }
    elements[place] = nil
    vacant.append(place)
    return element
  }
}
