public import Core

// A snapshot is u8 version, u8 born, u64 cluster, u8 replicas, the brokers, u16 shards and their records, the removed.

extension MetaState {
  static let snapshotVersion: UInt8 = 1
  /// Larger than the snapshot of the largest cluster.
  public static let maximumSnapshot = 8 << 20

  /// Appends the whole state. Two states that applied the same commands give the same bytes.
  public func encodeSnapshot(into buffer: inout ByteBuffer) {
    buffer.append(Self.snapshotVersion)
    buffer.append(cluster == nil ? 0 : 1)
    buffer.append(littleEndian: cluster?.value ?? 0)
    buffer.append(UInt8(replicas))
    buffer.append(littleEndian: UInt16(brokers.count))
    for broker in brokers { buffer.append(broker) }
    buffer.append(littleEndian: UInt16(shards.count))
    for shard in shards { buffer.append(shard) }
    buffer.append(removed)
  }

  /// Reads what `encodeSnapshot` wrote, or refuses all of it.
  public init(decodingSnapshot bytes: RawSpan) throws(PlacementRefusal) {
    self.init()
    guard bytes.byteCount <= Self.maximumSnapshot else { throw .tooLong }
    var reader = FieldReader<PlacementRefusal>(bytes)
    let found = try reader.u8()
    guard found == Self.snapshotVersion else { throw .unknownVersion(found) }
    let isBorn = try reader.flag()
    let identity = try reader.cluster()
    cluster = isBorn ? identity : nil
    replicas = Int(try reader.u8())
    guard replicas <= Self.maximumReplicas else { throw .malformed }
    brokers = try reader.brokers()
    for (a, b) in zip(brokers, brokers.dropFirst()) where a.id >= b.id { throw .malformed }
    let count = Int(try reader.u16())
    guard count <= Self.maximumShards else { throw .malformed }
    for _ in 0..<count { shards.append(try reader.holders()) }
    removed = try reader.nodes(atMost: Self.maximumRemoved)
    guard reader.isAtEnd else { throw .trailingBytes }
    guard isBorn || (brokers.isEmpty && shards.isEmpty && removed.isEmpty && replicas == 0 && identity.value == 0) else {
      throw .malformed
    }
  }
}
