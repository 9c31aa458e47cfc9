public import Core
internal import Feeds
internal import Raft
internal import Replica

/// A whole cluster in one thread: the replicas, feeds and caches that production runs, on simulated disks, network and
/// clocks, with publishers, readers and consumers that know only what they were told.
///
/// ```
/// publishers ─▶ edges ── links ─▶ brokers ═ replicas ═ disks        faults ─▶ all of it
/// readers   ◀─ edges ◀─ links ── brokers                            ledger ◀─ whatever anybody is told
/// ```
///
/// Everything that happens is an event with a time; all chance comes from the seed. So a seed is an account of what
/// happened, to be had again at will.
public final class SimulatedCluster {
  public let plan: SimulationPlan
  public internal(set) var report = SimulationReport()
  public internal(set) var now = Instant.zero

  var random: SeededGenerator
  var queue = EventQueue()
  var network: SimulatedNetwork
  var ledger: Ledger
  var brokers: [SimulatedBroker] = []
  var edges: [SimulatedEdge] = []
  var publishers: [SimulatedPublisher] = []
  var readers: [SimulatedReader] = []
  var consumers: [SimulatedConsumer] = []
  var partitions: [[(Int, Int)]] = []
  var output = ReplicaOutput()
  let founders: Membership
  let wildcard: Filter
  let padding: [UInt8]
  var nextMessage: UInt32 = 0
  var lastLink: UInt32 = 0
  /// By link number less one.
  var linkOwners: [(edge: Int, broker: Int)] = []
  var clients: [SimulatedMQTTClient] = []
  /// Every MQTT connection there ever was.
  var pipes: [MQTTPipe] = []
  var parcels: [PipeParcel?] = []
  var freeParcels: [Int] = []
  /// Apart, so that a cluster without MQTT clients does the same whatever they draw.
  var sessionRandom: SeededGenerator
  var problem: Problem?
  /// No more faults: everything must become well.
  var isHealing = false
  private var envelopes: [Envelope?] = []
  private var freeEnvelopes: [Int] = []
  private var trace: UInt64 = 0xcbf2_9ce4_8422_2325
  private let listener: ((String) -> Void)?

  /// `listener` hears what happens, line by line.
  public init(_ plan: SimulationPlan, listener: ((String) -> Void)? = nil) {
    self.plan = plan
    self.listener = listener
    random = SeededGenerator(seed: plan.seed)
    sessionRandom = SeededGenerator(seed: plan.seed ^ 0x6d71_7474)
    network = SimulatedNetwork(nodes: plan.brokers + plan.edges)
    network.mix = plan.network
    ledger = Ledger(shards: plan.shards, topics: plan.topics, clients: plan.clients, forgets: plan.losesHistory)
    founders = Membership(voters: (0..<min(plan.replicas, plan.brokers)).map { NodeID(UInt64($0 + 1)) })
    wildcard = SimulatedCluster.filter("#")
    padding = [UInt8](repeating: 0x5a, count: plan.payloadBytes)
    brokers = (0..<plan.brokers).map { SimulatedBroker(index: $0, shards: plan.shards) }
    edges = (0..<plan.edges).map { SimulatedEdge(index: $0, brokers: plan.brokers) }
    // The last topic is one publisher's own, who publishes on condition.
    publishers = (0..<plan.publishers).map { SimulatedPublisher(index: $0, conditionalTopic: $0 == 0 ? plan.topics - 1 : nil) }
    readers = (0..<plan.readers).map { index in
      let topic: Int32? = index % 3 == 0 ? nil : Int32(index % plan.topics)
      return SimulatedReader(
        index: index, topic: topic, filter: topic.map { SimulatedCluster.filter("t\($0)") } ?? wildcard,
        shards: topic.map { [Int($0) % plan.shards] } ?? Array(0..<plan.shards), of: plan.shards)
    }
    consumers = (0..<plan.consumers).map { SimulatedConsumer(index: $0, shard: $0 % plan.shards) }
    clients = SimulatedCluster.clients(plan)
    for broker in brokers {
      broker.drift = Int64(random.below(2000)) - 1000
      if plan.skipsSyncs { for host in broker.hosts { host.disk.skipsSyncs = true } }
    }
  }

