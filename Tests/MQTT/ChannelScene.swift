import Core
import MQTT
import TestSupport

/// What a channel answered to one event: its bytes, and its actions in words.
struct Said: Equatable, CustomStringConvertible {
  var bytes: [UInt8]
  var actions: [String]

  init(_ bytes: [UInt8] = [], _ actions: String...) {
    self.bytes = bytes
    self.actions = actions
  }

  init(actions: [String]) {
    bytes = []
    self.actions = actions
  }

  static let nothing = Said()

  var description: String {
    let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    return "[\(hex)] \(actions)"
  }
}

/// One connection's channel and the shell around it, which does nothing by itself.
final class ChannelScene {
  private var channel: MQTTChannel
  private var output = MQTTChannelOutput()
  let version: MQTTVersion
  var now = Instant.zero
  /// What was not taken.
  private(set) var rest: [UInt8] = []
  /// Unanswered, in their order.
  var publishes: [MQTTPublishRequest] = []
  var subscribes: [MQTTSubscribeRequest] = []
  var unsubscribes: [MQTTUnsubscribeRequest] = []
  private(set) var wills: [MQTTWill] = []

  /// The settings under which CONNACK has nothing to say.
  static let plain: MQTTChannelSettings = {
    var settings = MQTTChannelSettings()
    settings.receiveMaximum = 0xffff
    settings.maximumPacketSize = 5 + MQTTVariableInteger.maximum
    settings.topicAliasMaximum = 0
    settings.isSharedSubscriptionAvailable = true
    return settings
  }()

  static func settings(_ change: (inout MQTTChannelSettings) -> Void) -> MQTTChannelSettings {
    var settings = plain
    change(&settings)
    return settings
  }

  /// Before CONNECT.
  init(_ version: MQTTVersion, _ settings: MQTTChannelSettings = ChannelScene.plain) {
    self.version = version
    channel = MQTTChannel(settings: settings, at: .zero)
  }

  /// A client that is let in. Of 5.0, it asks for no reason strings, so that failures are few bytes.
  static func connected(
    _ version: MQTTVersion, _ settings: MQTTChannelSettings = plain, session: MQTTSessionState? = nil,
    _ change: (inout MQTTConnect) -> Void = { _ in }
  ) -> ChannelScene {
    let scene = ChannelScene(version, settings)
    var connect = MQTTConnect(version, clientIdentifier: Bytes("c"))
    if version == .v5 { connect.properties.requestProblemInformation = false }
    connect.isCleanStart = session == nil
    change(&connect)
    let said = scene.receive(written { connect.append(into: &$0) })
    precondition(said.actions.count == 1 && scene.isPaused, "CONNECT was answered \(said)")
    var acceptance = MQTTAcceptance()
    acceptance.session = session
    scene.acceptanceAnswer = scene.accept(acceptance)
    return scene
  }

  /// What `connected` was answered.
  private(set) var acceptanceAnswer = Said.nothing

  var isPaused: Bool { channel.isPaused }
  var isClosed: Bool { channel.isClosed }
  var window: Int { channel.window }
  var deadline: Instant? { channel.deadline }
  /// What another connection would have to go on with.
  var session: MQTTSessionState {
    var state = MQTTSessionState()
    state.subscriptions = channel.heldSubscriptions
    state.unreleased = channel.unreleasedIdentifiers
    state.inFlight = channel.messagesInFlight
    state.nextPacketIdentifier = channel.nextPacketIdentifier
    return state
  }
  var sessionExpiry: UInt32 { channel.sessionExpiry }
  var counters: MQTTChannelCounters { output.counters }

  /// Shows what was left before and `bytes`.
  func receive(_ bytes: [UInt8]) -> Said {
    let input = rest + bytes
    let taken = channel.receive(input.span.bytes, at: now, into: &output)
    precondition(taken >= 0 && taken <= input.count, "took bytes that were not there")
    rest = Array(input[taken...])
    return said()
  }

  func accept(_ acceptance: MQTTAcceptance = MQTTAcceptance()) -> Said {
    channel.accept(acceptance, at: now, into: &output)
    return said()
  }

  func refuse(_ reason: MQTTReasonCode, _ text: String? = nil, serverReference: String? = nil) -> Said {
    channel.refuse(reason, text, serverReference: serverReference, at: now, into: &output)
    return said()
  }

  /// Answers the oldest unanswered message, or the one after so many others.
  func published(_ outcome: MQTTPublishOutcome = .accepted, after others: Int = 0) -> Said {
    channel.published(publishes.remove(at: others).ticket, outcome, at: now, into: &output)
    return said()
  }

  func subscribed(_ codes: MQTTReasonCode..., after others: Int = 0, text: String? = nil) -> Said {
    channel.subscribed(subscribes.remove(at: others).ticket, codes, text, at: now, into: &output)
    return said()
  }

  func unsubscribed(_ codes: MQTTReasonCode..., after others: Int = 0) -> Said {
    channel.unsubscribed(unsubscribes.remove(at: others).ticket, codes, at: now, into: &output)
    return said()
  }

  private func render(_ topic: String, _ payload: String, _ properties: MQTTProperties) -> (MQTTPublishRendering, [UInt8]) {
    var encoded = ByteBuffer()
    properties.append(into: &encoded)
    var buffer = ByteBuffer()
    let rendering = MQTTPublishRendering.append(
      version, topic: Bytes(topic).bytes, properties: encoded.bytes, payload: Bytes(payload).bytes, into: &buffer)
    return (rendering, buffer.freeze().array)
  }

