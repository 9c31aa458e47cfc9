internal import Core
internal import Edge
internal import Feeds
internal import Gossip
internal import JSON
internal import Links
internal import Placement

/// What operators want of nodes: written down where the cluster agrees on it, read by every node, and done by the node
/// that it is about.
extension ClusterDesk {
  /// Its current value is what the cluster agrees on. No client can publish to a topic of the system.
  static let metaTopic = "$tidings/cluster"
  private static let metaFilter: Filter = {
    do throws(TopicError) { return try Filter(metaTopic) } catch { preconditionFailure("\(error)") }
  }()
  /// No connection's questions have such tickets.
  private static let metaTicket = Ticket(1 << 42)

  func careForMeta() {
    guard plan.isBorn, !wishes.isEmpty || !plan.board.isEnding else { return }
    if let want = meta.tick(at: now) { carryOut(want) }
  }

  private func carryOut(_ want: MetaSession.Want) {
    switch want {
    case .read:
      ask(
        Self.metaShard,
        .read(ReadRequest(
          edge: EdgeID(0), ticket: Self.metaTicket, filters: [Self.metaFilter], start: .current, maximumBytes: MetaState.maximumLength + 4096)))
    case .write(let bytes, let head):
      let batch = PublishBatch(edge: EdgeID(0))
      var draft = RecordDraft()
      draft.flags = .retain
      draft.encode(topic: Self.metaTopic, payload: bytes.withUnsafeBytes { [UInt8]($0) }, into: &batch.records)
      batch.entries = [PublishEntry(ticket: Self.metaTicket, length: batch.records.count, expectedHead: head)]
      ask(Self.metaShard, .publish(batch))
    }
  }

  /// Whether the answer is to a question of this desk; it is taken then.
  func takes(_ reply: ShardReply) -> Bool {
    switch reply {
    case .read(let reply) where reply.ticket == Self.metaTicket: took(reply)
    case .published(_, let results) where results.first?.ticket == Self.metaTicket: wrote(results[0].outcome)
    default: return false
    }
    return true
  }

  private func took(_ reply: ReadReply) {
    switch reply.result {
    case .failure(let refusal): settle(meta.took(.failure(MetaFailure(Self.text(of: refusal)))))
    case .success(let page) where page.isBehind: settle(meta.took(.failure(MetaFailure(Self.text(of: .noQuorum)))))
    case .success(let page):
      var found: (offset: Offset, bytes: Bytes)?
      for piece in page.pieces {
        piece.withUnsafeBytes { memory in
          for record in RecordSequence(trusting: memory) { found = (record.offset, Bytes(Array(record.payload))) }
        }
      }
      settle(meta.took(.success(found)))
    }
  }

  private func wrote(_ outcome: PublishResult.Outcome) {
    switch outcome {
    case .accepted(let offset, _), .duplicate(let offset, _): settle(meta.wrote(.accepted(offset)))
    case .refused(.headMoved): settle(meta.wrote(.overtaken))
    case .refused(let refusal): settle(meta.wrote(.failed(Self.text(of: refusal))))
    }
  }

  private static func text(of refusal: Refusal) -> String {
    switch refusal {
    case .noQuorum, .electing, .notLeader: "shard 0, which keeps what the cluster agrees on, has no leader at the moment; try again"
    case .unknownOutcome: "whether the cluster agreed is not known; look at the status, or try again"
    default: "shard 0, which keeps what the cluster agrees on, cannot be written: \(refusal)"
    }
  }

  private func settle(_ step: (want: MetaSession.Want?, answers: [(tag: UInt64, answer: MetaSession.Answer)])) {
    for (tag, answer) in step.answers { tell(answer, to: tag) }
    if let want = step.want { carryOut(want) }
    if meta.isKnown { follow(meta.state) }
  }

  // MARK: Wishes