  static func filter(_ text: String) -> Filter {
    do { return try Filter(text) } catch { preconditionFailure("\(text) is no filter: \(error)") }
  }

  /// For who asks from outside.
  var time: Instant { now }

  /// What happened, in a number: the same for the same seed, whoever runs it.
  public var traceHash: UInt64 { trace }

  /// Runs it all: the faults, then the healing.
  public func run() throws(Violation) {
    do throws(Problem) {
      for broker in brokers { try start(broker) }
      for edge in edges { start(edge) }
      for publisher in publishers { queue.add(.publisher, at: .zero + .milliseconds(random.below(2000)), target: publisher.index) }
      for reader in readers { queue.add(.subscriber, at: .zero + .milliseconds(random.below(2000)), target: reader.index) }
      for consumer in consumers { queue.add(.consumer, at: .zero + .milliseconds(random.below(2000)), target: consumer.index) }
      for client in clients { queue.add(.client, at: .zero + .milliseconds(sessionRandom.below(2000)), target: client.index) }
      queue.add(.fault, at: .zero + .seconds(3))
      try run(until: .zero + plan.duration)
      try heal()
    } catch {
      throw Violation(text: error.text, at: now)
    }
    report.simulated = now - .zero
    report.acknowledged = ledger.acknowledged
    report.committed = ledger.committed
    report.deliveries = ledger.checkedDeliveries
  }

  func run(until end: Instant) throws(Problem) {
    while let next = queue.nextTime, next <= end {
      let event = queue.removeFirst()
      now = event.time
      report.events += 1
      mix(UInt64(truncatingIfNeeded: event.time.nanoseconds) ^ UInt64(event.kind.rawValue) << 56)
      mix(UInt64(UInt32(bitPattern: event.target)) << 32 | UInt64(UInt32(bitPattern: event.slot)))
      try handle(event)
      if let problem { throw problem }
    }
    now = end
  }

  @inline(__always) private func mix(_ value: UInt64) { trace = (trace ^ value) &* 0x0000_0100_0000_01b3 }

  private func handle(_ event: Event) throws(Problem) {
    switch event.kind {
    case .brokerTick:
      let broker = brokers[Int(event.target)]
      guard broker.isUp, broker.incarnation == event.slot else { return }
      if hold(event, broker) { return }
      try tick(broker)
    case .edgeTick:
      let edge = edges[Int(event.target)]
      if edge.isUp, edge.incarnation == event.slot { try tick(edge) }
    case .arrival: try arrive(event)
    case .diskDone:
      if !hold(event, brokers[Int(event.target) / plan.shards]) { try diskDone(event) }
    case .readDone:
      if !hold(event, brokers[Int(event.target) / plan.shards]) { try readDone(event) }
    case .publisher: try act(publishers[Int(event.target)])
    case .subscriber: try act(readers[Int(event.target)])
    case .consumer: try act(consumers[Int(event.target)])
    case .client: act(clients[Int(event.target)])
    case .pipe: try pipeArrives(event)
    case .fault: try drawFault()
    case .brokerStarts:
      let broker = brokers[Int(event.target)]
      if event.slot == 1, broker.isUp { stop(broker, losesPower: true) }
      try start(broker)
    case .brokerResumes:
      let broker = brokers[Int(event.target)]
      guard broker.isUp, broker.incarnation == event.slot else { return }
      try resume(broker)
    case .edgeStarts: start(edges[Int(event.target)])
    case .linkDown: try linkDown(event)
    case .partitionEnds: partitionEnds(event)
    case .diskHeals: diskHeals(event)
    }
  }

  /// A stopped process does nothing; it finds it all when it goes on.
  private func hold(_ event: Event, _ broker: SimulatedBroker) -> Bool {
    guard broker.pausedUntil != nil else { return false }
    broker.missed.append(event)
    return true
  }

