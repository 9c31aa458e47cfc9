internal import Core

/// One thing that will happen.
struct Event {
  enum Kind: UInt8 {
    /// A broker's clock.
    case brokerTick
    case edgeTick
    /// A message reaches its end; `slot` names it.
    case arrival
    case diskDone
    case readDone
    case publisher
    case subscriber
    case consumer
    /// The next fault is drawn.
    case fault
    case brokerStarts
    case brokerResumes
    case edgeStarts
    /// Both ends of a link hear that it is down.
    case linkDown
    case partitionEnds
    case diskHeals
    /// An MQTT client does something of itself.
    case client
    /// Something reaches an end of an MQTT connection; `slot` names it.
    case pipe
  }

  var time: Instant
  var order: UInt64
  var kind: Kind
  var target: Int32
  var slot: Int32
}

/// What will happen, soonest first; what is due at the same time comes in the order in which it was planned.
struct EventQueue {
  private var heap: [Event] = []
  private var order: UInt64 = 0

  var isEmpty: Bool { heap.isEmpty }
  var nextTime: Instant? { heap.first?.time }

  mutating func add(_ kind: Event.Kind, at time: Instant, target: Int = 0, slot: Int = 0) {
    order += 1
    heap.append(Event(time: time, order: order, kind: kind, target: Int32(target), slot: Int32(slot)))
    var child = heap.count - 1
    let event = heap[child]
    while child > 0 {
      let parent = (child - 1) / 2
      guard EventQueue.precedes(event, heap[parent]) else { break }
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = event
  }

  mutating func removeFirst() -> Event {
    let first = heap[0]
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first }
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, EventQueue.precedes(heap[child + 1], heap[child]) { child += 1 }
      guard EventQueue.precedes(heap[child], last) else { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = last
    return first
  }

  @inline(__always) private static func precedes(_ a: Event, _ b: Event) -> Bool {
    a.time == b.time ? a.order < b.order : a.time < b.time
  }
}
