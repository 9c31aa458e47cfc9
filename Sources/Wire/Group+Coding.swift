internal import Core
internal import Feeds

// A request, behind its edge: u64 ticket   group   u8 operation, then
//   1 join         u64 opening   u32 members   u32 credit   offsets that are held
//   2 leave        u64 opening   u8 for good
//   3 acknowledge  offsets
//   4 release      u64 opening   offsets
// A reply: u8 content, then
//   1 answer   u64 ticket   u8 1 and a refusal, or u8 0
//   2 push     group   u64 opening   u8 has gap, the gap   records
//   3 ended    a refusal
// A group is u16 length and its name, u16 length and its filter. Offsets are u32 count, and of each u64.

private enum Operation: UInt8 {
  case join = 1
  case leave = 2
  case acknowledge = 3
  case release = 4
}

private enum Content: UInt8 {
  case answer = 1
  case push = 2
  case ended = 3
}

extension ByteBuffer {
  mutating func append(_ request: GroupRequest) throws(WireRefusal) {
    append(littleEndian: request.ticket.value)
    try append(request.group)
    switch request.operation {
    case .join(let membership):
      append(Operation.join.rawValue)
      append(littleEndian: membership.opening)
      try append(number: membership.members, atMost: GroupLimits.members)
      try append(number: membership.credit, atMost: GroupLimits.credit)
      try append(membership.holding)
    case .leave(let opening, let forGood):
      append(Operation.leave.rawValue)
      append(littleEndian: opening)
      append(isSo: forGood)
    case .acknowledge(let offsets):
      append(Operation.acknowledge.rawValue)
      try append(offsets)
    case .release(let opening, let offsets):
      append(Operation.release.rawValue)
      append(littleEndian: opening)
      try append(offsets)
    }
  }

  mutating func append(_ content: GroupReply.Content) throws(WireRefusal) {
    switch content {
    case .answer(let ticket, let refusal):
      append(Content.answer.rawValue)
      append(littleEndian: ticket.value)
      append(isSo: refusal != nil)
      if let refusal { append(refusal) }
    case .push(let push):
      append(Content.push.rawValue)
      try append(push.group)
      append(littleEndian: push.opening)
      append(isSo: push.gap != nil)
      if let gap = push.gap { append(gap) }
      for piece in push.pieces { append(piece) }
    case .ended(let refusal):
      append(Content.ended.rawValue)
      append(refusal)
    }
  }

  private mutating func append(_ group: GroupName) throws(WireRefusal) {
    guard group.name.count <= GroupLimits.nameBytes else { throw .tooLong }
    append(littleEndian: UInt16(group.name.count))
    append(group.name)
    try append(name: group.filter.bytes)
  }

  private mutating func append(_ offsets: [Offset]) throws(WireRefusal) {
    try append(count: offsets.count, atMost: GroupLimits.offsets)
    for offset in offsets { append(offset) }
  }
}

extension FieldReader<WireRefusal> {
  @_lifetime(self: copy self)
  mutating func groupRequest(of edge: EdgeID) throws(WireRefusal) -> GroupRequest {
    let ticket = try ticket()
    let group = try group()
    let number = try u8()
    guard let operation = Operation(rawValue: number) else { throw .unknownPart(number) }
    switch operation {
    case .join:
      let opening = try u64()
      let members = try self.number(atMost: GroupLimits.members)
      let credit = try self.number(atMost: GroupLimits.credit)
      let membership = GroupMembership(opening: opening, members: members, credit: credit, holding: try offsets())
      return GroupRequest(edge: edge, ticket: ticket, group: group, operation: .join(membership))
    case .leave:
      let opening = try u64()
      return GroupRequest(edge: edge, ticket: ticket, group: group, operation: .leave(opening: opening, forGood: try boolean()))
    case .acknowledge:
      return GroupRequest(edge: edge, ticket: ticket, group: group, operation: .acknowledge(try offsets()))
    case .release:
      let opening = try u64()
      return GroupRequest(edge: edge, ticket: ticket, group: group, operation: .release(opening: opening, try offsets()))
    }
  }

  @_lifetime(self: copy self)
  mutating func groupContent(in payload: Bytes) throws(WireRefusal) -> GroupReply.Content {
    let number = try u8()
    guard let content = Content(rawValue: number) else { throw .unknownPart(number) }
    switch content {
    case .answer:
      let ticket = try ticket()
      return .answer(ticket, try boolean() ? try refusal() : nil)
    case .push:
      let group = try group()
      let opening = try u64()
      let gap = try boolean() ? try gap() : nil
      let row = try rest(of: payload)
      try RecordRow.check(row, isRising: true)
      return .push(GroupPush(group: group, opening: opening, pieces: row.isEmpty ? [] : [row], gap: gap))
    case .ended: return .ended(try refusal())
    }
  }

  @_lifetime(self: copy self)
  private mutating func group() throws(WireRefusal) -> GroupName {
    let length = Int(try u16())
    guard length <= GroupLimits.nameBytes else { throw .tooLong }
    let name = Bytes(copying: bytes.extracting(try skip(length)))
    return GroupName(name: name, filter: try filter())
  }

  @_lifetime(self: copy self)
  private mutating func offsets() throws(WireRefusal) -> [Offset] {
    let count = try count(atMost: GroupLimits.offsets, size: 8)
    var offsets: [Offset] = []
    offsets.reserveCapacity(count)
    for _ in 0..<count { offsets.append(try offset()) }
    return offsets
  }
}
