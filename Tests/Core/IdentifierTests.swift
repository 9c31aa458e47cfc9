import Core
import Testing

@Suite("Identifiers")
struct IdentifierTests {
  @Test("A node's identity is sixteen digits and reads back", arguments: [0, 1, 0xdead_beef, UInt64.max])
  func nodes(value: UInt64) {
    let text = NodeID(value).description
    #expect(text.utf8.count == 16)
    #expect(NodeID(text) == NodeID(value))
  }

  @Test("What is not sixteen hexadecimal digits is no node", arguments: ["", "1", "+00000000000000f", "-000000000000000", "000000000000000g", "00000000000000001"])
  func notNodes(text: String) {
    #expect(NodeID(text) == nil)
  }

  @Test("A cluster's identity is twelve digits, reads back, and keeps 48 bits", arguments: [0, 1, 0x5f0c_9a1b_e27d, UInt64.max])
  func clusters(value: UInt64) {
    let cluster = ClusterID(value)
    #expect(cluster.description.utf8.count == 12)
    #expect(cluster.value == value & 0xffff_ffff_ffff)
    #expect(ClusterID(cluster.description) == cluster)
  }

  @Test("What is not twelve hexadecimal digits is no cluster", arguments: ["", "+f0c9a1be27d", "5f0c9a1be27", "5f0c9a1be27dd", "5f0c9a1be27z"])
  func notClusters(text: String) {
    #expect(ClusterID(text) == nil)
  }

  @Test("Case does not make another cluster")
  func upperCase() {
    #expect(ClusterID("5F0C9A1BE27D") == ClusterID("5f0c9a1be27d"))
    #expect(ClusterID("5F0C9A1BE27D")?.description == "5f0c9a1be27d")
  }

  @Test("Offsets count from one and order as numbers")
  func offsets() {
    #expect(Offset.zero < Offset(1))
    #expect(Offset(9) < Offset(10))
    #expect(Offset(9).next == Offset(10))
    #expect(Offset(9).advanced(by: 5) == Offset(14))
    #expect(Position(ShardID(7), Offset(1042)).description == "7.1042")
  }
}
