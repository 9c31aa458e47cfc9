public import Core

/// Who a node is, for as long as its data directory lives.
public struct NodeIdentity: Hashable, Sendable {
  public var node: NodeID
  /// Nil until the node belongs to one.
  public var cluster: ClusterID?
  /// How many shards the cluster was born with; 0 until it belongs to one.
  public var shards: Int

  public init(node: NodeID, cluster: ClusterID? = nil, shards: Int = 0) {
    self.node = node
    self.cluster = cluster
    self.shards = shards
  }

  /// Lines for people, and a checksum of them for us.
  var text: String {
    let lines = "node \(node)\ncluster \(cluster?.description ?? "none")\nshards \(shards)\n"
    return lines + "checksum \(Self.checksum(of: lines))\n"
  }

  init?(text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 5, lines[4].isEmpty else { return nil }
    var values: [String] = []
    for (line, name) in zip(lines, ["node ", "cluster ", "shards ", "checksum "]) {
      guard line.hasPrefix(name) else { return nil }
      values.append(String(line.dropFirst(name.count)))
    }
    guard values[3] == Self.checksum(of: lines[..<3].map { $0 + "\n" }.joined()) else { return nil }
    guard let node = NodeID(values[0]), let shards = Int(values[2]), shards >= 0 else { return nil }
    let cluster = ClusterID(values[1])
    guard cluster != nil || values[1] == "none" else { return nil }
    self.init(node: node, cluster: cluster, shards: shards)
  }

  private static func checksum(of lines: String) -> String {
    var lines = lines
    let value = lines.withUTF8 { CRC32C.of(UnsafeRawBufferPointer($0)) }
    return String(UInt64(value).hexadecimal.suffix(8))
  }
}
