public import Core

// u8 version, u16 next packet identifier, then numbers of seven bits a byte, the lowest first, the high bit set on all but the
// last byte: the last number; of each list its count and its members.
//   unreleased  u16 identifier, u8 accepted, number
//   in flight   u16 identifier, u8 flags (1 QoS 2, 2 received), u64 token
//   backlog     u64 token
//   legs        count and numbers of subscriptions; count of places, of each: shard << 1 | owes current, began, offset - began
//   gaps        in version 2 alone, which is written only where there are any: u8 reason, shard, from, to, 0 or 1 + skipped

private let version: UInt8 = 1
private let versionWithGaps: UInt8 = 2
private let exactlyOnce: UInt8 = 1
private let received: UInt8 = 2

extension MQTTSessionProgress {
  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(gaps.isEmpty ? version : versionWithGaps)
    buffer.append(littleEndian: nextPacketIdentifier)
    buffer.append(number: lastNumber)
    buffer.append(number: UInt64(unreleased.count))
    for message in unreleased {
      buffer.append(littleEndian: message.packetIdentifier)
      buffer.append(message.isAccepted ? 1 : 0)
      buffer.append(number: message.number)
    }
    buffer.append(number: UInt64(inFlight.count))
    for message in inFlight {
      buffer.append(littleEndian: message.packetIdentifier)
      buffer.append((message.qos == .exactlyOnce ? exactlyOnce : 0) | (message.isReceived ? received : 0))
      buffer.append(littleEndian: message.token)
    }
    buffer.append(number: UInt64(backlog.count))
    for token in backlog { buffer.append(littleEndian: token) }
    buffer.append(number: UInt64(legs.count))
    for leg in legs {
      buffer.append(number: UInt64(leg.subscriptions.count))
      for subscription in leg.subscriptions { buffer.append(number: UInt64(subscription)) }
      buffer.append(number: UInt64(leg.places.count))
      for place in leg.places {
        buffer.append(number: UInt64(place.shard) << 1 | (place.owesCurrent ? 1 : 0))
        buffer.append(number: place.began)
        buffer.append(number: place.offset - place.began)
      }
    }
    guard !gaps.isEmpty else { return }
    buffer.append(number: UInt64(gaps.count))
    for gap in gaps {
      buffer.append(gap.reason)
      buffer.append(number: UInt64(gap.shard))
      buffer.append(number: gap.from)
      buffer.append(number: gap.to)
      buffer.append(number: gap.skipped.map { $0 &+ 1 } ?? 0)
    }
  }

  /// Reads what `encode` wrote, and nothing else.
  public init(decoding bytes: RawSpan) throws(MQTTSessionFailure) {
    var reader = FieldReader<MQTTSessionFailure>(bytes)
    let written = try reader.u8()
    guard written == version || written == versionWithGaps else { throw .unknownVersion }
    nextPacketIdentifier = try reader.u16()
    guard nextPacketIdentifier != 0 else { throw .impossible }
    lastNumber = try reader.number()
    for _ in 0..<(try reader.count(size: 4)) { unreleased.append(try reader.unreleased(after: unreleased.last?.packetIdentifier ?? 0)) }
    var identifiers = MQTTIdentifierSet()
    for _ in 0..<(try reader.count(size: 11)) {
      let message = try reader.inFlight()
      guard identifiers.insert(message.packetIdentifier) else { throw .impossible }
      inFlight.append(message)
    }
    for _ in 0..<(try reader.count(size: 8)) { backlog.append(try reader.u64()) }
    for _ in 0..<(try reader.count(size: 2)) { legs.append(try reader.leg()) }
    if written == versionWithGaps {
      for _ in 0..<(try reader.count(size: 5)) { gaps.append(try reader.gap()) }
      guard !gaps.isEmpty else { throw .impossible }
    }
    guard reader.isAtEnd else { throw .trailingBytes }
  }
}

extension ByteBuffer {
  fileprivate mutating func append(number value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }
}

extension FieldReader<MQTTSessionFailure> {
  @_lifetime(self: copy self)
  fileprivate mutating func number() throws(MQTTSessionFailure) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let byte = try u8()
      // Ten bytes hold 64 bits and no more; the shortest form is the only one.
      guard shift < 63 || byte <= 1, shift == 0 || byte != 0 else { throw .impossible }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
  }

  /// A count of things that take so many bytes each at least.
  @_lifetime(self: copy self)
  fileprivate mutating func count(size: Int) throws(MQTTSessionFailure) -> Int {
    let count = try number()
    guard count <= UInt64(remaining / size) else { throw .truncated }
    return Int(count)
  }

  @_lifetime(self: copy self)
  fileprivate mutating func unreleased(after last: UInt16) throws(MQTTSessionFailure) -> MQTTSessionProgress.Unreleased {
    let identifier = try u16()
    let accepted = try u8()
    guard identifier > last, accepted <= 1 else { throw .impossible }
    return MQTTSessionProgress.Unreleased(packetIdentifier: identifier, number: try number(), isAccepted: accepted == 1)
  }

  @_lifetime(self: copy self)
  fileprivate mutating func inFlight() throws(MQTTSessionFailure) -> MQTTSessionState.InFlight {
    let identifier = try u16()
    let flags = try u8()
    guard identifier != 0, flags <= exactlyOnce | received, flags != received else { throw .impossible }
    return MQTTSessionState.InFlight(
      packetIdentifier: identifier, token: try u64(), qos: flags & exactlyOnce == 0 ? .atLeastOnce : .exactlyOnce,
      isReceived: flags & received != 0)
  }

  @_lifetime(self: copy self)
  fileprivate mutating func gap() throws(MQTTSessionFailure) -> MQTTSessionProgress.Gap {
    let reason = try u8()
    let shard = try number()
    guard shard <= UInt64(UInt16.max) else { throw .impossible }
    let (from, to, skipped) = (try number(), try number(), try number())
    return MQTTSessionProgress.Gap(reason: reason, shard: UInt16(shard), from: from, to: to, skipped: skipped == 0 ? nil : skipped - 1)
  }

  @_lifetime(self: copy self)
  fileprivate mutating func leg() throws(MQTTSessionFailure) -> MQTTSessionProgress.Leg {
    var leg = MQTTSessionProgress.Leg(subscriptions: [], places: [])
    for _ in 0..<(try count(size: 1)) {
      let subscription = try number()
      guard subscription < MQTTSessionState.subscriptionsMost else { throw .impossible }
      leg.subscriptions.append(Int(subscription))
    }
    for _ in 0..<(try count(size: 3)) {
      let head = try number()
      let began = try number()
      let (offset, isTooMuch) = began.addingReportingOverflow(try number())
      guard head >> 1 <= UInt64(UInt16.max), !isTooMuch else { throw .impossible }
      let place = MQTTSessionProgress.Place(shard: UInt16(head >> 1), began: began, offset: offset, owesCurrent: head & 1 == 1)
      guard leg.places.last.map({ $0.shard < place.shard }) ?? true else { throw .impossible }
      leg.places.append(place)
    }
    return leg
  }
}
