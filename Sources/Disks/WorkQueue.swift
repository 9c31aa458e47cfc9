internal import CLinux
internal import Core
internal import Glibc
internal import Synchronization

/// Work for one thread, from any thread: an array behind a lock, swapped out whole, and a bell that is rung only
/// when the thread sleeps.
final class WorkQueue<Work: Sendable>: Sendable {
  private struct State {
    var waiting: [Work] = []
    var isAsleep = false
    var isClosed = false
  }

  private let state = Mutex(State())
  private let bell: Int32

  init() {
    bell = tidings_disk_bell_create()
    precondition(bell >= 0, "no descriptor left for a disk thread")
  }

  deinit { close(bell) }

  /// False when the queue is closed; the work is dropped then.
  @discardableResult
  func add(_ work: some Sequence<Work> & Sendable) -> Bool {
    let (isTaken, mustRing) = state.withLock { state in
      guard !state.isClosed else { return (false, false) }
      state.waiting.append(contentsOf: work)
      defer { state.isAsleep = false }
      return (true, state.isAsleep)
    }
    if mustRing { ring() }
    return isTaken
  }

  /// No more work; the thread finishes what waits and ends.
  func finish() {
    let mustRing = state.withLock { state in
      state.isClosed = true
      defer { state.isAsleep = false }
      return state.isAsleep
    }
    if mustRing { ring() }
  }

  /// What a thread that asks for work gets.
  enum Taking: Hashable {
    case work
    /// Nothing came in time.
    case nothing
    /// Closed and empty.
    case end
  }

  /// Everything that waits, in order; sleeps while there is nothing, at most for `patience`, without which for ever.
  /// `emptied` is swapped in, so that two arrays take turns and none is allocated.
  func take(_ emptied: inout [Work], within patience: TimeSpan? = nil) -> Taking {
    emptied.removeAll(keepingCapacity: true)
    var isLate = false
    while true {
      let taking: Taking? = state.withLock { state in
        if !state.waiting.isEmpty {
          swap(&state.waiting, &emptied)
          return .work
        }
        if state.isClosed { return .end }
        state.isAsleep = !isLate
        return isLate ? .nothing : nil
      }
      if let taking { return taking }
      // A ring that comes too late stays in the bell, and wakes the next sleep for nothing.
      let result = tidings_disk_bell_wait(bell, patience.map { Int32(clamping: $0.milliseconds) } ?? -1)
      isLate = result == -ETIMEDOUT
      precondition(result == 0 || isLate, "a disk thread cannot sleep (error \(-result))")
    }
  }

  /// Whether a `take` would return at once.
  var hasWork: Bool { state.withLock { !$0.waiting.isEmpty } }

  private func ring() {
    let result = tidings_disk_bell_ring(bell)
    precondition(result == 0, "a disk thread cannot be woken (error \(-result))")
  }
}

/// A thread that runs one function to its end.
struct DiskThread: Sendable {
  private let thread: pthread_t

  /// `name` has at most 15 bytes.
  static func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> DiskThread {
    let work = Unmanaged.passRetained(
      ThreadBody {
        tidings_disk_name_thread(name)
        body()
      })
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { raw in
        if let raw { Unmanaged<ThreadBody>.fromOpaque(raw).takeRetainedValue().run() }
        return nil
      }, work.toOpaque())
    precondition(result == 0, "no thread for the disk (error \(result))")
    return DiskThread(thread: thread)
  }

  func join() {
    pthread_join(thread, nil)
  }
}

private final class ThreadBody {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
