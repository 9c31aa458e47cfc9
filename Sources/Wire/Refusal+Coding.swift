internal import Core
internal import Feeds

// A refusal is u8 part and what goes with it; a gap is u8 reason, u64 from, u64 to, u8 has skipped, u64 skipped.

private enum Part: UInt8 {
  case headMoved = 1
  case diskFull = 2
  case journalFailed = 3
  case damaged = 4
  case overloaded = 5
  case notLeader = 6
  case electing = 7
  case noQuorum = 8
  case unknownOutcome = 9
  case noSuchConsumer = 10
  case consumerDiffers = 11
  case sessionLost = 12
}

private enum GapReason: UInt8 {
  case expired = 1
  case foreign = 2
  case future = 3
}

extension ByteBuffer {
  mutating func append(_ refusal: Refusal) {
    switch refusal {
    case .headMoved(let offset):
      append(Part.headMoved.rawValue)
      append(offset)
    case .diskFull: append(Part.diskFull.rawValue)
    case .journalFailed(let text):
      append(Part.journalFailed.rawValue)
      append(reason: text)
    case .damaged(let text):
      append(Part.damaged.rawValue)
      append(reason: text)
    case .overloaded: append(Part.overloaded.rawValue)
    case .notLeader(let leader):
      append(Part.notLeader.rawValue)
      append(isSo: leader != nil)
      if let leader { append(littleEndian: leader.value) }
    case .electing: append(Part.electing.rawValue)
    case .noQuorum: append(Part.noQuorum.rawValue)
    case .unknownOutcome: append(Part.unknownOutcome.rawValue)
    case .noSuchConsumer: append(Part.noSuchConsumer.rawValue)
    case .consumerDiffers: append(Part.consumerDiffers.rawValue)
    case .sessionLost: append(Part.sessionLost.rawValue)
    }
  }

  mutating func append(_ gap: ReadGap) {
    let reason: GapReason =
      switch gap.reason {
      case .expired: .expired
      case .foreign: .foreign
      case .future: .future
      }
    append(reason.rawValue)
    append(gap.from)
    append(gap.to)
    append(isSo: gap.skipped != nil)
    if let skipped = gap.skipped { append(littleEndian: skipped) }
  }
}

extension FieldReader<WireRefusal> {
  @_lifetime(self: copy self)
  mutating func refusal() throws(WireRefusal) -> Refusal {
    let number = try u8()
    guard let part = Part(rawValue: number) else { throw .unknownPart(number) }
    switch part {
    case .headMoved: return .headMoved(try offset())
    case .diskFull: return .diskFull
    case .journalFailed: return .journalFailed(try text(atMost: WireLimits.reason))
    case .damaged: return .damaged(try text(atMost: WireLimits.reason))
    case .overloaded: return .overloaded
    case .notLeader: return .notLeader(try boolean() ? try node() : nil)
    case .electing: return .electing
    case .noQuorum: return .noQuorum
    case .unknownOutcome: return .unknownOutcome
    case .noSuchConsumer: return .noSuchConsumer
    case .consumerDiffers: return .consumerDiffers
    case .sessionLost: return .sessionLost
    }
  }

  @_lifetime(self: copy self)
  mutating func gap() throws(WireRefusal) -> ReadGap {
    let number = try u8()
    guard let code = GapReason(rawValue: number) else { throw .unknownPart(number) }
    let reason: ReadGap.Reason =
      switch code {
      case .expired: .expired
      case .foreign: .foreign
      case .future: .future
      }
    let from = try claimedOffset()
    let to = try offset()
    return ReadGap(reason: reason, from: from, to: to, skipped: try boolean() ? try u64() : nil)
  }
}
