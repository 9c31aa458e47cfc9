// rooms: Placement
// max_len: 2048
import Core
import Placement

private let certificate = BirthCertificate(
  cluster: ClusterID(7), terms: BirthTerms(expect: 3, shards: 16, replicas: 3), members: [NodeID(1), NodeID(2), NodeID(3)])
private let brokers = (1...3).map { BrokerRecord(id: NodeID($0), name: "b\($0)", address: "127.0.0.1:740\($0)", rack: "r") }

/// The first byte says as what the rest is read.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant {
    let births: [BirthMessage] = [
      .propose(certificate), .confirm(ClusterID(7)), .refuse(ClusterID(7), .seesLower), .withdraw(ClusterID(7)), .start(certificate),
      .started(ClusterID(7)),
    ]
    let birth = MetaBirth(cluster: ClusterID(7), replicas: 3, brokers: brokers, placement: [[NodeID(1), NodeID(2), NodeID(3)], [NodeID(2), NodeID(3), NodeID(1)]])
    var born = MetaState()
    _ = born.apply(.birth(birth))
    let commands: [MetaCommand] = [
      .birth(birth), .admit(brokers[0]), .drain(NodeID(1), true), .leave(NodeID(1)), .remove(NodeID(2)),
      .assign(ShardID(0), ShardRecord(voters: [NodeID(1), NodeID(2)], learners: [NodeID(3)])),
    ]
    var inputs = births.map { birth in [0] + written { birth.encode(into: &$0) } }
    inputs += commands.map { command in [1] + written { command.encode(into: &$0) } }
    inputs.append([2] + written { MetaState().encodeSnapshot(into: &$0) })
    inputs.append([2] + written { born.encodeSnapshot(into: &$0) })
    inputs.append([3] + written { BirthRecord.born(certificate).encode(into: &$0) })
    return inputs
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = copied(start, count)
  guard let form = input.first else { return 0 }
  let bytes = Array(input.dropFirst())
  switch form % 4 {
  case 0:
    guard let message = try? BirthMessage(decoding: bytes.span.bytes) else { return 0 }
    insist(written { message.encode(into: &$0) } == bytes, "\(message) is written otherwise")
  case 1:
    guard let command = try? MetaCommand(decoding: bytes.span.bytes) else { return 0 }
    insist(written { command.encode(into: &$0) } == bytes, "\(command) is written otherwise")
    var state = MetaState()
    _ = state.apply(command)
  case 2:
    guard let state = try? MetaState(decodingSnapshot: bytes.span.bytes) else { return 0 }
    let again = written { state.encodeSnapshot(into: &$0) }
    insist((try? MetaState(decodingSnapshot: again.span.bytes)) == state, "\(state) comes back otherwise")
  default:
    guard let record = try? BirthRecord(decoding: bytes.span.bytes) else { return 0 }
    insist(written { record.encode(into: &$0) } == bytes, "\(record) is written otherwise")
  }
  return 0
}
