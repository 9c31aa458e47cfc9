import Core
import Glibc
import Testing

@testable import Reactor

@Suite("Listeners")
struct ListenerTests {
  @Test("port 0 tells the port it became, and every loop listens there")
  func portZero() throws {
    let listeners = try TCPListener.claim(loopback, loops: 3)
    defer { for listener in listeners { listener.close() } }
    #expect(listeners.count == 3)
    #expect(Set(listeners.map(\.boundAddress)).count == 1)
    #expect(listeners[0].boundAddress.port != 0)
  }

  @Test("connections spread over the listeners of one port")
  func spread() throws {
    let listeners = try TCPListener.claim(loopback, loops: 2)
    defer { for listener in listeners { listener.close() } }
    var connections: [FileDescriptor] = []
    defer { for connection in connections { connection.close() } }
    for _ in 0..<64 { connections.append(try connect(to: listeners[0].boundAddress)) }
    let taken = listeners.map { listener in
      var count = 0
      while case .connection(let connection, let peer) = listener.accept() {
        #expect(peer.isLoopback)
        connection.close()
        count += 1
      }
      return count
    }
    #expect(taken[0] > 0 && taken[1] > 0 && taken[0] + taken[1] == 64)
  }

  @Test("a port another node listens on is an error, though that node shares it among its own loops")
  func portInUse() throws {
    let first = try TCPListener.claim(loopback, loops: 2)
    let address = first[0].boundAddress
    #expect(throws: ReactorError.addressInUse(address.description)) { try TCPListener.claim(address, loops: 2) }
    #expect(throws: ReactorError.addressInUse(address.description)) { try TCPListener.claim(address, loops: 1) }
    #expect(ReactorError.addressInUse("127.0.0.1:8080").description == "127.0.0.1:8080 is already in use")
    for listener in first { listener.close() }
    for listener in try TCPListener.claim(address, loops: 2) { listener.close() }
  }

  @Test("a port whose last connections are winding down can be listened on again")
  func windingDown() throws {
    let listeners = try TCPListener.claim(loopback, loops: 2)
    let client = try connect(to: listeners[0].boundAddress)
    for listener in listeners {
      // Closed on this side first: this side keeps the port in TIME_WAIT.
      if case .connection(let connection, _) = listener.accept() { connection.close() }
      listener.close()
    }
    client.close()
    for listener in try TCPListener.claim(listeners[0].boundAddress, loops: 2) { listener.close() }
  }

  @Test("a name is listened on at every address it has, all with one port")
  func names() throws {
    let perLoop = try TCPListener.claim(Address(host: "localhost", port: 0), loops: 2)
    defer { for listener in perLoop.joined() { listener.close() } }
    #expect(perLoop.count == 2 && !perLoop[0].isEmpty && perLoop[0].count == perLoop[1].count)
    #expect(Set(perLoop.joined().map(\.boundAddress.port)).count == 1)
    let allLoopback = perLoop.joined().allSatisfy { $0.boundAddress.isLoopback }
    #expect(allLoopback)
  }

  @Test("everywhere means IPv4 too")
  func everywhere() throws {
    let perLoop = try TCPListener.claim(Address(host: "*", port: 0), loops: 1)
    defer { for listener in perLoop.joined() { listener.close() } }
    #expect(perLoop[0].count == 1)
    let connection = try connect(to: .v4(127, 0, 0, 1, port: perLoop[0][0].boundAddress.port))
    connection.close()
  }

  @Test("an address of another machine is refused by name")
  func foreignAddress() {
    #expect(throws: ReactorError.addressUnavailable("192.0.2.1:0")) {
      try TCPListener.claim(.v4(192, 0, 2, 1, port: 0), loops: 1)
    }
  }

  @Test("connections inherit the listener's options")
  func inheritedOptions() throws {
    var options = SocketOptions()
    options.unsentLowWater = 16_384
    options.keepAlive?.idleSeconds = 77
    let listeners = try TCPListener.claim(loopback, loops: 1, options: options)
    defer { listeners[0].close() }
    let client = try connect(to: listeners[0].boundAddress)
    defer { client.close() }
    guard case .connection(let connection, _) = listeners[0].accept() else {
      Issue.record("no connection came")
      return
    }
    defer { connection.close() }
    let tcp = Int32(IPPROTO_TCP)
    #expect(try SystemCalls.option(connection, tcp, TCP_NODELAY) != 0)
    #expect(try SystemCalls.option(connection, tcp, TCP_NOTSENT_LOWAT) == 16_384)
    #expect(try SystemCalls.option(connection, SOL_SOCKET, SO_KEEPALIVE) != 0)
    #expect(try SystemCalls.option(connection, tcp, TCP_KEEPIDLE) == 77)
  }

  @Test("connecting where nobody listens fails")
  func refused() throws {
    let listeners = try TCPListener.claim(loopback, loops: 1)
    listeners[0].close()
    #expect(throws: ReactorError.self) { try connect(to: listeners[0].boundAddress) }
  }

  @Test("reads and writes answer with waiting and the end, not with errors")
  func ioResults() throws {
    let listeners = try TCPListener.claim(loopback, loops: 1)
    defer { listeners[0].close() }
    let client = try connect(to: listeners[0].boundAddress)
    guard case .connection(let server, _) = listeners[0].accept() else {
      Issue.record("no connection came")
      return
    }
    defer { server.close() }
    var buffer = ByteBuffer()
    #expect(server.receive(into: &buffer, atMost: 16) == .wouldBlock)
    var list = GatherList()
    let words: [StaticString] = ["one ", "two ", "three"]
    for word in words { #expect(list.append(word.utf8Start, count: word.utf8CodeUnitCount) == true) }
    #expect(list.byteCount == 13 && list.send(to: client) == .bytes(13))
    #expect(server.receive(into: &buffer, atMost: 8) == .bytes(8))
    #expect(server.receive(into: &buffer, atMost: 64) == .bytes(5))
    #expect(buffer.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } == "one two three")
    client.close()
    #expect(server.receive(into: &buffer, atMost: 8) == .closed)
    list.removeAll()
    while list.append(words[0].utf8Start, count: 1) {}
    #expect(list.count == GatherList.capacity && list.isFull)
    // The first write meets a peer that is gone and draws a reset, the second finds the connection reset.
    _ = list.send(to: server)
    #expect(list.send(to: server) == .closed)
  }

  /// Connects on loopback, where it is decided at once or soon.
  private func connect(to address: SocketAddress) throws -> FileDescriptor {
    switch TCPConnector.connect(to: address) {
    case .connected(let descriptor): return descriptor
    case .failed(let error): throw error
    case .pending(let descriptor):
      var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLOUT), revents: 0)
      #expect(poll(&entry, 1, 5000) == 1)
      if let failure = TCPConnector.failure(of: descriptor) {
        descriptor.close()
        throw failure
      }
      return descriptor
    }
  }
}
