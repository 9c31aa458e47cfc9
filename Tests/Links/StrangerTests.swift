import Core
import Links
import Reactor
import Testing
import Wire

@Suite("Strangers at the cluster's port", .timeLimit(.minutes(1)))
struct StrangerTests {
  private static func dial(_ node: TestNode) throws -> FileDescriptor {
    switch TCPConnector.connect(to: node.address) {
    case .pending(let descriptor), .connected(let descriptor): return descriptor
    case .failed(let error): throw error
    }
  }

  private static func send(_ bytes: [UInt8], to descriptor: FileDescriptor) -> IOResult {
    bytes.withUnsafeBytes { descriptor.send($0.baseAddress!, count: $0.count) }
  }

  /// What is left to be read, and whether the end was reached.
  private static func hears(_ descriptor: FileDescriptor) -> (count: Int, isOver: Bool) {
    var bytes = [UInt8](repeating: 0, count: 4096)
    var total = 0
    while true {
      switch descriptor.receive(into: &bytes, count: bytes.count) {
      case .bytes(let count): total += count
      case .wouldBlock: return (total, false)
      case .closed, .failed: return (total, true)
      }
    }
  }

  @Test("One who says nothing is dropped after five seconds")
  func silent() throws {
    let node = try TestNode(1)
    let cluster = TestCluster(node)
    let stranger = try Self.dial(node)
    defer { stranger.close() }
    #expect(cluster.turn { node.port.connectionCount == 1 })
    cluster.turn(for: .milliseconds(4900))
    #expect(node.port.connectionCount == 1)
    #expect(cluster.turn(until: { node.port.connectionCount == 0 }, within: .milliseconds(200)))
    #expect(Self.hears(stranger) == (0, true))
    #expect(node.fact(.silentStranger)?.address?.host == "127.0.0.1" && node.port.counters.strangersDropped == 1)
    #expect(node.events.isEmpty)
  }

  @Test("A node whose peer takes connections and says nothing gives up and tries again")
  func mutePeer() throws {
    let node = try TestNode(1)
    let mute = try TCPListener.claim(loopback, loops: 1)[0]
    defer { mute.close() }
    let cluster = TestCluster(node)
    node.port.connect(to: NodeID(9), at: mute.boundAddress)
    #expect(cluster.turn { node.wasTold(.silentStranger) })
    #expect(cluster.turn { node.port.counters.dials >= 2 })
    #expect(node.events.isEmpty)
  }

  @Test("Garbage is answered with nothing but the end", arguments: [1, 2, 7])
  func garbage(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let node = try TestNode(1)
    let cluster = TestCluster(node)
    let stranger = try Self.dial(node)
    defer { stranger.close() }
    #expect(cluster.turn { node.port.connectionCount == 1 })
    let noise = (0..<3000).map { _ in UInt8(truncatingIfNeeded: random.next() >> 11) }
    #expect(Self.send(noise, to: stranger) == .bytes(3000))
    #expect(cluster.turn { node.port.connectionCount == 0 })
    #expect(Self.hears(stranger) == (0, true))
    #expect(node.fact(.notAMember)?.text.contains("no Tidings node") == true && node.events.isEmpty)
  }

  @Test("A request of a browser is told as what it is")
  func browser() throws {
    let node = try TestNode(1)
    let cluster = TestCluster(node)
    let stranger = try Self.dial(node)
    defer { stranger.close() }
    #expect(cluster.turn { node.port.connectionCount == 1 })
    _ = Self.send(Array("GET / HTTP/1.1\r\n\r\n".utf8), to: stranger)
    #expect(cluster.turn { node.wasTold(.notAMember) })
  }

  @Test("A flood of strangers costs 128 connections, and a node still gets in")
  func flood() throws {
    let node = try TestNode(1)
    let other = try TestNode(2)
    let cluster = TestCluster(node, other)
    var strangers: [FileDescriptor] = []
    defer { for stranger in strangers { stranger.close() } }
    for _ in 0..<300 { strangers.append(try Self.dial(node)) }
    #expect(cluster.turn { node.port.counters.accepted == 300 })
    #expect(node.port.connectionCount == 128 && node.port.counters.strangersDropped == 172)
    #expect(node.facts.filter { $0.kind == .tooManyStrangers }.count == 1)
    other.connect(to: node)
    #expect(cluster.turn(until: { other.isLinked(to: node) }, within: .milliseconds(200)))
    // Linked, it is no stranger, and makes room for nobody.
    for _ in 0..<200 { strangers.append(try Self.dial(node)) }
    #expect(cluster.turn { node.port.counters.accepted == 501 })
    #expect(other.isLinked(to: node) && node.port.connectionCount == 129)
  }

  @Test("A byte changed on the way ends the link before anything of it is believed", arguments: [10, 60, 90, 130, 300, 700])
  func changed(place: Int) throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let relay = try Relay(to: two.address)
    relay.harmedByte = place
    let cluster = TestCluster(one, two)
    cluster.meanwhile = { relay.turn() }
    one.port.connect(to: two.id, at: relay.address)
    #expect(cluster.turn {
      if one.isLinked(to: two) { _ = one.port.send(bulk(5, bytes: 300), to: two.id) }
      return two.wasTold(.forged) || two.wasTold(.notAMember)
    })
    #expect(two.received.allSatisfy { $0.message.number == 5 })
    // The harm was done once: the next attempt is a link like any other.
    #expect(cluster.turn { one.isLinked(to: two) })
  }
}
