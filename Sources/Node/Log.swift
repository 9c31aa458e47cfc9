import Core
import Glibc
import Synchronization

/// The node's log: structured lines to standard error, from any thread.
///
/// A line is one write of at most a pipe's atomic size. Where nobody reads the other end, lines are dropped and
/// counted rather than waited for: a stuck log collector must not stop a reactor.
public final class Log: Sendable {
  public let level: LogLevel
  public let format: LogFormat
  private let descriptor: Int32
  private let state = Mutex(State())

  private struct State {
    var limiter = LogLimiter()
    var dropped = 0
  }

  /// How long the writer of an error waits for room, in milliseconds: it may be the last thing the process says.
  private static let errorPatienceMilliseconds: Int32 = 200

  /// - Parameter format: nil chooses text on a terminal, else JSON.
  public init(level: LogLevel = .info, format: LogFormat? = nil, descriptor: Int32 = 2) {
    self.level = level
    self.format = format ?? (isatty(descriptor) == 1 ? .text : .json)
    self.descriptor = descriptor
  }

  public func error(_ event: String, _ sentence: String? = nil, _ fields: KeyValuePairs<String, LogValue> = [:]) {
    write(.error, event, sentence, fields)
  }

  public func warning(_ event: String, _ sentence: String? = nil, _ fields: KeyValuePairs<String, LogValue> = [:]) {
    write(.warning, event, sentence, fields)
  }

  public func info(_ event: String, _ sentence: String? = nil, _ fields: KeyValuePairs<String, LogValue> = [:]) {
    write(.info, event, sentence, fields)
  }

  public func debug(
    _ event: String, _ sentence: @autoclosure () -> String? = nil,
    _ fields: @autoclosure () -> KeyValuePairs<String, LogValue> = [:]
  ) {
    guard level >= .debug else { return }
    write(.debug, event, sentence(), fields())
  }

  /// Says what was held back; before the process ends.
  public func finish() {
    let now = Log.monotonicTime
    state.withLock { state in
      for repetition in state.limiter.finish(at: now) { say(repetition, &state) }
    }
  }

  private func write(_ level: LogLevel, _ event: String, _ sentence: String?, _ fields: KeyValuePairs<String, LogValue>) {
    guard level <= self.level else { return }
    let now = Log.monotonicTime
    let line = LogLine(
      time: Log.wallTime, level: level, event: event, sentence: sentence, fields: fields.map { ($0.key, $0.value) })
    state.withLock { state in
      for repetition in state.limiter.sweep(at: now) { say(repetition, &state) }
      // Whoever asks for debug lines wants all of them.
      guard level == .debug || state.limiter.admits(event, at: now) else { return }
      put(line, &state)
    }
  }

  private func say(_ repetition: LogLimiter.Repetition, _ state: inout State) {
    let fields: [(String, LogValue)] = [("repeated", .number(repetition.count))]
    put(
      LogLine(
        time: Log.wallTime, level: .info, event: repetition.event, sentence: "repeated \(repetition.count) times", fields: fields),
      &state)
  }

  private func put(_ line: LogLine, _ state: inout State) {
    let patience = line.level == .error ? Log.errorPatienceMilliseconds : 0
    var buffer = ByteBuffer(capacity: 512)
    if state.dropped > 0 {
      let fields: [(String, LogValue)] = [("dropped", .number(state.dropped))]
      let confession = LogLine(
        time: line.time, level: .warning, event: "log-dropped", sentence: "lines were dropped because nobody read them",
        fields: fields)
      confession.write(as: format, into: &buffer)
      if send(buffer, patience) { state.dropped = 0 }
      buffer.removeAll()
    }
    line.write(as: format, into: &buffer)
    if !send(buffer, patience) { state.dropped += 1 }
  }

  /// Whether the line went out; a descriptor that cannot take it now does not get it.
  private func send(_ buffer: borrowing ByteBuffer, _ patience: Int32) -> Bool {
    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    guard poll(&ready, 1, patience) == 1, ready.revents & Int16(POLLOUT) != 0 else { return false }
    return buffer.withUnsafeBytes { bytes in
      var written = -1
      repeat { written = Glibc.write(descriptor, bytes.baseAddress, bytes.count) } while written < 0 && errno == EINTR
      return written == bytes.count
    }
  }

  private static var wallTime: WallTime {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }

  private static var monotonicTime: Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}
