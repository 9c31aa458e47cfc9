// rooms: Placement
// max_len: 2048
import Core
import Placement

private let certificate = BirthCertificate(
  cluster: ClusterID(7), terms: BirthTerms(expect: 3, shards: 16, replicas: 3), members: [NodeID(1), NodeID(2), NodeID(3)])

/// The first byte says as what the rest is read.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant {
    let births: [BirthMessage] = [
      .propose(certificate), .confirm(ClusterID(7)), .refuse(ClusterID(7), .seesLower), .withdraw(ClusterID(7)), .start(certificate),
      .started(ClusterID(7)),
    ]
    var met = MetaState()
    for command in [MetaCommand.drain(NodeID(1)), .leave(NodeID(2)), .leave(NodeID(3)), .remove(NodeID(3))] { try? met.apply(command) }
    let orders: [PlacementOrder] = [
      .step(.addLearner(ShardID(3), NodeID(1))), .step(.promote(ShardID(3), NodeID(1))), .step(.remove(ShardID(3), NodeID(1))),
      .step(.transferLeadership(ShardID(3), to: NodeID(1))), .dismiss(NodeID(1)), .retire(term: 3, last: Offset(9)),
    ]
    var inputs = births.map { birth in [0] + written { birth.encode(into: &$0) } }
    inputs += orders.map { order in [1] + written { order.encode(into: &$0) } }
    inputs.append([2] + written { MetaState().encode(into: &$0) })
    inputs.append([2] + written { met.encode(into: &$0) })
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
    guard let order = try? PlacementOrder(decoding: bytes.span.bytes, of: ShardID(3)) else { return 0 }
    insist(written { order.encode(into: &$0) } == bytes, "\(order) is written otherwise")
  case 2:
    guard let state = try? MetaState(decoding: bytes.span.bytes) else { return 0 }
    insist(written { state.encode(into: &$0) } == bytes, "\(state) is written otherwise")
  default:
    guard let record = try? BirthRecord(decoding: bytes.span.bytes) else { return 0 }
    insist(written { record.encode(into: &$0) } == bytes, "\(record) is written otherwise")
  }
  return 0
}
