/// A queue that gives its memory back as it empties, and can be shortened from behind. Everything is amortised O(1).
struct FirstInFirstOut<Element> {
  private var elements: [Element?] = []
  private var head = 0

  /// Emptied places are moved over once there are this many of them.
  private static var largestGap: Int { 256 }

  var count: Int { elements.count - head }
  var isEmpty: Bool { head == elements.count }
  var first: Element? { isEmpty ? nil : elements[head] }
  var last: Element? { isEmpty ? nil : elements[elements.count - 1] }

  /// The element so many places behind the first.
  subscript(place: Int) -> Element { elements[head + place].unsafelyUnwrapped }

  mutating func append(_ element: Element) { elements.append(element) }

  @discardableResult mutating func removeFirst() -> Element {
    guard let element = elements[head].take() else { preconditionFailure("an empty queue has no first") }
    head += 1
    if head == elements.count {
      removeAll()
    } else if head >= Self.largestGap, head * 2 >= elements.count {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  @discardableResult mutating func removeLast() -> Element {
    precondition(!isEmpty, "an empty queue has no last")
    let element = elements.removeLast().unsafelyUnwrapped
    if head == elements.count { removeAll() }
    return element
  }

  mutating func removeAll() {
    elements.removeAll(keepingCapacity: elements.capacity <= 1024)
    head = 0
  }
}

extension FirstInFirstOut: Sendable where Element: Sendable {}
