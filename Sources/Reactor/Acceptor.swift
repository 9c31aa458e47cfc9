public import Core

/// What became of one attempt to take a waiting connection.
public enum AcceptResult: Hashable, Sendable {
  case connection(FileDescriptor, SocketAddress)
  case wouldBlock
  /// The process or the machine has no descriptor left.
  case exhausted(Int32)
  /// The connection was gone before it could be taken; others may wait behind it.
  case vanished
  case failed(Int32)
}

/// What an `Acceptor` needs of a listener; tests give it one that runs out of descriptors on demand.
public protocol AcceptSource {
  /// What to watch.
  var descriptor: FileDescriptor { get }
  func accept() -> AcceptResult
  /// A descriptor that does nothing but occupy its number.
  func openReserve() -> FileDescriptor?
  func close(_ descriptor: FileDescriptor)
  /// Says a last word to a connection that cannot be served, and closes it.
  func refuse(_ connection: FileDescriptor, saying farewell: [UInt8])
}

/// Takes connections from one listener, fairly and without ever spinning.
///
/// Without a descriptor to spare, a waiting connection can neither be taken nor turned away, and a listener
/// watched by levels would wake the loop for ever. So one descriptor is held in reserve: it is given up, the
/// connection taken and refused, the reserve taken back, and accepting stops for a while.
public struct Acceptor<Source: AcceptSource>: ~Copyable {
  /// Connections taken in one turn; the rest have their turn after the other descriptors.
  public static var mostPerTurn: Int { 256 }
  /// How long accepting stops.
  public static var pause: TimeSpan { .milliseconds(100) }

  public enum Outcome: Hashable, Sendable {
    /// Nothing more waits.
    case drained
    /// More may wait; levels say so in the next turn.
    case tookItsShare
    /// Accepting has stopped, for this error, until `resume`: one line for the log.
    case paused(ReactorError)
  }

  public let source: Source
  /// What a refused connection is told, in its protocol; nothing closes it without a word.
  private let farewell: [UInt8]
  private var reserve: FileDescriptor?
  /// Connections taken.
  public private(set) var accepted = 0
  /// Connections refused for want of a descriptor.
  public private(set) var refused = 0
  /// When accepting goes on; nothing while it is on.
  public private(set) var pausedUntil: Instant?

  public init(_ source: Source, farewell: [UInt8] = []) {
    self.source = source
    self.farewell = farewell
    reserve = source.openReserve()
  }

  deinit { if let reserve { source.close(reserve) } }

  /// Takes what waits, up to this turn's share, and hands each connection over.
  public mutating func accept(now: Instant, _ handle: (FileDescriptor, SocketAddress) -> Void) -> Outcome {
    // Counts attempts, so that connections that vanish cannot hold the loop either.
    for _ in 0..<Acceptor.mostPerTurn {
      switch source.accept() {
      case .connection(let connection, let peer):
        accepted += 1
        handle(connection, peer)
      case .wouldBlock: return .drained
      case .vanished: continue
      case .exhausted(let code):
        refuseOne()
        return stop(now: now, code)
      case .failed(let code): return stop(now: now, code)
      }
    }
    return .tookItsShare
  }

  /// Takes up accepting again after a pause.
  public mutating func resume() {
    pausedUntil = nil
    if reserve == nil { reserve = source.openReserve() }
  }

  private mutating func stop(now: Instant, _ code: Int32) -> Outcome {
    pausedUntil = now + Acceptor.pause
    return .paused(.call("accept", code))
  }

  private mutating func refuseOne() {
    guard let held = reserve.take() else { return }
    source.close(held)
    if case .connection(let connection, _) = source.accept() {
      refused += 1
      source.refuse(connection, saying: farewell)
    }
    reserve = source.openReserve()
  }
}
