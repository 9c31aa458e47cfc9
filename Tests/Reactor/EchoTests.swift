import Core
import Glibc
import Testing

@testable import Reactor

@Suite("End to end", .timeLimit(.minutes(1)))
struct EchoTests {
  private static let listenerKind: UInt8 = 1
  private static let connectionKind: UInt8 = 2

  private final class EchoServer: ReactorApplication {
    typealias Mail = Never

    private struct Connection {
      let descriptor: FileDescriptor
      var unsent: [UInt8] = []
      var isDirty = false
    }

    private let loop: ReactorLoop<EchoServer>
    private var acceptor: Acceptor<TCPListener>
    private var connections = SlotTable<Connection>()
    private var dirty: [SlotKey] = []
    private var buffer = [UInt8](repeating: 0, count: 4096)

    init(_ loop: ReactorLoop<EchoServer>, _ listener: TCPListener) {
      self.loop = loop
      acceptor = Acceptor(listener)
    }

    func started(on loop: ReactorLoop<EchoServer>) {
      do { try loop.startAccepting(acceptor, PollToken(kind: listenerKind)) } catch { Issue.record(error) }
    }

    func ready(_ token: PollToken, _ readiness: Readiness) {
      guard token.kind == listenerKind else { return serve(token.slot) }
      _ = loop.accept(&acceptor, resumeKey: TimerKey(0)) { descriptor, _ in
        let key = connections.insert(Connection(descriptor: descriptor))
        do { try loop.watch(descriptor, PollToken(kind: connectionKind, key), .connection) } catch { Issue.record(error) }
      }
    }

    private func serve(_ key: SlotKey) {
      guard let descriptor = connections[key]?.descriptor else { return }
      while true {
        switch descriptor.receive(into: &buffer, count: buffer.count) {
        case .bytes(let count):
          let isNew = connections.update(key) { connection in
            connection.unsent += buffer[..<count]
            defer { connection.isDirty = true }
            return !connection.isDirty
          }
          if isNew == true { dirty.append(key) }
        case .wouldBlock:
          if connections[key]?.unsent.isEmpty == false { dirty.append(key) }
          return
        case .closed, .failed:
          connections.remove(key)?.descriptor.close()
          return
        }
      }
    }

    func expired(_ timer: TimerKey) {}
    func received(_ mail: inout [Never]) {}

    func turnEnds() {
      for key in dirty {
        _ = connections.update(key) { connection in
          connection.isDirty = false
          guard !connection.unsent.isEmpty else { return }
          if case .bytes(let sent) = connection.descriptor.send(connection.unsent, count: connection.unsent.count) {
            connection.unsent.removeFirst(sent)
          }
        }
      }
      dirty.removeAll(keepingCapacity: true)
    }

    func stopped() {
      for key in connections.keys { connections.remove(key)?.descriptor.close() }
      acceptor.source.close()
    }
  }

  /// Opens connections, sends each its own bytes and checks that they come back whole.
  private final class Clients: ReactorApplication {
    typealias Mail = Never

    private struct Client {
      let descriptor: FileDescriptor
      let bytes: [UInt8]
      var sent = 0
      var echoed = 0
    }

    private let loop: ReactorLoop<Clients>
    private let address: SocketAddress
    private let wanted: Int
    private var random = TestGenerator(seed: 1000)
    private var clients = SlotTable<Client>()
    private var buffer = [UInt8](repeating: 0, count: 4096)
    var finished = 0
    var wrong = 0

    init(_ loop: ReactorLoop<Clients>, _ address: SocketAddress, wanted: Int) {
      self.loop = loop
      self.address = address
      self.wanted = wanted
    }

    func started(on loop: ReactorLoop<Clients>) {
      for _ in 0..<wanted {
        switch TCPConnector.connect(to: address) {
        case .pending(let descriptor), .connected(let descriptor):
          let bytes = (0..<random.below(20_000) + 1).map { _ in UInt8(truncatingIfNeeded: random.next()) }
          let key = clients.insert(Client(descriptor: descriptor, bytes: bytes))
          let token = PollToken(kind: connectionKind, key)
          do { try loop.watch(descriptor, token, .connection) } catch { Issue.record(error) }
        case .failed(let error):
          Issue.record(error)
          return loop.stop()
        }
      }
    }

    func ready(_ token: PollToken, _ readiness: Readiness) {
      guard var client = clients[token.slot] else { return }
      if readiness.contains(.writable) { send(&client) }
      if readiness.contains(.readable) { receive(&client) }
      _ = clients.update(token.slot) { $0 = client }
      guard readiness.contains(.error) || client.echoed >= client.bytes.count else { return }
      if readiness.contains(.error) || client.echoed > client.bytes.count { wrong += 1 }
      // All stay open until the last is served, so that there really are that many at once.
      finished += 1
      if finished == wanted { loop.stop() }
    }

    private func send(_ client: inout Client) {
      while client.sent < client.bytes.count {
        let result = client.bytes.withUnsafeBytes { bytes in
          client.descriptor.send(bytes.baseAddress! + client.sent, count: bytes.count - client.sent)
        }
        guard case .bytes(let count) = result else { return }
        client.sent += count
      }
    }

    private func receive(_ client: inout Client) {
      while case .bytes(let count) = client.descriptor.receive(into: &buffer, count: buffer.count) {
        let end = client.echoed + count
        if end > client.bytes.count || client.bytes[client.echoed..<end] != buffer[..<count] { wrong += 1 }
        client.echoed = end
      }
    }

    func expired(_ timer: TimerKey) {}
    func received(_ mail: inout [Never]) {}
    func turnEnds() {}

    func stopped() {
      for key in clients.keys { clients.remove(key)?.descriptor.close() }
    }
  }

  @Test("a thousand connections over two loops get back exactly what they sent")
  func echo() throws {
    _ = try Machine.raiseDescriptorLimit()
    let wanted = 1000
    let listeners = try TCPListener.claim(loopback, loops: 2)
    let servers = try listeners.enumerated().map { index, listener in
      try ReactorThread<EchoServer>.start(index: index) { loop in EchoServer(loop, listener) }
    }
    let loop = try ReactorLoop<Clients>(index: 9)
    let clients = Clients(loop, listeners[0].boundAddress, wanted: wanted)
    loop.run(clients)
    for server in servers { server.mailbox.requestStop() }
    for server in servers { server.join() }
    #expect(clients.finished == wanted)
    #expect(clients.wrong == 0)
    #expect(loop.counters.working > .zero)
  }
}
