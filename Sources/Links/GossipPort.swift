internal import Core
public import Gossip
public import Reactor
public import Sealing
internal import Wire

/// Whoever owns a `GossipPort`.
public protocol GossipHost: AnyObject {
  /// Something changed among the members.
  func gossip(_ fact: GossipFact)
  /// Resolve the join addresses anew and call `join`; without any there is nothing to do.
  func gossipWantsSeeds()
  /// Something people should know.
  func linkFact(_ fact: LinkFact)
}

/// Drives the gossip: sealed datagrams through the cluster's port, and questions over streams by way of its `LinkPort`.
///
/// The node's reactor calls in: `ready` and `expired`. Nothing waits for the end of a turn.
public final class GossipPort {
  /// The kind of poll tokens and timers that are the gossip's.
  public static let kind: UInt8 = 14

  /// What became of datagrams that are not gossip's own business.
  public struct Counters: Sendable {
    /// Never were sealed packets.
    public var malformed = 0
    /// Sealed with a key that is not held here.
    public var unknownKey = 0
    /// Changed on the way, or made by somebody without the key.
    public var forged = 0
    /// The kernel did not take them.
    public var unsent = 0
    public var bytesReceived = 0
    public var bytesSent = 0
  }

  public internal(set) var node: GossipNode
  public private(set) var portCounters = Counters()
  private let socket: UDPSocket
  private let links: LinkPort
  private let loop: any LoopControl
  private unowned let host: any GossipHost
  private let random: () -> [UInt8]
  private var sealer: PacketSealer
  private var nonces: NonceSequence
  private var throttle: FactThrottle
  private var output = GossipOutput()
  private var sealed = ByteBuffer(capacity: GossipLimits.packet)
  private var opened = ByteBuffer(capacity: GossipLimits.packet)
  /// Longer than any packet, so that one that is too long is seen to be.
  private let datagram = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 16)
  private var timer = TimerID.none
  private var timerAt: Instant?
  private var whenLeft: (() -> Void)?
  private var isClosed = false
  /// In front of every question's token, so that one's own is recognised when it comes back.
  private let mark: UInt32
  /// Questions under way.
  private var questions: [UInt32: (address: SocketAddress, isJoin: Bool)] = [:]

  /// `random` gives 32 fresh bytes of the operating system's randomness with every call.
  public init(
    node: GossipNode, secret: ClusterSecret, socket: UDPSocket, links: LinkPort, loop: any LoopControl, host: any GossipHost,
    random: @escaping () -> [UInt8]
  ) {
    self.node = node
    self.socket = socket
    self.links = links
    self.loop = loop
    self.host = host
    self.random = random
    sealer = PacketSealer(secret)
    let chance = random()
    nonces = NonceSequence(salt: chance.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    mark = chance.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self) }
    throttle = FactThrottle(period: links.settings.factPeriod)
    links.gossip = self
  }

  deinit { datagram.deallocate() }

  /// Begins to listen and to probe.
  public func start() throws(ReactorError) {
    // Levels: what one turn leaves lying is told again in the next.
    try loop.watch(socket.descriptor, PollToken(kind: Self.kind), .listener)
    setTimer()
  }

  /// Everyone else that is known.
  public var members: [Member] { node.members }

  // MARK: Orders

  /// Offers this node's state to these addresses, those of members that are alive excepted.
  public func join(_ seeds: [SocketAddress]) {
    act(isJoin: true) { node, now, output in node.join(seeds.map { GossipAddress($0) }, at: now, into: &output) }
  }

  /// Says something new of this node to everyone.
  public func update(profile: MemberProfile, address: SocketAddress? = nil) {
    act { node, _, _ in node.update(profile: profile, address: address.map { GossipAddress($0) }) }
  }

  /// Says goodbye, and calls back when it was said often enough.
  public func leave(then done: @escaping () -> Void) {
    whenLeft = done
    act { node, now, output in node.leave(at: now, into: &output) }
  }

  /// Is deaf and dumb from now on.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    loop.cancel(timer)
    loop.unwatch(socket.descriptor)
    socket.close()
  }

  // MARK: Events of the loop

  public func ready(_ token: PollToken, _ readiness: Readiness) {
    for _ in 0..<LinkBounds.packetsPerTurn {
      guard !isClosed else { return }
      switch socket.receive(into: datagram) {
      case .datagram(let count, let sender): received(count, from: sender)
      case .wouldBlock: return
      // News of an earlier datagram that nobody was there for.
      case .failed: continue
      }
    }
  }

  public func expired(_ timer: TimerKey) {
    timerAt = nil
    act { node, now, output in node.tick(at: now, into: &output) }
  }

  private func received(_ count: Int, from sender: SocketAddress) {
    portCounters.bytesReceived += count
    let before = node.counters.refusedCluster
    opened.removeAll()
    do throws(SealFailure) {
      let packet = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: datagram[..<count]))
      try SealedEnvelope.open(packet, keys: sealer.ids, with: &sealer, into: &opened)
    } catch {
      return refuse(error, from: sender)
    }
    let packet = Bytes(copying: opened.bytes)
    act { node, now, output in node.receive(packet: packet.bytes, from: GossipAddress(sender), at: now, into: &output) }
    if node.counters.refusedCluster != before { tellForeign(sender) }
  }

  private func refuse(_ failure: SealFailure, from sender: SocketAddress) {
    let reason: String
    switch failure {
    case .malformed:
      portCounters.malformed += 1
      reason = "they are no sealed gossip: something else sends to the cluster's port, keep it away from it"
    case .unknownKey(let key):
      portCounters.unknownKey += 1
      reason =
        "they are sealed with key \(key.hexadecimal), which this node does not hold (\(sealer.ids.map(\.hexadecimal).joined(separator: ", "))): if it belongs to this cluster, give it the same --cluster-secret-file; if not, take this node out of its --join"
    case .forged:
      portCounters.forged += 1
      reason = "their seal is wrong: bytes were changed on the way, or somebody without the secret made them"
    }
    tell(.unopenable, sender.anyPort, nil, "datagrams from \(sender) cannot be opened and were dropped: \(reason)")
  }

  private func tellForeign(_ sender: SocketAddress) {
    tell(
      .foreignGossip, sender.anyPort, nil,
      "\(sender) gossips of another cluster with the same secret: each cluster needs a secret of its own; look at both nodes' --join")
  }

  // MARK: What the machine wants

  /// Lets the machine do something, then does what it wants. What the host does meanwhile comes back here.
  private func act(isJoin: Bool = false, _ body: (inout GossipNode, Instant, inout GossipOutput) -> Void) {
    guard !isClosed else { return }
    var wanted = GossipOutput()
    swap(&wanted, &output)
    wanted.removeAll()
    body(&node, loop.now, &wanted)
    perform(wanted, isJoin: isJoin)
    swap(&wanted, &output)
  }

  private func perform(_ wanted: GossipOutput, isJoin: Bool) {
    for packet in wanted.packets { send(packet) }
    for stream in wanted.streams {
      let address = SocketAddress(stream.to)
      questions[stream.token] = (address, isJoin)
      links.ask(address, ticket: UInt64(mark) << 32 | UInt64(stream.token), stream.bytes)
    }
    for fact in wanted.facts { host.gossip(fact) }
    if wanted.wantsSeeds { host.gossipWantsSeeds() }
    if node.hasLeft, let done = whenLeft.take() { done() }
    setTimer()
  }

  private func send(_ packet: GossipPacket) {
    guard let nonce = nextNonce() else { return }
    sealed.removeAll()
    SealedEnvelope.seal(packet.bytes.bytes, key: sealer.sending, nonce: nonce, with: &sealer, into: &sealed)
    switch socket.send(sealed.readPointer, count: sealed.count, to: SocketAddress(packet.to)) {
    case .bytes(let count): portCounters.bytesSent += count
    // Like a datagram that got lost: the gossip expects that.
    case .wouldBlock, .closed, .failed: portCounters.unsent += 1
    }
  }

  private func nextNonce() -> SealNonce? {
    if let nonce = nonces.next() { return nonce }
    nonces = NonceSequence(salt: random().withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    return nonces.next()
  }

  private func setTimer() {
    guard !isClosed else { return }
    let next = node.nextTick
    if let timerAt, timerAt <= next { return }
    loop.cancel(timer)
    timer = loop.schedule(TimerKey(PollToken(kind: Self.kind).rawValue), at: next)
    timerAt = next
  }

  private func tell(_ kind: LinkFact.Kind, _ address: SocketAddress, _ member: NodeID?, _ text: @autoclosure () -> String) {
    guard throttle.admits(kind, address, at: loop.now) else { return }
    host.linkFact(LinkFact(kind: kind, address: address, node: member, text: text()))
  }
}

