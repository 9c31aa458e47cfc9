internal import Core
internal import MQTT

/// An MQTT client as the specification has it: a session that outlives its connections, packet identifiers, DUP on what is
/// sent again, and memory of what it received and was not told to let go of.
final class SimulatedMQTTClient {
  struct Outgoing {
    enum Stage { case unsent, published, received }
    var message: UInt32
    var topic: Int
    var qos: MQTTQoS
    var identifier: UInt16
    var stage = Stage.unsent
  }

  enum Phase { case away, connecting, connected }

  /// Few, so that they are soon used again.
  static let identifiers = 12
  static let outgoingMost = 6

  let index: Int
  let version: MQTTVersion
  /// Whether its session outlives its connections.
  let isDurable: Bool
  /// Follows everything rather than some topics.
  let followsAll: Bool
  let granted: MQTTQoS
  let name: Bytes

  // The session.
  var outgoing: [Outgoing] = []
  private var nextIdentifier: UInt16 = 0
  /// Of QoS 2, received and not let go of.
  private var unreleased: [(identifier: UInt16, message: UInt32)] = []
  var watches: [TopicWatch] = []
  /// Whether the server has said that there is a session.
  var isPromised = false
  /// Whether it has asked for one, so that there may be.
  private var hasAsked = false
  private var mayBePresent = false
  /// It has forgotten everything, and the server is to do so too.
  private(set) var mustBeClean = false

  // The connection.
  var pipe: MQTTPipe?
  var phase = Phase.away
  var since = Instant.zero
  var connectsAt = Instant.zero
  var isClean = false
  private var decoder: MQTTDecoder
  private var input = ByteBuffer()
  /// Acknowledgements that it takes its time with.
  private var owed = ByteBuffer()
  /// The SUBSCRIBE or UNSUBSCRIBE that is not answered, and the topics in it.
  var request: (identifier: UInt16, topics: [Int], subscribes: Bool)?

  var isStopped = false
  /// Never to come back.
  var isGone = false

  init(index: Int, version: MQTTVersion, isDurable: Bool, followsAll: Bool, granted: MQTTQoS) {
    self.index = index
    self.version = version
    self.isDurable = isDurable
    self.followsAll = followsAll
    self.granted = granted
    name = SessionJudge.name(of: index)
    decoder = MQTTDecoder(client: version)
  }

  // Connections --------------------------------------------------------------------------------------------

  func connects(through pipe: MQTTPipe, clean: Bool, _ cluster: SimulatedCluster) {
    self.pipe = pipe
    phase = .connecting
    since = cluster.time
    isClean = clean
    if clean {
      forget(cluster)
      mustBeClean = true
    }
    mayBePresent = hasAsked
    hasAsked = isDurable
    decoder = MQTTDecoder(client: version)
    input.removeAll()
    owed.removeAll()
    request = nil
  }

  /// The connection is no more, whoever ended it.
  func isCutOff(_ cluster: SimulatedCluster) {
    guard phase != .away else { return }
    pipe?.isOpenAtClient = false
    pipe = nil
    phase = .away
    since = cluster.time
    connectsAt = cluster.time + .milliseconds(cluster.sessionRandom.below(1500))
    for watch in watches.indices where !isDurable || request?.topics.contains(watches[watch].topic) == true { watches[watch].end() }
    request = nil
    if !isDurable { forget(cluster) }
  }

  /// What was under way is nobody's any more.
  private func forget(_ cluster: SimulatedCluster) {
    for message in outgoing where message.qos == .atLeastOnce { cluster.ledger.letRepeat(message.message) }
    outgoing.removeAll()
    unreleased.removeAll()
    for watch in watches.indices { watches[watch].end() }
    isPromised = false
  }

  private func send(_ bytes: consuming ByteBuffer, _ cluster: SimulatedCluster) {
    guard let pipe else { return }
    cluster.send(bytes.freeze(), through: pipe, toEdge: true)
  }

