internal import Core
internal import Reactor

extension LinkPort {
  /// Every link that is wanted, and every one that others made, in order of their nodes.
  public var status: [LinkStatus] {
    var rows: [LinkStatus] = []
    for key in dials.keys {
      guard let dial = dials[key] else { continue }
      let connection = dial.connection.flatMap { connections[$0] }
      rows.append(
        LinkStatus(
          node: dial.node, address: dial.address, dialled: true, state: state(of: connection), roundTrip: connection?.roundTrip,
          queuedBytes: connection?.queuedBytes ?? 0, linkedSince: connection?.linkedSince, failures: dial.failures,
          problem: dial.problem))
    }
    for (node, key) in incoming {
      guard let connection = connections[key] else { continue }
      rows.append(
        LinkStatus(
          node: node, address: connection.address, dialled: false, state: .linked, roundTrip: nil,
          queuedBytes: connection.queuedBytes, linkedSince: connection.linkedSince, failures: 0, problem: nil))
    }
    return rows.sorted { ($0.node, $0.dialled ? 0 : 1) < ($1.node, $1.dialled ? 0 : 1) }
  }

  private func state(of connection: LinkConnection?) -> LinkStatus.State {
    switch connection?.phase {
    case .connecting: .connecting
    case .handshake, .greeting: .greeting
    case .linked: .linked
    case .finishing, nil: .waiting
    }
  }
}

extension LinkConnection {
  var queuedBytes: Int {
    guard channel != nil else { return 0 }
    return channel!.queuedBytes() + unsent
  }
}
