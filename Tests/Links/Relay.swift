import Core
import Reactor

/// A wire between two nodes that a test holds: it passes bytes on in pieces, changes them, or stands still.
final class Relay {
  private let listener: TCPListener
  private let target: SocketAddress
  private var pairs: [(from: FileDescriptor, to: FileDescriptor)] = []
  /// The most that is passed on at once.
  var pieceBytes = 4096
  var stands = false
  /// Passed on in this direction so far: away from who dialled.
  private(set) var passed = 0
  /// The byte of that direction to be changed.
  var harmedByte: Int?

  init(to target: SocketAddress) throws {
    listener = try TCPListener.claim(loopback, loops: 1)[0]
    self.target = target
  }

  deinit {
    cut()
    listener.close()
  }

  var address: SocketAddress { listener.boundAddress }

  func cut() {
    for pair in pairs {
      pair.from.close()
      pair.to.close()
    }
    pairs.removeAll()
  }

  /// Passes on one piece each way; true if there was one.
  func turn() -> Bool {
    var happened = false
    while case .connection(let from, _) = listener.accept() {
      switch TCPConnector.connect(to: target) {
      case .pending(let to), .connected(let to): pairs.append((from, to))
      case .failed: from.close()
      }
      happened = true
    }
    guard !stands else { return happened }
    for pair in pairs {
      if pass(pair.from, pair.to, isAway: true) { happened = true }
      if pass(pair.to, pair.from, isAway: false) { happened = true }
    }
    return happened
  }

  private func pass(_ from: FileDescriptor, _ to: FileDescriptor, isAway: Bool) -> Bool {
    var bytes = [UInt8](repeating: 0, count: pieceBytes)
    guard case .bytes(let count) = from.receive(into: &bytes, count: pieceBytes) else { return false }
    if isAway {
      if let harmedByte, (passed..<passed + count).contains(harmedByte) { bytes[harmedByte - passed] ^= 0x10 }
      passed += count
    }
    var sent = 0
    while sent < count {
      let result = bytes.withUnsafeBytes { to.send($0.baseAddress! + sent, count: count - sent) }
      guard case .bytes(let more) = result else {
        if case .wouldBlock = result { continue }
        return true
      }
      sent += more
    }
    return true
  }
}
