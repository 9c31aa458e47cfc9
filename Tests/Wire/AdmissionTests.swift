import Core
import Testing

@testable import Wire

@Suite("Whom a node talks to")
struct AdmissionTests {
  static let ours = ClusterID(0xaaaa)

  static func hello(
    _ node: UInt64 = 2, incarnation: UInt64 = 10, cluster: ClusterID? = ours, versions: ClosedRange<UInt16> = 1...1, isRemoved: Bool = false
  ) -> NodeHello {
    NodeHello(
      versions: versions, cluster: cluster, node: NodeID(node), incarnation: incarnation, roles: .broker, knowsItIsRemoved: isRemoved,
      name: "b\(node)")
  }

  var admission = LinkAdmission(own: hello(1, incarnation: 5))

  private mutating func reason(_ hello: NodeHello) -> NodeFarewell.Reason? {
    switch admission.decide(hello) {
    case .welcome: return nil
    case .farewell(let farewell):
      #expect(farewell.text.utf8.count > 40 && farewell.text.utf8.count <= WireLimits.reason)
      return farewell.reason
    }
  }

  @Test("A node of this cluster, or of none yet, is welcome")
  mutating func welcome() {
    #expect(admission.decide(Self.hello()) == .welcome(version: 1))
    #expect(reason(Self.hello(3, cluster: nil)) == nil)
    admission.own.cluster = nil
    #expect(reason(Self.hello(4)) == nil)
    #expect(admission.counters.welcomed == 3)
  }

  @Test("The newest version that both speak is spoken; none is a farewell that says whose is which")
  mutating func versions() {
    admission.own.versions = 2...4
    #expect(admission.decide(Self.hello(versions: 1...3)) == .welcome(version: 3))
    #expect(admission.decide(Self.hello(3, versions: 4...9)) == .welcome(version: 4))
    #expect(reason(Self.hello(4, versions: 5...9)) == .version)
    guard case .farewell(let farewell) = admission.decide(Self.hello(4, versions: 1...1)) else {
      Issue.record("welcomed")
      return
    }
    #expect(farewell.text.contains("versions 1 of") && farewell.text.contains("2 to 4"))
    #expect(admission.counters[.version] == 2)
  }

  @Test("Another cluster's node is sent away")
  mutating func wrongCluster() {
    #expect(reason(Self.hello(cluster: ClusterID(0xbbbb))) == .wrongCluster)
    #expect(admission.counters[.wrongCluster] == 1)
  }

  @Test("A removed node stays removed, whoever knows of it")
  mutating func removed() {
    admission.setRemoved([NodeID(9), NodeID(2)])
    #expect(reason(Self.hello(2)) == .removed)
    #expect(reason(Self.hello(3, isRemoved: true)) == .removed)
    #expect(reason(Self.hello(8)) == nil)
    admission.setRemoved((0..<2000).map { NodeID(100 + UInt64($0)) })
    #expect(reason(Self.hello(100)) == nil)
    #expect(reason(Self.hello(2099)) == .removed)
  }

  @Test("A node that dials itself learns it; a copy of it is told apart")
  mutating func itself() {
    #expect(reason(Self.hello(1, incarnation: 5)) == .ownAddress)
    #expect(reason(Self.hello(1, incarnation: 6)) == .sameIdentity)
    #expect(reason(Self.hello(1, incarnation: 4)) == .sameIdentity)
  }

  @Test("Two processes with one identity are not both linked; a restarted one is, once the old link is gone")
  mutating func twice() {
    let old = Self.hello(incarnation: 10)
    let new = Self.hello(incarnation: 11)
    #expect(reason(old) == nil)
    #expect(reason(old) == nil)
    #expect(reason(new) == .sameIdentity)
    admission.linkClosed(old)
    #expect(reason(new) == .sameIdentity)
    admission.linkClosed(old)
    #expect(reason(new) == nil)
    #expect(reason(old) == .oldIncarnation)
    // The old link's end, told late, does not end the new one.
    admission.linkClosed(old)
    #expect(reason(Self.hello(incarnation: 12)) == .sameIdentity)
  }

  @Test("A hello from before a restart that the gossip told of is refused")
  mutating func replay() {
    admission.learn(NodeID(2), incarnation: 50)
    #expect(reason(Self.hello(incarnation: 49)) == .oldIncarnation)
    #expect(reason(Self.hello(incarnation: 50)) == nil)
    admission.learn(NodeID(2), incarnation: 3)
    #expect(reason(Self.hello(incarnation: 49)) == .oldIncarnation)
  }

  @Test("A node that is about to stop takes no more links")
  mutating func draining() {
    admission.isDraining = true
    #expect(reason(Self.hello()) == .draining)
  }

  @Test("No more nodes are remembered than there may be; those with links stay")
  mutating func crowded() {
    #expect(reason(Self.hello(2, incarnation: 10)) == nil)
    for node in 0..<WireLimits.nodes + 50 { admission.learn(NodeID(UInt64(1000 + node)), incarnation: 7) }
    #expect(reason(Self.hello(2, incarnation: 9)) == .oldIncarnation)
    for node in 1..<WireLimits.nodes { #expect(admission.decide(Self.hello(UInt64(100_000 + node))) == .welcome(version: 1)) }
    #expect(reason(Self.hello(3)) == .crowded)
    admission.linkClosed(Self.hello(100_001))
    #expect(reason(Self.hello(3)) == nil)
  }

  @Test("What cannot be read is counted, and named")
  mutating func unreadable() {
    #expect(admission.unreadable(.unknownKind(40)).text.contains("unknownKind(40)"))
    #expect(admission.counters[.unreadable] == 1)
  }

  @Test("A hello says how many shards and replicas the cluster has, and no more than there can be")
  func clusterShape() throws {
    var hello = Self.hello()
    #expect(hello.shards == 0 && hello.replicas == 0)
    hello.shards = UInt16(WireLimits.shards)
    hello.replicas = UInt8(WireLimits.replicas)
    var buffer = ByteBuffer()
    try NodeMessage.hello(hello).encode(into: &buffer)
    guard case .hello(let read) = try NodeMessage(decoding: Bytes(copying: buffer.bytes)) else {
      Issue.record("another message")
      return
    }
    #expect(read == hello)
    var tooMany = hello
    tooMany.shards += 1
    #expect(throws: WireRefusal.outOfBounds) { try NodeMessage.hello(tooMany).encode(into: &buffer) }
    tooMany = hello
    tooMany.replicas += 1
    #expect(throws: WireRefusal.outOfBounds) { try NodeMessage.hello(tooMany).encode(into: &buffer) }
  }
}