extension GossipPort: GossipStreams {
  func asked(_ request: Bytes, ticket: UInt64, from address: SocketAddress) -> Bytes? {
    let token = UInt32(truncatingIfNeeded: ticket)
    if UInt32(truncatingIfNeeded: ticket >> 32) == mark, let question = questions[token] {
      tell(
        .ownJoinAddress, question.address, node.id,
        "the join address \(question.address) leads back to this node itself: take it out of this node's --join, or leave it if all nodes share one list; it does no harm")
      return nil
    }
    let before = node.counters.refusedCluster
    var reply: Bytes?
    act { node, now, output in
      node.receive(request: request.bytes, from: GossipAddress(address), at: now, into: &output)
      reply = output.streamReply
    }
    if node.counters.refusedCluster != before { tellForeign(address) }
    return reply
  }

  func answered(_ ticket: UInt64, _ answer: Result<Bytes, GossipStreamProblem>) {
    let token = UInt32(truncatingIfNeeded: ticket)
    guard let question = questions.removeValue(forKey: token) else { return }
    switch answer {
    case .success(let reply):
      let before = node.counters.refusedCluster
      act { node, now, output in node.receive(reply: reply.bytes, of: token, at: now, into: &output) }
      if node.counters.refusedCluster != before { tellForeign(question.address) }
    case .failure(let problem):
      act { node, _, _ in node.streamFailed(token) }
      if question.isJoin {
        tell(
          .joinFailed, question.address, nil,
          "nobody could be joined at \(question.address) (\(problem.text)): it is tried again; if no node shall be there, take it out of --join")
      }
    }
  }
}
