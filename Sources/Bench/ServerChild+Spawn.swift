import CLinux
import Core
import Glibc

extension ServerChild {
  /// What a helping thread is told, and what it says.
  fileprivate final class Order {
    let words: [String]
    let isPinned: Bool
    var process: pid_t = 0
    var failure: Int32 = 0

    init(_ words: [String], isPinned: Bool) {
      self.words = words
      self.isPinned = isPinned
    }
  }

  /// Starts this program anew with `words`, the first of which is its name.
  ///
  /// A child inherits the processors of the thread that starts it: a thread of its own may be tied to the first
  /// processor without tying the generator too.
  static func spawn(_ words: [String], isPinned: Bool) throws(BenchFailure) -> pid_t {
    let order = Order(words, isPinned: isPinned)
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Order>.fromOpaque(context).takeUnretainedValue().carryOut()
        return nil
      }, Unmanaged.passUnretained(order).toOpaque())
    guard failure == 0 else { throw BenchFailure("the system gives no thread: \(String(cString: strerror(failure)))") }
    pthread_join(thread, nil)
    guard order.failure == 0 else { throw BenchFailure("a node cannot be started: \(String(cString: strerror(order.failure)))") }
    return order.process
  }
}

extension ServerChild.Order {
  fileprivate func carryOut() {
    if isPinned {
      failure = -min(0, tidings_pin_thread(0))
      guard failure == 0 else { return }
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The generator blocks signals for itself; the node handles its own.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    // A group of its own: what interrupts the generator at the terminal must not end the node before its report is in.
    posix_spawnattr_setpgroup(&attributes, 0)
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    failure = posix_spawn(&process, "/proc/self/exe", nil, &attributes, &pointers, environ)
  }
}
