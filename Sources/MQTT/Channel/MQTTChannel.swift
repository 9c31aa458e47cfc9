public import Core

/// One connection's protocol: bytes in, bytes and actions out, in every version. It owns no socket, clock or store.
///
/// ```
///                    ┌──────────────── MQTTChannel ────────────────┐
///   receive ────────▶│ awaitingConnect ─▶ connecting ─▶ connected  │──▶ output.bytes      to the socket
///   accept, refuse ─▶│                                     │       │
///   published, … ───▶│    incoming   what to acknowledge   │       │──▶ output.actions    to do, in order
///   deliver, … ─────▶│    outgoing   what is in flight     ▼       │
///   tick, end, … ───▶│                                   closed    │
///                    └─────────────────────────────────────────────┘
/// ```
///
/// Statement numbers are those of 5.0 unless 3.1.1 is named. Answers that come after the connection is closed are taken and
/// change what `session` says, but send nothing.
public struct MQTTChannel: ~Copyable {
  enum Phase {
    case awaitingConnect
    /// Until the shell has accepted or refused it.
    indirect case connecting(MQTTConnect)
    case connected
    case closed
  }

  enum Will {
    case none
    // Apart, because few have one and every connection would have the room.
    indirect case some(MQTTWill)
  }

  let settings: MQTTChannelSettings
  var decoder: MQTTDecoder
  var phase = Phase.awaitingConnect
  /// When the client last sent a whole packet, or this side last began to listen.
  var lastReceived: Instant

  // What CONNECT said.
  var will = Will.none
  /// Seconds without a packet after which the client is held for dead; 0 for never.
  var keepAlive = 0
  var requestedSessionExpiry: UInt32 = 0
  var clientMaximumPacketSize = Int.max
  var tellsReasons = true

  /// Seconds the session is kept after the connection, as agreed; good to read once `close` is in the actions, since a
  /// DISCONNECT may change it.
  public internal(set) var sessionExpiry: UInt32 = 0

  /// The client has said DISCONNECT.
  public internal(set) var hasTakenLeave = false

  var incoming = MQTTIncomingMessages()
  var incomingAliases = MQTTIncomingAliases()
  var requests = MQTTIncomingRequests()
  var subscriptions = MQTTHeldSubscriptions()
  var outgoing = MQTTOutgoingMessages()
  var outgoingAliases = MQTTOutgoingAliases(limit: 0)

  /// For a connection that has just been opened.
  public init(settings: MQTTChannelSettings, at now: Instant) {
    settings.check()
    self.settings = settings
    decoder = MQTTDecoder(serverWith: MQTTLimits(maximumPacketSize: settings.maximumPacketSize))
    lastReceived = now
  }

  /// Nil before a CONNECT has told it.
  public var version: MQTTVersion? { decoder.version }

  public var isConnected: Bool {
    if case .connected = phase { true } else { false }
  }

  public var isClosed: Bool {
    if case .closed = phase { true } else { false }
  }

  var speaks5: Bool { decoder.version == .v5 }

  /// Whether nothing is taken from the client before some of what was handed out is answered: then the shell stops reading,
  /// and after answering shows `receive` what was left, if anything was.
  public var isPaused: Bool {
    switch phase {
    case .awaitingConnect, .closed: false
    case .connecting: true
    case .connected:
      incoming.unansweredCount >= settings.maximumUnansweredMessages || incoming.unansweredBytes >= settings.maximumUnansweredBytes
        || requests.count >= settings.maximumUnansweredRequests
    }
  }

  /// When `tick` wants to be called: the end of the connect timeout or of 1.5 times the keep-alive ([MQTT-3.1.2-22]). A shell
  /// that does not read for reasons of its own does not call it either.
  public var deadline: Instant? {
    switch phase {
    case .awaitingConnect: lastReceived + settings.connectTimeout
    // A client that is not listened to cannot show that it is alive.
    case .connected: keepAlive == 0 || isPaused ? nil : lastReceived + .milliseconds(keepAlive * 1500)
    case .connecting, .closed: nil
    }
  }

  /// Takes what it can of `input` and says how many bytes; what is left must be shown again, with more behind it, or, when
  /// the channel is paused, as it is once answers were given.
  public mutating func receive(_ input: RawSpan, at now: Instant, into output: inout MQTTChannelOutput) -> Int {
    var offset = 0
    while !isPaused {
      guard !isClosed else { return input.byteCount }
      switch decoder.next(input, &offset) {
      case .needMore: return offset
      case .packet(let packet):
        lastReceived = now
        output.counters.packetsReceived += 1
        take(packet, of: input, into: &output)
      case .failed(let failure):
        fail(failure, into: &output)
        return input.byteCount
      case .finished: return input.byteCount
      }
    }
    return offset
  }

  private mutating func take(_ packet: MQTTPacket, of input: RawSpan, into output: inout MQTTChannelOutput) {
    switch packet {
    case .publish(let publish): take(publish, of: input, into: &output)
    case .deliveryAck(let ack): take(ack, into: &output)
    case .pingRequest: send(.pingResponse, into: &output)
    case .subscribe(let packet): take(packet, into: &output)
    case .unsubscribe(let packet): take(packet, into: &output)
    case .connect(let connect): take(connect, into: &output)
    case .disconnect(let disconnect): take(disconnect, into: &output)
    // Only a client that named a method at CONNECT may send it, and none such is let in ([MQTT-4.12.0-7]).
    case .authentication: fail(.protocolError, "AUTH is for clients that named an authentication method.", into: &output)
    case .connectAck, .subscribeAck, .unsubscribeAck, .pingResponse:
      preconditionFailure("the decoder let pass what only servers send")
    }
  }

  /// What a client could not have used while it was not listened to is given back.
  mutating func listenAgain(_ wasPaused: Bool, at now: Instant) {
    if wasPaused, !isPaused { lastReceived = now }
  }

  // What must be kept for the session to go on elsewhere, each O(n).

  /// Of the packets that were answered.
  public var heldSubscriptions: [MQTTSessionState.Subscription] { subscriptions.all }

  /// Packet identifiers of messages of QoS 2 that were accepted and not released, ascending.
  public var unreleasedIdentifiers: [UInt16] { incoming.unreleased.sorted }

  public var nextPacketIdentifier: UInt16 { outgoing.nextIdentifier }

  /// In the order of sending.
  public var messagesInFlight: [MQTTSessionState.InFlight] {
    (0..<outgoing.count).map { index in
      let entry = outgoing[index]
      return MQTTSessionState.InFlight(
        packetIdentifier: entry.identifier, token: entry.token, qos: entry.isExactlyOnce ? .exactlyOnce : .atLeastOnce,
        isReceived: entry.current == .received)
    }
  }
}
