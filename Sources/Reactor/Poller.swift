/// One epoll instance and the room for the events of one wait.
@usableFromInline
struct Poller: ~Copyable {
  private let descriptor: FileDescriptor
  @usableFromInline let tokens: UnsafeMutablePointer<UInt64>
  @usableFromInline let readiness: UnsafeMutablePointer<UInt32>

  init() throws(ReactorError) {
    descriptor = try SystemCalls.createPoller()
    tokens = .allocate(capacity: SystemCalls.pollEvents)
    readiness = .allocate(capacity: SystemCalls.pollEvents)
  }

  deinit {
    descriptor.close()
    tokens.deallocate()
    readiness.deallocate()
  }

  func add(_ watched: FileDescriptor, _ token: PollToken, _ interest: Interest) throws(ReactorError) {
    try SystemCalls.poll(add: watched, to: descriptor, bits: interest.pollBits, token: token.rawValue)
  }

  func change(_ watched: FileDescriptor, _ token: PollToken, _ interest: Interest) throws(ReactorError) {
    try SystemCalls.poll(change: watched, in: descriptor, bits: interest.pollBits, token: token.rawValue)
  }

  func remove(_ watched: FileDescriptor) {
    SystemCalls.poll(remove: watched, from: descriptor)
  }

  /// Waits and returns how many events lie in `tokens` and `readiness`; a negative timeout waits for ever.
  func wait(timeoutMilliseconds: Int32) -> Int {
    SystemCalls.pollWait(descriptor, tokens, readiness, timeoutMilliseconds: timeoutMilliseconds)
  }
}
