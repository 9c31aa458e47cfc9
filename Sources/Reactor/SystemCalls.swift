import CLinux
import Glibc

/// Every system call of this module. Results are non-negative or a negative error number; a call that a signal
/// interrupted is made again, here and nowhere else.
enum SystemCalls {
  @inline(__always)
  private static func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
      let result = call()
      if result != -Result(EINTR) { return result }
    }
  }

  /// A Glibc call that reports through `errno`, in the manner of the others.
  @inline(__always)
  private static func code(_ result: Int32) -> Int32 { result < 0 ? -errno : result }

  private static func checked(_ name: String, _ call: () -> Int32) throws(ReactorError) -> Int32 {
    let result = retrying(call)
    guard result >= 0 else { throw .call(name, -result) }
    return result
  }

  // MARK: Polling

  static var pollEdge: UInt32 { tidings_poll_edge }
  static let pollEvents = Int(TIDINGS_POLL_EVENTS)

  static func createPoller() throws(ReactorError) -> FileDescriptor {
    FileDescriptor(try checked("epoll_create1") { tidings_poll_create() })
  }

  static func poll(add descriptor: FileDescriptor, to poller: FileDescriptor, bits: UInt32, token: UInt64)
    throws(ReactorError)
  {
    _ = try checked("epoll_ctl") { tidings_poll_add(poller.rawValue, descriptor.rawValue, bits, token) }
  }

  static func poll(change descriptor: FileDescriptor, in poller: FileDescriptor, bits: UInt32, token: UInt64)
    throws(ReactorError)
  {
    _ = try checked("epoll_ctl") { tidings_poll_change(poller.rawValue, descriptor.rawValue, bits, token) }
  }

  static func poll(remove descriptor: FileDescriptor, from poller: FileDescriptor) {
    _ = tidings_poll_remove(poller.rawValue, descriptor.rawValue)
  }

  /// Returns the number of events. A wait that a signal interrupted is over: its timeout may be too.
  static func pollWait(
    _ poller: FileDescriptor, _ tokens: UnsafeMutablePointer<UInt64>, _ readiness: UnsafeMutablePointer<UInt32>,
    timeoutMilliseconds: Int32
  ) -> Int {
    let count = tidings_poll_wait(poller.rawValue, tokens, readiness, timeoutMilliseconds)
    if count == -EINTR { return 0 }
    precondition(count >= 0, "epoll_wait failed: \(ReactorError.text(of: -count))")
    return Int(count)
  }

  // MARK: Bells

  static func createBell() throws(ReactorError) -> FileDescriptor {
    FileDescriptor(try checked("eventfd") { tidings_event_create() })
  }

  /// Edges need no clearing: every ring is a new event. Only a counter that is full is emptied.
  static func ring(_ bell: FileDescriptor) {
    while retrying({ tidings_event_signal(bell.rawValue) }) == -EAGAIN {
      _ = tidings_event_clear(bell.rawValue)
    }
  }

  // MARK: Bytes

  static func receive(_ descriptor: FileDescriptor, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> IOResult {
    precondition(count > 0, "nothing was asked for, so nothing would look like the end")
    let result = retrying { tidings_receive(descriptor.rawValue, bytes, UInt(count)) }
    return result == 0 ? .closed : outcome(result)
  }

  static func send(_ descriptor: FileDescriptor, _ bytes: UnsafeRawPointer, _ count: Int) -> IOResult {
    outcome(retrying { tidings_send(descriptor.rawValue, bytes, UInt(count)) })
  }

  static func send(_ descriptor: FileDescriptor, _ parts: UnsafePointer<iovec>, _ count: Int) -> IOResult {
    outcome(retrying { tidings_send_parts(descriptor.rawValue, parts, Int32(count)) })
  }

  /// One datagram; what is longer than `count` is cut.
  static func receive(
    _ descriptor: FileDescriptor, _ bytes: UnsafeMutableRawPointer, _ count: Int, from storage: inout sockaddr_storage
  ) -> IOResult {
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return outcome(
      retrying {
        withUnsafeMutableBytes(of: &storage) { form in
          tidings_receive_from(
            descriptor.rawValue, bytes, UInt(count), form.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
        }
      })
  }

  static func send(_ descriptor: FileDescriptor, _ bytes: UnsafeRawPointer, _ count: Int, to address: SocketAddress) -> IOResult {
    outcome(
      retrying {
        address.withKernelForm { form, length in tidings_send_to(descriptor.rawValue, bytes, UInt(count), form, length) }
      })
  }

  private static func outcome(_ result: Int) -> IOResult {
    if result >= 0 { return .bytes(result) }
    let code = Int32(-result)
    switch code {
    case EAGAIN: return .wouldBlock
    case EPIPE, ECONNRESET: return .closed
    default: return .failed(code)
    }
  }

  static func finishSending(_ descriptor: FileDescriptor) {
    _ = shutdown(descriptor.rawValue, Int32(SHUT_WR))
  }

  /// Never made again: Linux has let the number go even when it says it was interrupted.
  static func close(_ descriptor: FileDescriptor) {
    let result = Glibc.close(descriptor.rawValue)
    precondition(result == 0 || errno != EBADF, "closed a descriptor that was not open: \(descriptor.rawValue)")
  }

  /// A descriptor that is kept only to be given up.
  static func openReserve() -> FileDescriptor? {
    let result = retrying { code(open("/dev/null", O_RDONLY | O_CLOEXEC)) }
    return result < 0 ? nil : FileDescriptor(result)
  }

  /// A small file of the kernel's as text, or nothing when it is not there.
  static func text(ofFile path: String) -> String? {
    let descriptor = retrying { code(open(path, O_RDONLY | O_CLOEXEC)) }
    guard descriptor >= 0 else { return nil }
    defer { close(FileDescriptor(descriptor)) }
    let text = String(unsafeUninitializedCapacity: 4096) { bytes in
      max(0, retrying { Int(Glibc.read(descriptor, bytes.baseAddress, bytes.count)) })
    }
    return text
  }

  // MARK: Sockets

  static func createStreamSocket(_ family: Int32) throws(ReactorError) -> FileDescriptor {
    FileDescriptor(try checked("socket") { tidings_stream_socket(family) })
  }

  static func createDatagramSocket(_ family: Int32) throws(ReactorError) -> FileDescriptor {
    FileDescriptor(try checked("socket") { tidings_datagram_socket(family) })
  }

  static func setOption(
    _ descriptor: FileDescriptor, _ level: Int32, _ option: Int32, _ value: Int
  ) throws(ReactorError) {
    var value = Int32(clamping: value)
    _ = try checked("setsockopt") {
      code(setsockopt(descriptor.rawValue, level, option, &value, socklen_t(MemoryLayout<Int32>.size)))
    }
  }

  static func option(_ descriptor: FileDescriptor, _ level: Int32, _ option: Int32) throws(ReactorError) -> Int {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    _ = try checked("getsockopt") { code(getsockopt(descriptor.rawValue, level, option, &value, &length)) }
    return Int(value)
  }

  /// Returns 0 or the error number.
  static func bind(_ descriptor: FileDescriptor, to address: SocketAddress) -> Int32 {
    -address.withKernelForm { form, length in code(Glibc.bind(descriptor.rawValue, form, length)) }
  }

  static func listen(_ descriptor: FileDescriptor, backlog: Int32) -> Int32 {
    -code(Glibc.listen(descriptor.rawValue, backlog))
  }

  /// Returns 0, EINPROGRESS or another error number. One that was interrupted goes on by itself.
  static func connect(_ descriptor: FileDescriptor, to address: SocketAddress) -> Int32 {
    let failure = -address.withKernelForm { form, length in code(Glibc.connect(descriptor.rawValue, form, length)) }
    return failure == EINTR ? EINPROGRESS : failure
  }

  static func localAddress(of descriptor: FileDescriptor) throws(ReactorError) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    _ = try checked("getsockname") {
      withUnsafeMutableBytes(of: &storage) { bytes in
        code(getsockname(descriptor.rawValue, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length))
      }
    }
    return SocketAddress(storage)
  }

  /// Returns the connection, or the negative error number.
  static func accept(_ listener: FileDescriptor, peer storage: inout sockaddr_storage) -> Int32 {
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return retrying {
      withUnsafeMutableBytes(of: &storage) { bytes in
        tidings_accept(listener.rawValue, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
      }
    }
  }

  // MARK: Clocks

  static func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  static func wallMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  // MARK: Signals

  static func block(_ signals: [Int32]) throws(ReactorError) {
    _ = try checked("pthread_sigmask") { tidings_signals_block(signals, Int32(signals.count)) }
  }

  static func openSignals(_ signals: [Int32]) throws(ReactorError) -> FileDescriptor {
    FileDescriptor(try checked("signalfd") { tidings_signals_open(signals, Int32(signals.count)) })
  }

  /// The number of the next waiting signal.
  static func nextSignal(_ descriptor: FileDescriptor) -> Int32? {
    let result = retrying { tidings_signals_next(descriptor.rawValue) }
    return result < 0 ? nil : result
  }

  static func ignoreBrokenPipe() { tidings_ignore_broken_pipe() }

  // MARK: The process

  static func allowedProcessors() -> Int { Int(tidings_allowed_processors()) }
  static func allocatedBytes() -> UInt64 { tidings_allocated_bytes() }
  static func nameThread(_ name: String) { _ = tidings_name_thread(name) }

  /// Raises the soft limit as far as the hard one and returns what holds now.
  static func raiseDescriptorLimit() throws(ReactorError) -> Int {
    var limit = rlimit()
    _ = try checked("getrlimit") { code(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)) }
    if limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      _ = try checked("setrlimit") { code(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)) }
    }
    return Int(clamping: limit.rlim_cur)
  }
}