  @discardableResult func deliver(
    _ topic: String, _ payload: String = "m", qos: MQTTQoS = .atMostOnce, token: UInt64 = 0, properties: MQTTProperties = MQTTProperties(),
    expecting outcome: MQTTDeliveryOutcome = .sent, _ change: (inout MQTTDelivery) -> Void = { _ in }
  ) -> Said {
    let (rendering, bytes) = render(topic, payload, properties)
    var delivery = MQTTDelivery(qos, token: token)
    change(&delivery)
    let got = channel.deliver(delivery, rendering, of: bytes.span.bytes, into: &output)
    precondition(got == outcome, "delivered: \(got)")
    return said()
  }

  func redeliver(
    _ topic: String, _ payload: String = "m", token: UInt64, expecting outcome: MQTTDeliveryOutcome = .sent
  ) -> Said {
    let (rendering, bytes) = render(topic, payload, MQTTProperties())
    let got = channel.redeliver(MQTTDelivery(.atLeastOnce, token: token), rendering, of: bytes.span.bytes, into: &output)
    precondition(got == outcome, "delivered again: \(got)")
    return said()
  }

  func abandon(_ token: UInt64) -> Said {
    channel.abandon(token, into: &output)
    return said()
  }

  /// Lets time pass and rings the bell.
  func wait(milliseconds: Int) -> Said {
    now = now + .milliseconds(milliseconds)
    channel.tick(at: now, into: &output)
    return said()
  }

  func end(_ reason: MQTTReasonCode, _ text: String? = nil, serverReference: String? = nil) -> Said {
    channel.end(reason, text, serverReference: serverReference, at: now, into: &output)
    return said()
  }

  func lose() -> Said {
    channel.connectionLost(at: now, into: &output)
    return said()
  }

  private func said() -> Said {
    var said = Said(output.bytes.withUnsafeBytes { [UInt8]($0) })
    said.actions = output.actions.map(note)
    output.removeAll()
    return said
  }

  private func note(_ action: MQTTAction) -> String {
    switch action {
    case .connect(let connect): return "connect \(connect.clientIdentifier.text)"
    case .publish(let request):
      publishes.append(request)
      let flags = (request.isDuplicate ? " dup" : "") + (request.isRetained ? " retain" : "")
      let identifier = request.packetIdentifier == 0 ? "" : " id \(request.packetIdentifier)"
      return "publish \(request.topic.text) \(request.payload.text) qos \(request.qos.rawValue)\(identifier)\(flags)"
    case .release(let identifier): return "release \(identifier)"
    case .subscribe(let request):
      subscribes.append(request)
      let list = zip(request.subscriptions, request.isKnown).map { "\($0.filter.text) \($0.qos.rawValue)\($1 ? " known" : "")" }
      return "subscribe " + list.joined(separator: ", ") + (request.identifier.map { " as \($0)" } ?? "")
    case .unsubscribe(let request):
      unsubscribes.append(request)
      return "unsubscribe " + request.filters.map(\.text).joined(separator: ", ")
    case .acknowledged(let token): return "acknowledged \(token)"
    case .received(let token): return "received \(token)"
    case .resend(let token, let identifier, let qos): return "resend \(token) qos \(qos.rawValue) id \(identifier)"
    case .will(let will, let delay):
      wills.append(will)
      return "will \(will.topic.text) in \(delay)"
    case .close: return "close"
    }
  }
}

/// A PUBLISH from a client.
func publish(
  _ version: MQTTVersion, _ topic: String, _ payload: String = "m", qos: MQTTQoS = .atMostOnce, id: UInt16 = 0, dup: Bool = false,
  retain: Bool = false, alias: UInt16 = 0, _ properties: MQTTProperties = MQTTProperties()
) -> [UInt8] {
  var properties = properties
  if alias != 0 { properties.topicAlias = alias }
  return written(MQTTPublishHead(qos: qos, isDuplicate: dup, isRetained: retain, packetIdentifier: id), version, topic, payload, properties)
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP of four bytes, or with a reason code of five.
func ack(_ step: MQTTDeliveryAck.Step, _ id: UInt16, _ code: UInt8? = nil) -> [UInt8] {
  let first: UInt8 =
    switch step {
    case .acknowledged: 0x40
    case .received: 0x50
    case .release: 0x62
    case .complete: 0x70
    }
  return [first, code == nil ? 2 : 3, UInt8(id >> 8), UInt8(id & 0xff)] + (code.map { [$0] } ?? [])
}

func subscribe(_ version: MQTTVersion, _ id: UInt16, _ filters: (String, UInt8)..., identifier: UInt8? = nil) -> [UInt8] {
  var body = [UInt8(id >> 8), UInt8(id & 0xff)]
  if version == .v5 { body += identifier.map { [2, 0x0b, $0] } ?? [0] }
  for (filter, options) in filters { body += field(Array(filter.utf8)) + [options] }
  return packet(0x82, body)
}

func unsubscribe(_ version: MQTTVersion, _ id: UInt16, _ filters: String...) -> [UInt8] {
  packet(0xa2, [UInt8(id >> 8), UInt8(id & 0xff)] + (version == .v5 ? [0] : []) + filters.flatMap { field(Array($0.utf8)) })
}

/// How a connection ends that the client broke: in 5.0 told why, before just closed.
func broken(_ version: MQTTVersion, _ code: UInt8, then actions: String...) -> Said {
  var said = Said(version == .v5 ? [0xe0, 1, code] : [])
  said.actions = actions + ["close"]
  return said
}
