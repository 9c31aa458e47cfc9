import Glibc

/// The signals a node listens to, as events of a loop instead of interruptions.
public struct SignalSource: Sendable {
  public enum Signal: Hashable, Sendable {
    case terminate
    case interrupt
    case hangup
  }

  private static let numbers = [SIGTERM, SIGINT, SIGHUP]

  /// Readable when a signal waits.
  public let descriptor: FileDescriptor

  /// Takes the signals over for the whole process and ignores SIGPIPE. Called once, before other threads start:
  /// they inherit what is blocked.
  public static func open() throws(ReactorError) -> SignalSource {
    SystemCalls.ignoreBrokenPipe()
    try SystemCalls.block(numbers)
    return SignalSource(descriptor: try SystemCalls.openSignals(numbers))
  }

  /// The next signal that waits; to be asked until there is none.
  public func next() -> Signal? {
    switch SystemCalls.nextSignal(descriptor) {
    case SIGTERM: .terminate
    case SIGINT: .interrupt
    case SIGHUP: .hangup
    default: nil
    }
  }

  public func close() { descriptor.close() }

  static func blockInThisThread() {
    do {
      try SystemCalls.block(numbers)
    } catch {
      preconditionFailure("signals that exist can be blocked: \(error)")
    }
  }
}