  func send(_ packet: some MQTTOwnedPacket, _ cluster: SimulatedCluster) {
    var bytes = ByteBuffer()
    packet.append(version, into: &bytes)
    send(bytes, cluster)
  }

  // What comes ---------------------------------------------------------------------------------------------

  func receive(_ bytes: Bytes, _ cluster: SimulatedCluster) throws(Problem) {
    input.append(bytes)
    let all = Bytes(copying: input.bytes)
    var offset = 0
    while pipe != nil {
      switch decoder.next(all.bytes, &offset) {
      case .needMore:
        input.removeFirst(offset)
        return
      case .finished: return
      case .failed(let failure): throw Problem("client \(index) was sent what is no MQTT: \(failure)")
      case .packet(let packet): try take(packet, of: all, cluster)
      }
    }
  }

  private func take(_ packet: MQTTPacket, of bytes: Bytes, _ cluster: SimulatedCluster) throws(Problem) {
    switch packet {
    case .connectAck(let ack): try take(ack, cluster)
    case .publish(let publish): try take(publish, of: bytes, cluster)
    case .deliveryAck(let ack): try take(ack, cluster)
    case .subscribeAck(let ack):
      guard let asked = request, asked.identifier == ack.packetIdentifier, asked.subscribes else { return }
      request = nil
      guard ack.reasonCodes.allSatisfy({ !$0.isFailure }) else { throw Problem("client \(index) was refused a subscription: \(ack.reasonCodes)") }
      for watch in watches.indices where asked.topics.contains(watches[watch].topic) { watches[watch].begin(cluster.ledger.topics) }
    case .unsubscribeAck(let ack):
      if let asked = request, asked.identifier == ack.packetIdentifier, !asked.subscribes { request = nil }
    case .disconnect(let packet):
      cluster.note("client \(index) is told \(packet.reasonCode)")
      switch packet.reasonCode {
      case .sessionTakenOver, .serverBusy: break
      default: throw Problem("client \(index) was disconnected: \(packet.reasonCode)")
      }
    default: throw Problem("client \(index) was sent a packet that is not for clients")
    }
  }

  private func take(_ ack: MQTTConnectAck, _ cluster: SimulatedCluster) throws(Problem) {
    guard ack.reasonCode == .success else {
      cluster.note("client \(index) is refused: \(ack.reasonCode)")
      return
    }
    cluster.note("client \(index) is connected, session present: \(ack.isSessionPresent)")
    guard !ack.isSessionPresent || (!isClean && mayBePresent) else { throw Problem("client \(index) was told of a session, and there is none") }
    guard ack.isSessionPresent || isClean || !isPromised else { throw Problem("client \(index) was not told of its session") }
    if !ack.isSessionPresent { forget(cluster) }
    isPromised = isDurable
    mustBeClean = false
    phase = .connected
    since = cluster.time
    // First what was under way, in its order.
    for index in outgoing.indices {
      switch outgoing[index].stage {
      case .unsent: break
      case .published: publish(index, again: true, cluster)
      case .received: send(MQTTDeliveryAck(.release, outgoing[index].identifier), cluster)
      }
    }
  }

