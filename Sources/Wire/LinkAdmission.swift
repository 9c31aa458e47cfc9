public import Core

/// Decides whom this node talks to, by what the other says of itself. That it knows the cluster's secret is proven before.
public struct LinkAdmission: Sendable {
  public enum Decision: Hashable, Sendable {
    /// Go on in this version.
    case welcome(version: UInt16)
    /// Say this and close.
    case farewell(NodeFarewell)
  }

  /// What this node says of itself: keep it up to date.
  public var own: NodeHello
  /// True once this node is about to stop.
  public var isDraining = false
  public private(set) var counters = WireCounters()

  private struct Known: Sendable {
    let node: NodeID
    var incarnation: UInt64
    var links: Int
    var usedAt: UInt64
  }

  /// In order of identity.
  private var known: [Known] = []
  /// In order.
  private var removed: [NodeID] = []
  private var uses: UInt64 = 0

  public init(own: NodeHello) { self.own = own }

  /// Identities that are never admitted again; no more than `WireLimits.removed`, the newest at the end.
  public mutating func setRemoved(_ nodes: [NodeID]) {
    removed = nodes.suffix(WireLimits.removed).sorted()
  }

  /// Which incarnation of a node is the newest, as far as is known from elsewhere. Older ones are refused from here on.
  public mutating func learn(_ node: NodeID, incarnation: UInt64) {
    guard node != own.node, let index = place(of: node) else { return }
    known[index].incarnation = max(known[index].incarnation, incarnation)
  }

  /// Decides on the first message of a link. After a welcome, `linkClosed` must follow when the link ends.
  public mutating func decide(_ hello: NodeHello) -> Decision {
    do throws(NodeFarewell) {
      let version = try admit(hello)
      counters.welcomed += 1
      return .welcome(version: version)
    } catch {
      counters.count(error.reason)
      return .farewell(error)
    }
  }

  /// A link that was welcomed is no more.
  public mutating func linkClosed(_ hello: NodeHello) {
    guard let index = index(of: hello.node), known[index].incarnation == hello.incarnation, known[index].links > 0 else { return }
    known[index].links -= 1
  }

  /// A link is ended for a reason that was found elsewhere than here.
  public mutating func countEnd(_ reason: NodeFarewell.Reason) { counters.count(reason) }

  /// What came on a link could not be read: the words to end it with.
  public mutating func unreadable(_ refusal: WireRefusal) -> NodeFarewell {
    counters.count(.unreadable)
    return NodeFarewell(
      .unreadable, "what came on this link cannot be read (\(refusal)): if the two nodes run different versions, update the older one")
  }

  private mutating func admit(_ hello: NodeHello) throws(NodeFarewell) -> UInt16 {
    let who = hello.name.isEmpty ? "node \(hello.node)" : "node \(hello.node) (\(hello.name))"
    let version = min(hello.versions.upperBound, own.versions.upperBound)
    guard version >= max(hello.versions.lowerBound, own.versions.lowerBound) else {
      throw NodeFarewell(
        .version,
        "\(who) speaks versions \(hello.versions.words) of the link protocol and this node \(own.versions.words): update the older of the two")
    }
    if hello.node == own.node { throw ownIdentity(hello) }
    if let theirs = hello.cluster, let ours = own.cluster, theirs != ours {
      throw NodeFarewell(
        .wrongCluster,
        "\(who) belongs to cluster \(theirs) and this node to cluster \(ours): check the join addresses; a broker changes cluster only with an empty data directory")
    }
    if hello.knowsItIsRemoved || isRemoved(hello.node) {
      throw NodeFarewell(
        .removed,
        "\(who) was removed from the cluster for good: start it with an empty data directory, and it joins as a new node")
    }
    if isDraining {
      throw NodeFarewell(.draining, "node \(own.node) is about to stop and takes no more links: try another node")
    }
    try note(hello, who)
    return version
  }

  private func ownIdentity(_ hello: NodeHello) -> NodeFarewell {
    hello.incarnation == own.incarnation
      ? NodeFarewell(.ownAddress, "this address leads back to node \(own.node) itself: take it out of its join addresses")
      : NodeFarewell(
        .sameIdentity,
        "another process has the identity of node \(own.node): a data directory was copied; start the copy with an empty one")
  }

  private mutating func note(_ hello: NodeHello, _ who: String) throws(NodeFarewell) {
    guard let index = place(of: hello.node) else {
      throw NodeFarewell(
        .crowded, "this node has links to \(WireLimits.nodes) others already and cannot remember \(who): the cluster is too large")
    }
    let before = known[index]
    if hello.incarnation < before.incarnation {
      throw NodeFarewell(
        .oldIncarnation,
        "\(who) was started anew since it said this: an old connection or a repeated message; if it goes on, two processes run with one data directory or a copy of it")
    }
    if hello.incarnation > before.incarnation, before.links > 0 {
      throw NodeFarewell(
        .sameIdentity,
        "another process with the identity of \(who) is still linked here: if it was just restarted, this passes; if two run at once, a data directory was copied, start the copy with an empty one")
    }
    known[index].incarnation = hello.incarnation
    known[index].links += 1
  }

  private func isRemoved(_ node: NodeID) -> Bool {
    let index = removed.firstNotBelow { $0 < node }
    return index < removed.count && removed[index] == node
  }

  private func index(of node: NodeID) -> Int? {
    let index = known.firstNotBelow { $0.node < node }
    return index < known.count && known[index].node == node ? index : nil
  }

  /// Where what is known of `node` stands, made if there is nothing yet. Who has not been heard of for longest makes room;
  /// nil when everybody has links.
  private mutating func place(of node: NodeID) -> Int? {
    uses += 1
    if let index = index(of: node) {
      known[index].usedAt = uses
      return index
    }
    if known.count >= WireLimits.nodes {
      guard let oldest = known.indices.filter({ known[$0].links == 0 }).min(by: { known[$0].usedAt < known[$1].usedAt }) else { return nil }
      known.remove(at: oldest)
    }
    let index = known.firstNotBelow { $0.node < node }
    known.insert(Known(node: node, incarnation: 0, links: 0, usedAt: uses), at: index)
    return index
  }
}

extension ClosedRange<UInt16> {
  fileprivate var words: String { lowerBound == upperBound ? "\(lowerBound)" : "\(lowerBound) to \(upperBound)" }
}
