/// A queue that gives its memory back as it empties. Everything is O(1), amortised.
struct FirstInFirstOut<Element> {
  private var elements: [Element?] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { head == elements.count }
  var first: Element? { isEmpty ? nil : elements[head] }

  /// The element so many places behind the first.
  subscript(place: Int) -> Element { elements[head + place].unsafelyUnwrapped }

  var last: Element? { isEmpty ? nil : elements[elements.count - 1] }

  mutating func removeLast() -> Element {
    guard !isEmpty, let element = elements.removeLast() else { preconditionFailure("an empty queue has no last") }
    if head == elements.count {
      elements.removeAll(keepingCapacity: true)
      head = 0
    }
    return element
  }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func removeFirst() -> Element {
    guard let element = elements[head].take() else { preconditionFailure("an empty queue has no first") }
    head += 1
    if head == elements.count {
      elements.removeAll(keepingCapacity: elements.capacity <= 1024)
      head = 0
    } else if head > 1024, head > elements.count / 2 {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }
}