  private func take(_ publish: MQTTPublish, of bytes: Bytes, _ cluster: SimulatedCluster) throws(Problem) {
    let topic = bytes.slice(publish.topic)
    guard topic.count == 2, topic[0] == UInt8(ascii: "t") else { throw Problem("client \(index) was sent something to \(topic.text)") }
    let number = bytes.slice(publish.payload).withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }
    if publish.qos == .exactlyOnce, let known = unreleased.first(where: { $0.identifier == publish.packetIdentifier }) {
      guard publish.isDuplicate, known.message == number else {
        throw Problem("client \(index) was sent message \(number) as \(known.identifier), which is still message \(known.message)")
      }
    } else {
      cluster.note("client \(index) is given message \(number) of topic \(topic[1] &- 48), QoS \(publish.qos.rawValue) as \(publish.packetIdentifier)")
      cluster.report.mqttDeliveries += 1
      guard let watch = watches.firstIndex(where: { $0.topic == Int(topic[1]) - 48 }) else { throw Problem("client \(index) never asked for \(topic.text)") }
      try watches[watch].given(number, publish.qos, cluster.ledger.topics, by: index)
      if publish.qos == .exactlyOnce { unreleased.append((publish.packetIdentifier, number)) }
    }
    guard publish.qos != .atMostOnce else { return }
    MQTTDeliveryAck(publish.qos == .exactlyOnce ? .received : .acknowledged, publish.packetIdentifier).append(version, into: &owed)
    if cluster.isHealing || cluster.sessionRandom.below(4) > 0 { acknowledge(cluster) }
  }

  /// Says what it took its time to say.
  func acknowledge(_ cluster: SimulatedCluster) {
    guard !owed.isEmpty, phase == .connected else { return }
    var bytes = ByteBuffer()
    swap(&bytes, &owed)
    send(bytes, cluster)
  }

  private func take(_ ack: MQTTDeliveryAck, _ cluster: SimulatedCluster) throws(Problem) {
    if ack.step == .release {
      unreleased.removeAll { $0.identifier == ack.packetIdentifier }
      MQTTDeliveryAck(.complete, ack.packetIdentifier).append(version, into: &owed)
      if cluster.isHealing || cluster.sessionRandom.below(4) > 0 { acknowledge(cluster) }
      return
    }
    guard let index = outgoing.firstIndex(where: { $0.identifier == ack.packetIdentifier && $0.stage != .unsent }) else { return }
    let message = outgoing[index]
    if ack.step != .complete, ack.reasonCode.isFailure {
      // Given up: it may have been kept, once.
      cluster.note("client \(self.index) is refused message \(message.message): \(ack.reasonCode)")
      if message.qos == .atLeastOnce { cluster.ledger.letRepeat(message.message) }
      outgoing.remove(at: index)
      return
    }
    guard cluster.ledger.isKept(message.message) else {
      throw Problem("client \(self.index) was told that message \(message.message) is kept, and it is not")
    }
    switch ack.step {
    case .acknowledged where message.qos == .atLeastOnce:
      cluster.report.mqttAcknowledged += 1
      outgoing.remove(at: index)
    case .received where message.qos == .exactlyOnce:
      outgoing[index].stage = .received
      send(MQTTDeliveryAck(.release, message.identifier), cluster)
    case .complete where message.stage == .received:
      cluster.report.mqttAcknowledged += 1
      outgoing.remove(at: index)
    default: throw Problem("client \(self.index) was sent \(ack.step) for a message of QoS \(message.qos.rawValue)")
    }
  }

  func endWatching(_ topic: Int) {
    for watch in watches.indices where watches[watch].topic == topic { watches[watch].end() }
  }

  // What it publishes ----------------------------------------------------------------------------------------

  func add(_ message: UInt32, topic: Int, _ qos: MQTTQoS, _ cluster: SimulatedCluster) {
    repeat { nextIdentifier = nextIdentifier % UInt16(SimulatedMQTTClient.identifiers) + 1 } while outgoing.contains { $0.identifier == nextIdentifier }
    outgoing.append(Outgoing(message: message, topic: topic, qos: qos, identifier: nextIdentifier))
    publish(outgoing.count - 1, again: false, cluster)
  }

  private func publish(_ index: Int, again: Bool, _ cluster: SimulatedCluster) {
    let message = outgoing[index]
    outgoing[index].stage = .published
    if message.qos == .atLeastOnce { cluster.ledger.letRepeat(message.message) }
    let head = MQTTPublishHead(qos: message.qos, isDuplicate: again, packetIdentifier: message.identifier)
    let topic = Bytes([UInt8(ascii: "t"), UInt8(48 + message.topic)])
    let payload = cluster.payload(message.message)
    let nothing = Bytes()
    var bytes = ByteBuffer()
    head.append(version, topic: topic.bytes, properties: nothing.bytes, payload: payload.bytes, into: &bytes)
    send(bytes, cluster)
  }
}
