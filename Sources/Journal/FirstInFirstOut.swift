/// A queue that keeps its memory. Amortised O(1) at both ends.
struct FirstInFirstOut<Element> {
  private var elements: [Element] = []
  private var head = 0

  var isEmpty: Bool { head == elements.count }
  var first: Element? { isEmpty ? nil : elements[head] }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func removeFirst() {
    precondition(!isEmpty, "nothing to remove")
    head += 1
    if head == elements.count {
      removeAll()
    } else if head >= 64, head * 2 >= elements.count {
      elements.removeFirst(head)
      head = 0
    }
  }

  /// Changes the elements in order and keeps those for which `change` says so.
  mutating func keep(_ change: (inout Element) -> Bool) {
    var kept: [Element] = []
    for var element in elements[head...] where change(&element) { kept.append(element) }
    elements = kept
    head = 0
  }

  mutating func removeAll() {
    elements.removeAll(keepingCapacity: true)
    head = 0
  }
}

extension FirstInFirstOut: Sendable where Element: Sendable {}
