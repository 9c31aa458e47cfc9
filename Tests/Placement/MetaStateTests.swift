import Core
import TestSupport
import Testing

@testable import Placement

@Suite("What the meta group agrees on")
struct MetaStateTests {
  static func record(_ index: Int) -> BrokerRecord {
    BrokerRecord(id: NodeID(UInt64(index)), name: "broker-\(index)", address: "10.0.0.\(index):7400", rack: "r\(index % 2)")
  }

  static let birth = MetaBirth(
    cluster: ClusterID(42), replicas: 3, brokers: [3, 1, 2].map(record),
    placement: [[1, 2, 3], [2, 3, 1]].map { $0.map { NodeID($0) } })

  static let commands: [MetaCommand] = [
    .birth(birth), .admit(record(4)), .drain(NodeID(2), true), .leave(NodeID(3)),
    .assign(ShardID(1), ShardRecord(voters: [NodeID(2), NodeID(1)], learners: [NodeID(4)], version: 2)), .remove(NodeID(9)),
  ]

  private func born() -> MetaState {
    var state = MetaState()
    #expect(take(&state, .birth(Self.birth)) == .done)
    return state
  }

  private func bytes(_ command: MetaCommand) -> [UInt8] {
    var buffer = ByteBuffer()
    command.encode(into: &buffer)
    return buffer.freeze().array
  }

  private func bytes(_ state: MetaState) -> [UInt8] {
    var buffer = ByteBuffer()
    state.encodeSnapshot(into: &buffer)
    return buffer.freeze().array
  }

  @Test("A cluster is born once, and only whole")
  func birthOnce() {
    var state = MetaState()
    #expect(take(&state, .admit(Self.record(1))) == .refused(.notBorn))
    let unknown = MetaBirth(cluster: ClusterID(1), replicas: 1, brokers: [Self.record(1)], placement: [[NodeID(2)]])
    #expect(take(&state, .birth(unknown)) == .refused(.unknownBroker(NodeID(2))))
    let none = MetaBirth(cluster: ClusterID(1), replicas: 1, brokers: [Self.record(1)], placement: [])
    #expect(take(&state, .birth(none)) == .refused(.outOfBounds))
    #expect(state == MetaState())
    state = born()
    #expect(state.brokers.map(\.id.value) == [1, 2, 3] && state.shards.count == 2)
    #expect(take(&state, .birth(Self.birth)) == .refused(.alreadyBorn))
  }

  @Test("A broker is admitted, renamed, drained, told to leave, removed when it holds nothing, and never admitted again")
  func brokerLife() {
    var state = born()
    #expect(take(&state, .admit(Self.record(4))) == .done)
    #expect(take(&state, .drain(NodeID(4), true)) == .done)
    var renamed = Self.record(4)
    renamed.name = "other"
    renamed.isLeaving = true
    #expect(take(&state, .admit(renamed)) == .done)
    #expect(state.broker(NodeID(4))?.name == "other")
    #expect(state.broker(NodeID(4))?.isDraining == true && state.broker(NodeID(4))?.isLeaving == false)
    #expect(take(&state, .leave(NodeID(4))) == .done)
    #expect(take(&state, .remove(NodeID(1))) == .refused(.stillHolds(NodeID(1))))
    #expect(take(&state, .remove(NodeID(4))) == .done)
    #expect(take(&state, .admit(Self.record(4))) == .refused(.wasRemoved(NodeID(4))))
    #expect(take(&state, .leave(NodeID(4))) == .refused(.unknownBroker(NodeID(4))))
  }

