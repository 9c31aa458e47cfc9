public import Core

// A command is u8 version, u8 kind and its parts; texts are u16 length and UTF-8, lists u16 count. Little-endian.

extension MetaCommand {
  public static let version: UInt8 = 1
  /// Larger than the largest birth.
  public static let maximumLength = 4 << 20

  private enum Kind: UInt8 {
    case birth = 1
    case admit = 2
    case drain = 3
    case leave = 4
    case remove = 5
    case assign = 6
  }

  /// Appends the command as the body of one entry.
  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(Self.version)
    switch self {
    case .birth(let birth):
      buffer.append(Kind.birth.rawValue)
      buffer.append(littleEndian: birth.cluster.value)
      buffer.append(UInt8(birth.replicas))
      buffer.append(littleEndian: UInt16(birth.brokers.count))
      for broker in birth.brokers { buffer.append(broker) }
      buffer.append(littleEndian: UInt16(birth.placement.count))
      for voters in birth.placement { buffer.append(voters) }
    case .admit(let record):
      buffer.append(Kind.admit.rawValue)
      buffer.append(record)
    case .drain(let id, let isDraining):
      buffer.append(Kind.drain.rawValue)
      buffer.append(littleEndian: id.value)
      buffer.append(isDraining ? 1 : 0)
    case .leave(let id):
      buffer.append(Kind.leave.rawValue)
      buffer.append(littleEndian: id.value)
    case .remove(let id):
      buffer.append(Kind.remove.rawValue)
      buffer.append(littleEndian: id.value)
    case .assign(let shard, let record):
      buffer.append(Kind.assign.rawValue)
      buffer.append(littleEndian: shard.value)
      buffer.append(record)
    }
  }

  /// Reads what `encode` wrote, or refuses all of it. A command of the log that is refused ends this node's part in
  /// the meta group: its state would differ from the others'.
  public init(decoding bytes: RawSpan) throws(PlacementRefusal) {
    guard bytes.byteCount <= Self.maximumLength else { throw .tooLong }
    var reader = FieldReader<PlacementRefusal>(bytes)
    let found = try reader.u8()
    guard found == Self.version else { throw .unknownVersion(found) }
    let number = try reader.u8()
    guard let kind = Kind(rawValue: number) else { throw .unknownKind(number) }
    switch kind {
    case .birth: self = .birth(try reader.birth())
    case .admit: self = .admit(try reader.broker())
    case .drain: self = .drain(try reader.node(), try reader.flag())
    case .leave: self = .leave(try reader.node())
    case .remove: self = .remove(try reader.node())
    case .assign: self = .assign(try reader.shard(), try reader.holders())
    }
    guard reader.isAtEnd else { throw .trailingBytes }
  }
}

extension ByteBuffer {
  mutating func append(_ broker: BrokerRecord) {
    append(littleEndian: broker.id.value)
    append(field: broker.name)
    append(field: broker.address)
    append(field: broker.rack)
    append((broker.isDraining ? 1 : 0) | (broker.isLeaving ? 2 : 0) as UInt8)
  }

  mutating func append(_ record: ShardRecord) {
    append(littleEndian: record.version)
    append(record.voters)
    append(record.learners)
  }
}

extension FieldReader<PlacementRefusal> {
  @_lifetime(self: copy self)
  mutating func broker() throws(PlacementRefusal) -> BrokerRecord {
    let id = try node()
    let name = try text(atMost: BrokerRecord.maximumName)
    let address = try text(atMost: BrokerRecord.maximumAddress)
    var record = BrokerRecord(id: id, name: name, address: address, rack: try text(atMost: BrokerRecord.maximumRack))
    let flags = try u8()
    guard flags <= 3 else { throw .malformed }
    record.isDraining = flags & 1 != 0
    record.isLeaving = flags & 2 != 0
    return record
  }

  @_lifetime(self: copy self)
  mutating func holders() throws(PlacementRefusal) -> ShardRecord {
    let version = try u64()
    let voters = try nodes(atMost: MetaState.maximumHolders)
    return ShardRecord(voters: voters, learners: try nodes(atMost: MetaState.maximumHolders), version: version)
  }

  @_lifetime(self: copy self)
  mutating func brokers() throws(PlacementRefusal) -> [BrokerRecord] {
    let count = Int(try u16())
    guard count <= MetaState.maximumBrokers else { throw .malformed }
    var brokers: [BrokerRecord] = []
    for _ in 0..<count { brokers.append(try broker()) }
    return brokers
  }

  @_lifetime(self: copy self)
  mutating func birth() throws(PlacementRefusal) -> MetaBirth {
    let cluster = try cluster()
    let replicas = Int(try u8())
    let brokers = try brokers()
    let count = Int(try u16())
    guard count <= MetaState.maximumShards else { throw .malformed }
    var placement: [[NodeID]] = []
    for _ in 0..<count { placement.append(try nodes(atMost: MetaState.maximumHolders)) }
    return MetaBirth(cluster: cluster, replicas: replicas, brokers: brokers, placement: placement)
  }
}