  func wish(_ wish: NodeWish, of name: String, for page: PageTicket) {
    func refuse(_ answer: NodeWishAnswer) { post(.wishAnswer(page, answer), Int(page.edge.value)) }
    let known = members.map { (id: $0.id, name: $0.profile.name, isBroker: $0.profile.role.ownsShards, isLive: $0.standing.isLive) }
      + [(id: plan.node, name: plan.configuration.name, isBroker: cluster.isBroker, isLive: true)]
    var meant = known.filter { $0.id.description == name }
    if meant.isEmpty { meant = known.filter { $0.name == name } }
    // Of several lives of one name the one that lives is meant.
    if meant.count > 1, meant.contains(where: \.isLive) { meant = meant.filter(\.isLive) }
    guard let node = meant.first else {
      return refuse(.unknown("No node of this cluster is called '\(name)' or has that identity. GET /v1/cluster lists them."))
    }
    guard meant.count == 1 else {
      return refuse(.conflict("\(meant.count) nodes are called '\(name)'. Say which by its identity: \(meant.map(\.id.description).joined(separator: ", "))."))
    }
    if wish == .leave, node.isBroker {
      let staying = known.filter { $0.isBroker && $0.isLive && $0.id != node.id && !meta.state.leaving.contains($0.id) }
      guard !staying.isEmpty else {
        return refuse(.conflict("'\(node.name)' is the only broker that stays: its messages would have nowhere to go. Add another one first."))
      }
    }
    let command: MetaCommand =
      switch wish {
      case .drain: .drain(node.id)
      case .resume: .resume(node.id)
      case .leave: .leave(node.id)
      }
    change(command, for: WaitingWishes.Wish(page: page, wish: wish, node: node.id, name: node.name))
  }

  func change(_ command: MetaCommand, for wish: WaitingWishes.Wish?) {
    let tag = wishes.add(wish)
    guard !meta.ask(command, tag: tag) else { return }
    tell(.failed("too many wait for the same"), to: tag)
  }

  private func tell(_ answer: MetaSession.Answer, to tag: UInt64) {
    guard let wish = wishes.take(tag) else { return }
    let told: NodeWishAnswer
    switch answer {
    case .done:
      var buffer = ByteBuffer(capacity: 128)
      var json = JSONWriter()
      json.beginObject(into: &buffer)
      json.member("node", wish.node.description, into: &buffer)
      json.member("name", wish.name, into: &buffer)
      json.member("wish", wish.wish.rawValue, into: &buffer)
      json.endObject(into: &buffer)
      told = .accepted(buffer.freeze())
    case .refused(let refusal): told = .conflict("It cannot be: \(refusal).")
    case .failed(let why): told = .unavailable("It was not done: \(why).")
    }
    post(.wishAnswer(wish.page, told), Int(wish.page.edge.value))
  }

  // MARK: What is wanted of this node

  private func follow(_ state: MetaState) {
    if state.removed.contains(plan.node) {
      if isLeaving { return plan.board.hasLeft() }
      return plan.board.failed(
        "this node has left its cluster for good, and its data with it; start it with an empty data directory to make it a new node")
    }
    isLeaving = state.leaving.contains(plan.node)
    let isToldNow = isLeaving || state.draining.contains(plan.node)
    guard isToldNow != isToldToDrain, !plan.board.isEnding else { return }
    isToldToDrain = isToldNow
    plan.log.info(
      isToldNow ? "draining" : "resumed",
      isLeaving
        ? "the node was told to leave: it gives up everything, and ends then"
        : isToldNow ? "the node was told to drain: it leads nothing, and its clients are told to go elsewhere" : "the node takes part again")
    plan.board.setDraining(isToldNow)
    gossip?.update(profile: profile)
    for reactor in 0..<plan.reactors { post(isToldNow ? .standAside(over: plan.configuration.drainWindow) : .resume, reactor) }
  }
}

/// What was wanted of nodes over HTTP and is not answered yet.
struct WaitingWishes {
  struct Wish {
    let page: PageTicket
    let wish: NodeWish
    let node: NodeID
    let name: String
  }

  private var waiting: [UInt64: Wish] = [:]
  private var next: UInt64 = 1

  var isEmpty: Bool { waiting.isEmpty }

  /// nil is the node's own wish, which nobody waits for.
  mutating func add(_ wish: Wish?) -> UInt64 {
    defer { next += 1 }
    waiting[next] = wish
    return next
  }

  mutating func take(_ tag: UInt64) -> Wish? { waiting.removeValue(forKey: tag) }
}
