// rooms: MQTT
// max_len: 512
import Core
import MQTT

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant {
    func talk(_ form: UInt8, _ version: MQTTVersion, _ packets: [UInt8]) -> [UInt8] {
      var connect = MQTTConnect(version, clientIdentifier: Bytes("c"))
      connect.will = MQTTWill(topic: Bytes("w"), payload: Bytes("gone"))
      if version == .v5 {
        connect.properties.receiveMaximum = 2
        connect.properties.topicAliasMaximum = 2
        connect.properties.sessionExpiry = 9
      }
      return [form] + written { connect.append(into: &$0) } + packets
    }
    let old: [UInt8] = [0x32, 6, 0, 1, 0x61, 0, 1, 0x6d, 0x34, 6, 0, 1, 0x61, 0, 2, 0x6d, 0x62, 2, 0, 2, 0x82, 6, 0, 3, 0, 1, 0x61, 1, 0xa2, 5, 0, 4, 0, 1, 0x61]
    let new: [UInt8] = [0x32, 10, 0, 1, 0x61, 0, 1, 3, 0x23, 0, 1, 0x6d, 0x34, 9, 0, 0, 0, 2, 3, 0x23, 0, 1, 0x6d, 0x62, 2, 0, 2, 0xe0, 1, 4]
    let acks: [UInt8] = [0x40, 2, 0, 1, 0x50, 2, 0, 2, 0x70, 2, 0, 2, 0xc0, 0, 0xe0, 0]
    return [talk(0, .v311, old + acks), talk(1, .v311, acks), talk(2, .v5, new), talk(3, .v5, acks), talk(1, .v31, old)]
  }
  return 0
}

/// The first byte says what the shell is like: bit 0, whether it delivers; bits 2 and 3, what it answers to
/// messages.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = copied(start, count)
  guard let form = input.first else { return 0 }
  let bytes = Array(input.dropFirst())
  // Where the bytes are cut decides what is answered before what else comes, and so what is allowed: the answers differ.
  conversation(bytes, form, step: bytes.count)
  conversation(bytes, form, step: 1)
  return 0
}

private func settings() -> MQTTChannelSettings {
  var settings = MQTTChannelSettings()
  settings.receiveMaximum = 2
  settings.maximumInFlight = 2
  settings.maximumPacketSize = 400
  settings.topicAliasMaximum = 2
  settings.maximumSubscriptions = 2
  settings.sessionExpiryMaximum = 60
  return settings
}

/// A channel between a client and a shell that answers everything at once.
private func conversation(_ bytes: [UInt8], _ form: UInt8, step: Int) {
  var channel = MQTTChannel(settings: settings(), at: .zero)
  var output = MQTTChannelOutput()
  var answers: [UInt8] = []
  var kept: [UInt8] = []
  var shown = 0
  var wills = 0
  while shown < bytes.count {
    let next = min(bytes.count, shown + max(1, step))
    kept += bytes[shown..<next]
    shown = next
    var isStuck = false
    while !isStuck {
      let taken = channel.receive(kept.span.bytes, at: .zero, into: &output)
      kept.removeFirst(taken)
      insist(!channel.isClosed || kept.isEmpty, "a closed channel leaves something")
      isStuck = !answer(&channel, &output, form, &answers, &wills)
    }
    insist(kept.count < 400 || channel.version == nil, "\(kept.count) bytes are waited for")
    insist(!channel.isPaused, "everything is answered, and it waits")
  }
  let held = channel.heldSubscriptions
  let encoded = written { MQTTSessionState.encode(held, into: &$0) }
  insist((try? MQTTSessionState.subscriptions(decoding: encoded.span.bytes)) == held, "subscriptions read again are others")
  channel.connectionLost(at: .zero, into: &output)
  _ = answer(&channel, &output, form, &answers, &wills)
  insist(wills <= 1, "a will told twice")
  read(answers, channel.version)
}

/// A client must be able to read all that it is answered.
private func read(_ answers: [UInt8], _ version: MQTTVersion?) {
  guard let version else { return insist(answers.isEmpty, "an answer in no version") }
  var decoder = MQTTDecoder(client: version)
  var offset = 0
  while offset < answers.count {
    switch decoder.next(answers.span.bytes, &offset) {
    case .packet: continue
    case let other: return insist(false, "an answer that cannot be read: \(other)")
    }
  }
}

/// Whether there was anything to answer.
private func answer(
  _ channel: inout MQTTChannel, _ output: inout MQTTChannelOutput, _ form: UInt8, _ answers: inout [UInt8], _ wills: inout Int
) -> Bool {
  answers += output.bytes.withUnsafeBytes { [UInt8]($0) }
  let actions = output.actions
  output.removeAll()
  for action in actions {
    switch action {
    case .connect(let connect):
      var acceptance = MQTTAcceptance()
      if connect.clientIdentifier.isEmpty { acceptance.assignedClientIdentifier = Bytes("made-up") }
      if !connect.isCleanStart { acceptance.session = resumed() }
      channel.accept(acceptance, at: .zero, into: &output)
      if form & 1 != 0 { deliver(&channel, &output) }
    case .publish(let request):
      _ = request.userProperties
      let outcomes: [MQTTPublishOutcome] = [.accepted, .acceptedWithoutSubscribers, .refused(.notAuthorized, "no"), .later]
      channel.published(request.ticket, outcomes[Int(form >> 2 & 3)], at: .zero, into: &output)
    case .subscribe(let request):
      channel.subscribed(request.ticket, request.subscriptions.map { MQTTReasonCode(granted: $0.qos) }, at: .zero, into: &output)
    case .unsubscribe(let request):
      channel.unsubscribed(request.ticket, request.filters.map { _ in .success }, at: .zero, into: &output)
    case .resend(let token, _, _):
      let (rendering, bytes) = message(channel.version ?? .v5)
      _ = channel.redeliver(MQTTDelivery(.atLeastOnce, token: token), rendering, of: bytes.span.bytes, into: &output)
    case .will: wills += 1
    case .acknowledged, .received, .release, .close: break
    }
  }
  answers += output.bytes.withUnsafeBytes { [UInt8]($0) }
  output.bytes.removeAll()
  return !actions.isEmpty
}

private func resumed() -> MQTTSessionState {
  var session = MQTTSessionState()
  session.unreleased = [2, 9]
  session.inFlight = [
    MQTTSessionState.InFlight(packetIdentifier: 1, token: 1, qos: .atLeastOnce),
    MQTTSessionState.InFlight(packetIdentifier: 2, token: 2, qos: .exactlyOnce, isReceived: true),
  ]
  session.nextPacketIdentifier = 3
  return session
}

private func message(_ version: MQTTVersion) -> (MQTTPublishRendering, [UInt8]) {
  var buffer = ByteBuffer()
  let rendering = MQTTPublishRendering.append(version, topic: Bytes("a").bytes, properties: RawSpan(), payload: Bytes("m").bytes, into: &buffer)
  return (rendering, buffer.freeze().array)
}

private func deliver(_ channel: inout MQTTChannel, _ output: inout MQTTChannelOutput) {
  guard let version = channel.version else { return }
  let (rendering, bytes) = message(version)
  for (number, qos) in [MQTTQoS.atMostOnce, .atLeastOnce, .exactlyOnce].enumerated() {
    _ = channel.deliver(MQTTDelivery(qos, token: UInt64(10 + number)), rendering, of: bytes.span.bytes, into: &output)
  }
}
