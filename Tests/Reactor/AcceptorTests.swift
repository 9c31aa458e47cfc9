import Core
import Glibc
import Testing

@testable import Reactor

@Suite("Accepting")
struct AcceptorTests {
  /// A listener with connections waiting, in a process with so many descriptors to spare.
  private final class ScarceSource: AcceptSource {
    let descriptor = FileDescriptor(998)
    var waiting: Int
    var spare: Int
    var vanishing = 0
    var failure: Int32?
    var refusedSaying: [[UInt8]] = []
    var attempts = 0

    init(waiting: Int, spare: Int) {
      self.waiting = waiting
      self.spare = spare
    }

    func accept() -> AcceptResult {
      attempts += 1
      if let failure { return .failed(failure) }
      if vanishing > 0 {
        vanishing -= 1
        return .vanished
      }
      guard waiting > 0 else { return .wouldBlock }
      guard spare > 0 else { return .exhausted(EMFILE) }
      spare -= 1
      waiting -= 1
      return .connection(FileDescriptor(1000), loopback)
    }

    func openReserve() -> FileDescriptor? {
      guard spare > 0 else { return nil }
      spare -= 1
      return FileDescriptor(999)
    }

    func close(_ descriptor: FileDescriptor) { spare += 1 }

    func refuse(_ connection: FileDescriptor, saying farewell: [UInt8]) {
      refusedSaying.append(farewell)
      spare += 1
    }
  }

  @Test("a turn takes at most its share and the next turn takes the rest")
  func fairness() {
    let source = ScarceSource(waiting: 300, spare: 1000)
    var acceptor = Acceptor(source)
    #expect(acceptor.accept(now: .zero) { _, _ in } == .tookItsShare)
    #expect(acceptor.accepted == 256)
    #expect(acceptor.accept(now: .zero) { _, _ in } == .drained)
    #expect(acceptor.accepted == 300)
  }

  @Test("without descriptors one connection is refused in words, the reserve comes back and accepting pauses")
  func exhaustion() {
    let source = ScarceSource(waiting: 10, spare: 4)
    var acceptor = Acceptor(source, farewell: [1, 2, 3])
    var handed = 0
    let outcome = acceptor.accept(now: milliseconds(5)) { _, _ in handed += 1 }
    #expect(outcome == .paused(.call("accept", EMFILE)))
    #expect(handed == 3 && acceptor.accepted == 3 && acceptor.refused == 1)
    #expect(source.refusedSaying == [[1, 2, 3]])
    #expect(source.spare == 0, "the reserve is held again")
    #expect(acceptor.pausedUntil == milliseconds(105))
    #expect(source.attempts == 5, "three taken, one in vain, one refused")

    acceptor.resume()
    #expect(acceptor.pausedUntil == nil)
    source.spare += 20
    #expect(acceptor.accept(now: milliseconds(105)) { _, _ in } == .drained)
    #expect(acceptor.accepted == 9)
  }

  @Test("a reserve that could not be taken back is taken after the pause")
  func reserveComesBack() {
    let source = ScarceSource(waiting: 3, spare: 0)
    var acceptor = Acceptor(source)
    #expect(acceptor.accept(now: .zero) { _, _ in } == .paused(.call("accept", EMFILE)))
    #expect(acceptor.refused == 0 && source.waiting == 3)
    source.spare = 1
    acceptor.resume()
    #expect(source.spare == 0)
    #expect(acceptor.accept(now: .zero) { _, _ in } == .paused(.call("accept", EMFILE)))
    #expect(acceptor.refused == 1 && source.waiting == 2)
  }

  @Test("connections that vanish while waiting do not end the turn, nor hold it for ever")
  func vanished() {
    let source = ScarceSource(waiting: 1, spare: 9)
    source.vanishing = 5
    var acceptor = Acceptor(source)
    #expect(acceptor.accept(now: .zero) { _, _ in } == .drained)
    #expect(acceptor.accepted == 1)
    source.vanishing = .max
    #expect(acceptor.accept(now: .zero) { _, _ in } == .tookItsShare)
  }

  @Test("an error nobody expected pauses too")
  func unexpected() {
    let source = ScarceSource(waiting: 1, spare: 9)
    source.failure = ENOMEM
    var acceptor = Acceptor(source)
    #expect(acceptor.accept(now: .zero) { _, _ in } == .paused(.call("accept", ENOMEM)))
    #expect(acceptor.pausedUntil != nil)
  }

  @Test("a refused connection hears the farewell before it ends, though it had something to say")
  func farewell() throws {
    let listener = try TCPListener.claim(loopback, loops: 1)[0]
    defer { listener.close() }
    let client = try #require(TCPConnector.connect(to: listener.boundAddress).descriptor)
    defer { client.close() }
    var entry = pollfd(fd: client.rawValue, events: Int16(POLLOUT), revents: 0)
    #expect(poll(&entry, 1, 5000) == 1)
    #expect(client.send([UInt8](repeating: 65, count: 500), count: 500) == .bytes(500))
    guard case .connection(let connection, _) = listener.accept() else {
      Issue.record("no connection came")
      return
    }
    listener.refuse(connection, saying: Array("busy".utf8))
    entry.events = Int16(POLLIN)
    #expect(poll(&entry, 1, 5000) == 1)
    var heard = ByteBuffer()
    #expect(client.receive(into: &heard, atMost: 64) == .bytes(4))
    #expect(heard.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } == "busy")
  }
}

extension TCPConnector.Outcome {
  fileprivate var descriptor: FileDescriptor? {
    switch self {
    case .pending(let descriptor), .connected(let descriptor): descriptor
    case .failed: nil
    }
  }
}
