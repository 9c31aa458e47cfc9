public import Core

// A change is u8 kind, then
//   1 open        client   owner   u64 nonce   u8 flags (1 clean, 2 a will)   u32 expiry   u32 delay and long record if there is one
//   2 save        claim   u64 number   u8 flags (1 subscriptions, 2 progress), each long if it is there
//   3 close       a save   u32 expiry   u8 the will's fate (1 dropped, 2 due, 3 waits and u32 seconds)
//   4 lose        owner
//   5 settle      claim
//   6 forgetWill  u64 number
// A client is u16 length and bytes, an owner two u64, a claim a client and u64 epoch; long is u32 length and bytes. All
// little-endian. The same in the log and between nodes.

private enum Kind: UInt8 {
  case open = 1
  case save = 2
  case close = 3
  case lose = 4
  case settle = 5
  case forgetWill = 6
}

private enum Fate: UInt8 {
  case dropped = 1
  case due = 2
  case waits = 3
}

private let isClean: UInt8 = 1
private let hasWill: UInt8 = 2
private let hasSubscriptions: UInt8 = 1
private let hasProgress: UInt8 = 2

extension ByteBuffer {
  public mutating func append(_ change: SessionChange) {
    switch change {
    case .open(let opening):
      append(Kind.open.rawValue)
      append(client: opening.client)
      append(opening.owner)
      append(littleEndian: opening.nonce)
      append((opening.isClean ? isClean : 0) | (opening.will != nil ? hasWill : 0))
      append(littleEndian: opening.expiry)
      if let will = opening.will {
        append(littleEndian: will.delay)
        append(long: will.record)
      }
    case .save(let save):
      append(Kind.save.rawValue)
      append(save)
    case .close(let closing):
      append(Kind.close.rawValue)
      append(closing.save)
      append(littleEndian: closing.expiry)
      switch closing.will {
      case .dropped: append(Fate.dropped.rawValue)
      case .due: append(Fate.due.rawValue)
      case .waits(let seconds):
        append(Fate.waits.rawValue)
        append(littleEndian: seconds)
      }
    case .lose(let owner):
      append(Kind.lose.rawValue)
      append(owner)
    case .settle(let claim):
      append(Kind.settle.rawValue)
      append(claim)
    case .forgetWill(let number):
      append(Kind.forgetWill.rawValue)
      append(littleEndian: number)
    }
  }

  public mutating func append(_ owner: SessionOwner) {
    append(littleEndian: owner.high)
    append(littleEndian: owner.low)
  }

  public mutating func append(_ claim: SessionClaim) {
    append(client: claim.client)
    append(littleEndian: claim.epoch)
  }

  private mutating func append(_ save: SessionSave) {
    append(save.claim)
    append(littleEndian: save.number)
    append((save.subscriptions != nil ? hasSubscriptions : 0) | (save.progress != nil ? hasProgress : 0))
    if let subscriptions = save.subscriptions { append(long: subscriptions) }
    if let progress = save.progress { append(long: progress) }
  }

  private mutating func append(client: Bytes) {
    precondition(client.count <= SessionChange.clientLength, "a client identifier that is longer than any")
    append(littleEndian: UInt16(client.count))
    append(client.bytes)
  }

  public mutating func append(long bytes: Bytes) {
    append(littleEndian: UInt32(bytes.count))
    append(bytes.bytes)
  }
}

extension FieldReader {
  /// Nil when it is no change that there is; throws when it ends too early.
  @_lifetime(self: copy self)
  public mutating func sessionChange() throws(Failure) -> SessionChange? {
    guard let kind = Kind(rawValue: try u8()) else { return nil }
    switch kind {
    case .open: return try opening().map { .open($0) }
    case .save: return try save().map { .save($0) }
    case .close:
      guard let save = try save() else { return nil }
      let expiry = try u32()
      switch Fate(rawValue: try u8()) {
      case .dropped: return .close(SessionClosing(save, expiry: expiry, will: .dropped))
      case .due: return .close(SessionClosing(save, expiry: expiry, will: .due))
      case .waits: return .close(SessionClosing(save, expiry: expiry, will: .waits(seconds: try u32())))
      case nil: return nil
      }
    case .lose: return .lose(try sessionOwner())
    case .settle: return try sessionClaim().map { .settle($0) }
    case .forgetWill: return .forgetWill(try u64())
    }
  }

  @_lifetime(self: copy self)
  private mutating func opening() throws(Failure) -> SessionOpening? {
    guard let client = try client() else { return nil }
    let owner = try sessionOwner()
    let nonce = try u64()
    let flags = try u8()
    guard flags <= isClean | hasWill else { return nil }
    var opening = SessionOpening(client: client, owner: owner, nonce: nonce, isClean: flags & isClean != 0, expiry: try u32(), will: nil)
    if flags & hasWill != 0 {
      let delay = try u32()
      guard let record = try long(atMost: SessionChange.willLength) else { return nil }
      opening.will = SessionWill(record: record, delay: delay)
    }
    return opening
  }

  @_lifetime(self: copy self)
  private mutating func save() throws(Failure) -> SessionSave? {
    guard let claim = try sessionClaim() else { return nil }
    var save = SessionSave(claim, number: try u64(), subscriptions: nil, progress: nil)
    let flags = try u8()
    guard flags <= hasSubscriptions | hasProgress else { return nil }
    if flags & hasSubscriptions != 0 {
      guard let subscriptions = try long(atMost: SessionChange.partLength) else { return nil }
      save.subscriptions = subscriptions
    }
    if flags & hasProgress != 0 {
      guard let progress = try long(atMost: SessionChange.partLength) else { return nil }
      save.progress = progress
    }
    return save
  }

  @_lifetime(self: copy self)
  public mutating func sessionOwner() throws(Failure) -> SessionOwner { SessionOwner(high: try u64(), low: try u64()) }

  @_lifetime(self: copy self)
  public mutating func sessionClaim() throws(Failure) -> SessionClaim? {
    guard let client = try client() else { return nil }
    return SessionClaim(client: client, epoch: try u64())
  }

  @_lifetime(self: copy self)
  private mutating func client() throws(Failure) -> Bytes? {
    let length = Int(try u16())
    guard length <= SessionChange.clientLength else { return nil }
    return Bytes(copying: bytes.extracting(try skip(length)))
  }

  @_lifetime(self: copy self)
  public mutating func long(atMost limit: Int) throws(Failure) -> Bytes? {
    let length = Int(try u32())
    guard length <= limit else { return nil }
    return Bytes(copying: bytes.extracting(try skip(length)))
  }
}
