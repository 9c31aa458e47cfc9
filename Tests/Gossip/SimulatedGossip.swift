import Core

@testable import Gossip

/// A network of gossip nodes in one thread: datagrams that get lost and late, streams that only get late, pauses,
/// crashes and partitions, all from one seed.
final class SimulatedGossip {
  struct Weather {
    var loss = 0.0
    var shortestDelay = TimeSpan.milliseconds(1)
    var longestDelay = TimeSpan.milliseconds(20)
  }

  enum Happening {
    case tick(node: Int, turn: Int)
    case packet(GossipPacket, from: Int)
    case request(GossipStream, from: Int)
    case reply(Bytes, token: UInt32, to: Int)
    case failure(token: UInt32, to: Int)
  }

  struct Event {
    let at: Instant
    let number: Int
    let happening: Happening
  }

  struct Host {
    var node: GossipNode
    var isUp = true
    var isPaused = false
    /// Which side of a partition it is on.
    var side = 0
    var turn = 0
    /// What lies unread in the socket of a process that does not run; the kernel keeps this many.
    var unread: [Happening] = []
    var facts: [(at: Instant, fact: GossipFact)] = []
  }

  static let socketCapacity = 128
  static let refusedAfter = TimeSpan.milliseconds(500)

  var now = Instant.zero
  var weather = Weather()
  var hosts: [Host] = []
  var seeds: [GossipAddress] = []
  var random: SeededGenerator
  var largestPacket = 0
  var largestState = 0
  var packets = 0
  /// Everything that was sent and concluded, in order, as one number.
  private(set) var trace: UInt64 = 0
  private var events: [Event] = []
  private var nextNumber = 0
  private var output = GossipOutput()

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  static func id(_ index: Int) -> NodeID { NodeID(UInt64(1000 + index)) }
  static func address(_ index: Int) -> GossipAddress { GossipAddress(ipv4: 0x0a00_0000 + UInt32(index), port: 7400) }

  static func profile(_ index: Int, boot: UInt64 = 1) -> MemberProfile {
    var profile = MemberProfile(role: index % 5 < 3 ? .broker : .edge, boot: boot, name: "node-\(index)")
    profile.version = "1.0.0"
    profile.http = "10.0.0.\(index):8080"
    return profile
  }

  /// Starts one more node, or one again that was there before.
  @discardableResult
  func start(_ index: Int? = nil, boot: UInt64 = 1, settings: GossipSettings = GossipSettings()) -> Int {
    let index = index ?? hosts.count
    let node = GossipNode(
      id: Self.id(index), address: Self.address(index), profile: Self.profile(index, boot: boot), settings: settings,
      seed: random.next(), at: now)
    if index == hosts.count {
      hosts.append(Host(node: node))
    } else {
      hosts[index].node = node
      hosts[index].isUp = true
      hosts[index].unread.removeAll()
    }
    scheduleTick(index)
    return index
  }

  func start(count: Int, settings: GossipSettings = GossipSettings()) {
    seeds = (0..<min(3, count)).map(Self.address)
    for _ in 0..<count { start(settings: settings) }
  }

  /// Nodes that know each other already, without the traffic of getting there.
  func startAcquainted(count: Int, settings: GossipSettings) {
    start(count: count, settings: settings)
    for index in hosts.indices {
      for other in hosts.indices where other != index {
        let claim = Claim(
          standing: .alive, subject: Self.id(other), incarnation: 1, address: Self.address(other))
        hosts[index].node.apply(claim, profile: Self.profile(other).encoded, at: now, into: &output)
      }
      hosts[index].node.rumours = Rumours()
      hosts[index].node.nextSequence = UInt32(index) << 16
      output.removeAll()
      scheduleTick(index)
    }
  }

  func stop(_ index: Int) {
    hosts[index].isUp = false
    hosts[index].turn += 1
  }

  func pause(_ index: Int) {
    hosts[index].isPaused = true
    hosts[index].turn += 1
  }

  /// The process runs again: it sees the time first and what lies unread after, which is the worse order for others.
  func resume(_ index: Int) {
    hosts[index].isPaused = false
    perform(.tick(node: index, turn: hosts[index].turn))
    let unread = hosts[index].unread
    hosts[index].unread.removeAll()
    for happening in unread { perform(happening) }
  }

  func act(_ index: Int, _ body: (inout GossipNode, Instant, inout GossipOutput) -> Void) {
    body(&hosts[index].node, now, &output)
    drain(index)
  }

  /// Runs until `limit`, or until `isDone`, looked at every tenth of a second; says whether it was.
  @discardableResult
  func run(for span: TimeSpan, until isDone: (SimulatedGossip) -> Bool = { _ in false }) -> Bool {
    let end = now + span
    var nextLook = now
    while let next = events.first, next.at <= end {
      if next.at >= nextLook {
        if isDone(self) { return true }
        nextLook = next.at + .milliseconds(100)
      }
      popFirst()
      now = next.at
      perform(next.happening)
    }
    now = end
    return isDone(self)
  }

