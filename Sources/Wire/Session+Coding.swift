internal import Core
internal import Feeds

// A request is u8 operation, then
//   1 change  as in the log: see Feeds
//   2 alive   owner
//   3 claim   owner   u32 count, of each: u16 length and the client's identifier, u64 epoch
// An answer is u8 kind, then
//   1 opened  u64 epoch   u64 identity   u8 flags (1 kept, 2 exact), subscriptions and progress if kept, each u32 length and bytes
//   2 done
//   3 alive   u64 term
//   4 lost    u32 count, of each a claim
// A notice is u8 kind, then
//   1 takenOver  claim
//   2 willDue    u64 number   u32 length and the record

private enum Operation: UInt8 {
  case change = 1
  case alive = 2
  case claim = 3
}

private enum Kind: UInt8 {
  case opened = 1
  case done = 2
  case alive = 3
  case lost = 4
}

private enum Notice: UInt8 {
  case takenOver = 1
  case willDue = 2
}

private let isKept: UInt8 = 1
private let isExact: UInt8 = 2

// Writing ----------------------------------------------------------------------------------------------

extension ByteBuffer {
  mutating func append(_ operation: SessionRequest.Operation) throws(WireRefusal) {
    switch operation {
    case .change(let change):
      append(Operation.change.rawValue)
      append(change)
    case .alive(let owner):
      append(Operation.alive.rawValue)
      append(owner)
    case .claim(let owner, let claims):
      append(Operation.claim.rawValue)
      append(owner)
      try append(claims)
    }
  }

  mutating func append(_ answer: SessionReply.Answer) throws(WireRefusal) {
    switch answer {
    case .opened(let opened):
      append(Kind.opened.rawValue)
      append(littleEndian: opened.epoch)
      append(littleEndian: opened.identity)
      guard let kept = opened.kept else { return append(UInt8(0)) }
      append(isKept | (kept.isExact ? isExact : 0))
      append(long: kept.subscriptions)
      append(long: kept.progress)
    case .done: append(Kind.done.rawValue)
    case .alive(let term):
      append(Kind.alive.rawValue)
      append(littleEndian: term)
    case .lost(let claims):
      append(Kind.lost.rawValue)
      try append(claims)
    }
  }

  mutating func append(_ notice: SessionNotice) {
    switch notice {
    case .takenOver(_, let claim):
      append(Notice.takenOver.rawValue)
      append(claim)
    case .willDue(_, let number, let record):
      append(Notice.willDue.rawValue)
      append(littleEndian: number)
      append(long: record)
    }
  }

  private mutating func append(_ claims: [SessionClaim]) throws(WireRefusal) {
    try append(count: claims.count, atMost: SessionLimits.claims)
    for claim in claims { append(claim) }
  }
}

// Reading ----------------------------------------------------------------------------------------------

extension FieldReader<WireRefusal> {
  @_lifetime(self: copy self)
  mutating func sessionOperation() throws(WireRefusal) -> SessionRequest.Operation {
    let number = try u8()
    switch Operation(rawValue: number) {
    case .change:
      guard let change = try sessionChange() else { throw .contradiction }
      return .change(change)
    case .alive: return .alive(try sessionOwner())
    case .claim: return .claim(try sessionOwner(), try claims())
    case nil: throw .unknownPart(number)
    }
  }

  @_lifetime(self: copy self)
  mutating func sessionAnswer() throws(WireRefusal) -> SessionReply.Answer {
    let number = try u8()
    switch Kind(rawValue: number) {
    case .opened:
      var opened = SessionOpened(epoch: try u64(), identity: try u64(), kept: nil)
      let flags = try u8()
      guard flags <= isKept | isExact, flags != isExact else { throw .unknownPart(flags) }
      if flags & isKept != 0 { opened.kept = SessionKept(subscriptions: try part(), progress: try part(), isExact: flags & isExact != 0) }
      return .opened(opened)
    case .done: return .done
    case .alive: return .alive(term: try u64())
    case .lost: return .lost(try claims())
    case nil: throw .unknownPart(number)
    }
  }

  @_lifetime(self: copy self)
  mutating func sessionNotice(of shard: ShardID) throws(WireRefusal) -> SessionNotice {
    let number = try u8()
    switch Notice(rawValue: number) {
    case .takenOver: return .takenOver(shard, try claim())
    case .willDue:
      let will = try u64()
      guard let record = try long(atMost: SessionChange.willLength) else { throw .contradiction }
      return .willDue(shard, number: will, record: record)
    case nil: throw .unknownPart(number)
    }
  }

  @_lifetime(self: copy self)
  private mutating func part() throws(WireRefusal) -> Bytes {
    guard let part = try long(atMost: SessionChange.partLength) else { throw .contradiction }
    return part
  }

  @_lifetime(self: copy self)
  private mutating func claim() throws(WireRefusal) -> SessionClaim {
    guard let claim = try sessionClaim() else { throw .contradiction }
    return claim
  }

  @_lifetime(self: copy self)
  private mutating func claims() throws(WireRefusal) -> [SessionClaim] {
    let count = try count(atMost: SessionLimits.claims, size: 10)
    var claims: [SessionClaim] = []
    claims.reserveCapacity(count)
    for _ in 0..<count { claims.append(try claim()) }
    return claims
  }
}