  @Test("Holders are changed one version at a time, to brokers that are here, each once")
  func assigning() {
    var state = born()
    func assign(_ voters: [UInt64], _ learners: [UInt64] = [], version: UInt64, shard: Int = 0) -> MetaOutcome {
      take(&state, 
        .assign(
          ShardID(shard), ShardRecord(voters: voters.map { NodeID($0) }, learners: learners.map { NodeID($0) }, version: version)))
    }
    let results = [
      assign([1, 2], version: 2), assign([1], version: 2), assign([1], version: 4), assign([7], version: 3),
      assign([1, 1], version: 3), assign([1], [1], version: 3), assign([], version: 3), assign([1], version: 2, shard: 2),
    ]
    #expect(
      results == [
        .done, .refused(.stale(ShardID(0))), .refused(.stale(ShardID(0))), .refused(.unknownBroker(NodeID(7))),
        .refused(.heldTwice(NodeID(1))), .refused(.heldTwice(NodeID(1))), .refused(.outOfBounds),
        .refused(.unknownShard(ShardID(2))),
      ])
    #expect(state.shards[0] == ShardRecord(voters: [NodeID(1), NodeID(2)], version: 2))
  }

  @Test("Commands read back as written, and no part, damage or unknown kind is taken for one")
  func commandCodec() throws {
    for command in Self.commands {
      let outcomes = try CodecVerifier.verify(bytes(command), isPart: { partial, _ in partial == nil }) { pieces in
        [metaCommand(pieces.flatMap { $0 })]
      }
      #expect(outcomes == [command])
      #expect(throws: PlacementRefusal.trailingBytes) { try MetaCommand(decoding: (bytes(command) + [0]).span.bytes) }
    }
    #expect(throws: PlacementRefusal.unknownVersion(7)) { try MetaCommand(decoding: ([7, 1] as [UInt8]).span.bytes) }
    #expect(throws: PlacementRefusal.unknownKind(99)) { try MetaCommand(decoding: ([1, 99] as [UInt8]).span.bytes) }
  }

  @Test("A snapshot holds the whole state; states with the same past give the same bytes; no part of one is taken for one")
  func snapshot() throws {
    var state = MetaState()
    var other = MetaState()
    for command in Self.commands + [.admit(Self.record(9)), .remove(NodeID(9))] {
      let outcome = take(&state, command)
      #expect(take(&other, command) == outcome)
    }
    #expect(state.removed == [NodeID(9)])
    let whole = bytes(state)
    #expect(bytes(other) == whole)
    let outcomes = try CodecVerifier.verify(whole, isPart: { partial, _ in partial == nil }) { pieces in
      [metaState(pieces.flatMap { $0 })]
    }
    #expect(outcomes == [state])
    #expect(metaState(bytes(MetaState())) == MetaState())
    #expect(throws: PlacementRefusal.unknownVersion(2)) { try MetaState(decodingSnapshot: ([2] as [UInt8]).span.bytes) }
  }

  @Test("The largest cluster fits its bounds")
  func largest() throws {
    var brokers: [BrokerRecord] = []
    for index in 0..<MetaState.maximumBrokers {
      brokers.append(
        BrokerRecord(
          id: NodeID(UInt64(index)), name: String(repeating: "n", count: BrokerRecord.maximumName),
          address: String(repeating: "a", count: BrokerRecord.maximumAddress),
          rack: String(repeating: "r", count: BrokerRecord.maximumRack)))
    }
    let voters = (0..<MetaState.maximumReplicas).map { NodeID(UInt64($0)) }
    let placement = Array(repeating: voters, count: MetaState.maximumShards)
    let command = MetaCommand.birth(
      MetaBirth(cluster: ClusterID(1), replicas: MetaState.maximumReplicas, brokers: brokers, placement: placement))
    #expect(bytes(command).count <= MetaCommand.maximumLength)
    var state = MetaState()
    #expect(take(&state, command) == .done)
    #expect(bytes(state).count <= MetaState.maximumSnapshot)
    #expect(metaState(bytes(state)) == state)
  }
}

/// Macros see their operands as constants; a function takes a variable.
private func take(_ state: inout MetaState, _ command: MetaCommand) -> MetaOutcome { state.apply(command) }
