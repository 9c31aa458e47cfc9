public import Core
internal import Glibc

/// Publishes one message for every line of its input, in order: whatever has arrived goes out as one request,
/// so that single lines leave at once and a flood leaves in large pieces.
public final class LinePublisher {
  /// How much is read at once.
  static let readSize = 64 << 10
  /// A line that is still not over here is none.
  public static let maximumLineSize = 64 << 20
  /// With keys, how long a batch is tried again before giving up.
  public static let patience = TimeSpan.seconds(60)

  /// Lines that were not published, or of which that is not known.
  public struct Failure: Hashable, Sendable {
    public let line: Int
    public let reason: String
  }

  public struct Summary: Hashable, Sendable {
    public var published = 0
    public var failed = 0
  }

  private let client: HTTPClient
  private let input: Int32
  private let isRepeatable: Bool
  private let onFailure: (Failure) -> Void
  private var batch: LineBatch
  private var pending = ByteBuffer()
  private var lineNumber = 0
  private var summary = Summary()
  private var generator: SeededGenerator

  /// With `keyPrefix`, which must be new for every run, each line carries an idempotency key and batches are
  /// repeated when the connection breaks; without, a broken connection ends the run. `input`
  /// stays open; it is standard input unless said otherwise.
  public init(
    client: HTTPClient, options: PublishOptions, input: Int32 = 0, keyPrefix: String? = nil, seed: UInt64,
    onFailure: @escaping (Failure) -> Void
  ) {
    self.client = client
    self.input = input
    isRepeatable = keyPrefix != nil
    batch = LineBatch(options, keyPrefix: keyPrefix)
    generator = SeededGenerator(seed: seed)
    self.onFailure = onFailure
  }

  /// Reads to the end of the input; a last line without its end is a line too.
  public func run() throws(ClientFailure) -> Summary {
    var isAtEnd = false
    while !isAtEnd {
      isAtEnd = try !read()
      try takeLines(andTheRest: isAtEnd)
      try send()
    }
    return summary
  }

  private func read() throws(ClientFailure) -> Bool {
    while true {
      let count = Glibc.read(input, pending.reserve(LinePublisher.readSize), LinePublisher.readSize)
      if count > 0 {
        pending.advance(count)
        return true
      }
      if count == 0 { return false }
      if errno == EAGAIN {
        var entry = pollfd(fd: input, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, -1)
      } else if errno != EINTR {
        throw .input(reason: systemReason(errno))
      }
    }
  }

  private func takeLines(andTheRest isAtEnd: Bool) throws(ClientFailure) {
    var start = 0
    while start < pending.count {
      let end = lineEnd(from: start)
      guard end < pending.count || isAtEnd else { break }
      lineNumber += 1
      if try !take(start..<end) {
        try send()
        _ = try take(start..<end)
      }
      start = end + 1
    }
    pending.removeFirst(min(start, pending.count))
    guard pending.count <= LinePublisher.maximumLineSize else {
      throw .input(reason: "line \(lineNumber + 1) is longer than \(ByteSize.text(LinePublisher.maximumLineSize))")
    }
  }

  /// Where the next line feed stands, or the end of what was read.
  private func lineEnd(from start: Int) -> Int {
    pending.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, let found = memchr(base + start, 0x0A, bytes.count - start) else { return bytes.count }
      return UnsafeRawPointer(found) - base
    }
  }

  /// False when the batch must go first.
  private func take(_ range: Range<Int>) throws(ClientFailure) -> Bool {
    let addition = pending.withUnsafeBytes { batch.add(UnsafeRawBufferPointer(rebasing: $0[range]), number: lineNumber) }
    if case .unfit(let reason) = addition { fail(lineNumber, reason) }
    return addition != .full
  }

  private func fail(_ line: Int, _ reason: String) {
    summary.failed += 1
    onFailure(Failure(line: line, reason: reason))
  }

  private func send() throws(ClientFailure) {
    let numbers = batch.numbers
    guard !numbers.isEmpty else { return }
    defer { batch.removeAll() }
    do throws(ClientFailure) {
      let answer = try BatchAnswer(performPatiently(batch.request()), expecting: numbers.count)
      for failure in answer.failures where numbers.indices.contains(failure.index) {
        fail(numbers[failure.index], failure.reason)
      }
      summary.published += numbers.count - answer.failures.count
    } catch {
      // A refusal of the whole batch says that nothing of it was published; after anything else nobody knows.
      let isKnown = if case .refused = error { true } else { false }
      for number in numbers { fail(number, isKnown ? "\(error)" : "\(error); it may have been published") }
      guard isKnown, !error.isTransient else { throw error }
    }
  }

  private func performPatiently(_ request: ClientRequest) throws(ClientFailure) -> ClientAnswer {
    let end = ClientClock.now + LinePublisher.patience
    var backoff = Backoff()
    while true {
      var retryAfter: TimeSpan?
      do throws(ClientFailure) {
        let answer = try client.perform(request)
        let isTransient = answer.status == 408 || answer.status == 429 || answer.status >= 500
        guard isTransient, isRepeatable, ClientClock.now < end else { return answer }
        retryAfter = answer.retryAfter
      } catch {
        guard isRepeatable, error.isTransient, ClientClock.now < end else { throw error }
      }
      ClientClock.wait(backoff.next(atLeast: retryAfter, using: &generator))
    }
  }
}