  /// Whether everyone who is up believes exactly those alive who are up.
  var hasConverged: Bool {
    let up = hosts.indices.filter { hosts[$0].isUp }
    return up.allSatisfy { index in
      hosts[index].node.liveCount == up.count - 1 && hosts[index].node.table.suspectCount == 0
        && up.allSatisfy { $0 == index || hosts[index].node.member(Self.id($0))?.standing.isLive == true }
    }
  }

  private func perform(_ happening: Happening) {
    switch happening {
    case .tick(let index, let turn):
      guard hosts[index].turn == turn, hosts[index].isUp, !hosts[index].isPaused else { return }
      hosts[index].node.tick(at: now, into: &output)
      drain(index)
    case .packet(let packet, let source):
      guard let index = receiver(packet.to, from: source, happening) else { return }
      hosts[index].node.receive(packet: packet.bytes.bytes, from: Self.address(source), at: now, into: &output)
      drain(index)
    case .request(let stream, let source):
      guard let index = receiver(stream.to, from: source, happening) else {
        schedule(.failure(token: stream.token, to: source), after: Self.refusedAfter)
        return
      }
      hosts[index].node.receive(request: stream.bytes.bytes, from: Self.address(source), at: now, into: &output)
      if let reply = output.streamReply {
        schedule(.reply(reply, token: stream.token, to: source), after: delay())
      } else {
        schedule(.failure(token: stream.token, to: source), after: delay())
      }
      drain(index)
    case .reply(let bytes, let token, let index):
      guard isRunning(index, happening) else { return }
      hosts[index].node.receive(reply: bytes.bytes, of: token, at: now, into: &output)
      drain(index)
    case .failure(let token, let index):
      guard isRunning(index, happening) else { return }
      hosts[index].node.streamFailed(token)
      drain(index)
    }
  }

  private func receiver(_ address: GossipAddress, from source: Int, _ happening: Happening) -> Int? {
    guard let ipv4 = address.ipv4 else { return nil }
    let index = Int(ipv4 - 0x0a00_0000)
    guard hosts.indices.contains(index), hosts[index].side == hosts[source].side else { return nil }
    return isRunning(index, happening) ? index : nil
  }

  private func isRunning(_ index: Int, _ happening: Happening) -> Bool {
    guard hosts[index].isUp else { return false }
    guard hosts[index].isPaused else { return true }
    if hosts[index].unread.count < Self.socketCapacity { hosts[index].unread.append(happening) }
    return false
  }

  /// Carries out what a node wants done.
  private func drain(_ index: Int) {
    for packet in output.packets {
      packets += 1
      largestPacket = max(largestPacket, packet.bytes.count)
      packet.bytes.withUnsafeBytes { note(StableHash.of($0, seed: packet.to.low)) }
      let isLost = Double(random.below(1 << 20)) / Double(1 << 20) < weather.loss
      if !isLost { schedule(.packet(packet, from: index), after: delay()) }
    }
    for stream in output.streams {
      largestState = max(largestState, stream.bytes.count)
      stream.bytes.withUnsafeBytes { note(StableHash.of($0, seed: stream.to.low)) }
      schedule(.request(stream, from: index), after: delay())
    }
    for fact in output.facts {
      hosts[index].facts.append((now, fact))
      note(UInt64(index))
    }
    let wantsSeeds = output.wantsSeeds
    output.removeAll()
    if wantsSeeds {
      hosts[index].node.join(seeds, at: now, into: &output)
      drain(index)
    } else {
      scheduleTick(index)
    }
  }

  private func note(_ value: UInt64) {
    var words = (trace, value, UInt64(bitPattern: now.nanoseconds))
    trace = withUnsafeBytes(of: &words) { StableHash.of($0) }
  }

  private func scheduleTick(_ index: Int) {
    hosts[index].turn += 1
    let at = max(now, hosts[index].node.nextTick)
    schedule(.tick(node: index, turn: hosts[index].turn), after: at - now)
  }

  private func delay() -> TimeSpan {
    let span = weather.longestDelay - weather.shortestDelay
    return TimeSpan(nanoseconds: weather.shortestDelay.nanoseconds + random.span(below: span).nanoseconds)
  }
}

extension TimeSpan {
  static func - (a: TimeSpan, b: TimeSpan) -> TimeSpan { TimeSpan(nanoseconds: a.nanoseconds - b.nanoseconds) }
}

// A binary heap, by time and then by the order in which things were planned.
extension SimulatedGossip {
  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    (events[a].at, events[a].number) < (events[b].at, events[b].number)
  }

  func schedule(_ happening: Happening, after span: TimeSpan) {
    events.append(Event(at: now + span, number: nextNumber, happening: happening))
    nextNumber += 1
    var child = events.count - 1
    while child > 0, isBefore(child, (child - 1) / 2) {
      events.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private func popFirst() {
    events.swapAt(0, events.count - 1)
    events.removeLast()
    var parent = 0
    while true {
      var first = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < events.count && isBefore(child, first) { first = child }
      guard first != parent else { return }
      events.swapAt(parent, first)
      parent = first
    }
  }
}