  func resume(_ broker: SimulatedBroker) throws(Problem) {
    guard broker.pausedUntil != nil else { return }
    note("broker \(broker.index) goes on")
    broker.pausedUntil = nil
    let missed = broker.missed
    broker.missed.removeAll()
    for event in missed { try handle(event) }
  }

  // Parcels --------------------------------------------------------------------------------------------

  func post(_ envelope: Envelope, at time: Instant) {
    let slot: Int
    if let free = freeEnvelopes.popLast() {
      envelopes[free] = envelope
      slot = free
    } else {
      envelopes.append(envelope)
      slot = envelopes.count - 1
    }
    queue.add(.arrival, at: time, target: envelope.to, slot: slot)
  }

  /// Between brokers anything can happen to a message.
  func send(_ message: ReplicaMessage, from: Int, to: Int, _ shard: Int) throws(Problem) {
    guard to < plan.brokers, !network.isBlocked(from, to) else { return }
    if network.mix.loss > 0, random.below(10_000) < network.mix.loss { return report.lostMessages += 1 }
    let envelope = Envelope(from: from, to: to, link: 0, parcel: .replica(shard: shard, try crossing(message, of: shard)))
    post(envelope, at: now + network.delay(&random))
    if network.mix.duplication > 0, random.below(10_000) < network.mix.duplication {
      report.doubledMessages += 1
      post(envelope, at: now + network.delay(&random))
    }
  }

  func deliver(_ replies: [ShardReply], to edge: EdgeID, from broker: Int) throws(Problem) {
    let link = edge.value
    guard link > 0, Int(link) <= linkOwners.count else { return }
    let owner = edges[linkOwners[Int(link) - 1].edge]
    guard owner.isUp, owner.links[broker].number == link, !owner.links[broker].isDying else { return }
    let to = nodeNumber(owner)
    guard !network.isBlocked(broker, to) else { return breakLink(owner, broker) }
    let crossed = try crossing(replies, to: edge)
    post(Envelope(from: broker, to: to, link: link, parcel: .replies(crossed)), at: network.arrivalInOrder(broker, to, at: now, &random))
  }

  private func arrive(_ event: Event) throws(Problem) {
    let slot = Int(event.slot)
    if Int(event.target) < plan.brokers, brokers[Int(event.target)].isUp, hold(event, brokers[Int(event.target)]) { return }
    guard let envelope = envelopes[slot].take() else { return }
    freeEnvelopes.append(slot)
    // What is under way when the wires are cut is lost.
    guard !network.isBlocked(envelope.from, envelope.to) else { return }
    switch envelope.parcel {
    case .replica(let shard, let message):
      let broker = brokers[envelope.to]
      guard broker.isUp else { return }
      broker.hosts[shard].process?.replica.receive(message, from: NodeID(UInt64(envelope.from + 1)), at: broker.clock(now), into: &output)
      try endTurn(of: broker, shard)
    case .request(let shard, let request):
      let broker = brokers[envelope.to]
      let edge = edges[envelope.from - plan.brokers]
      guard broker.isUp, edge.links[envelope.to].number == envelope.link, !edge.links[envelope.to].isDying else { return }
      guard broker.hosts[shard].isUp else {
        // It could not open the shard: an edge hears nothing, and goes elsewhere when it has waited.
        return breakLink(edge, envelope.to)
      }
      broker.hosts[shard].process?.replica.receive(request, at: broker.clock(now), wall: broker.wall(now), into: &output)
      try endTurn(of: broker, shard)
    case .replies(let replies):
      let edge = edges[envelope.to - plan.brokers]
      guard edge.isUp, edge.links[envelope.from].number == envelope.link, !edge.links[envelope.from].isDying else { return }
      try receive(replies, edge, from: envelope.from)
    }
  }

  func note(_ text: @autoclosure () -> String) {
    guard let listener else { return }
    listener("\(Double(now.nanoseconds / 1_000_000) / 1000) \(text())")
  }
}
