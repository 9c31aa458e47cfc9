internal import Reactor

extension NodeConfiguration {
  /// A place where the node would listen.
  private struct Door {
    let option: String
    let endpoint: Endpoint
    /// What the endpoint's host stands for; a name that nobody knows stands for nothing here, and is told of at binding.
    let addresses: [SocketAddress]

    init(_ option: String, _ endpoint: Endpoint) {
      self.option = option
      self.endpoint = endpoint
      do throws(ReactorError) {
        addresses = try Address(host: endpoint.host, port: endpoint.port).resolve()
      } catch {
        addresses = []
      }
    }

    /// IPv4 and IPv6 have ports of their own: `[::]` is every address of IPv6 alone.
    func clashes(with other: Door) -> Bool {
      guard endpoint.port == other.endpoint.port, endpoint.port != 0 else { return false }
      return addresses.contains { mine in
        other.addresses.contains { $0.family == mine.family && ($0 == mine || $0.isUnspecified || mine.isUnspecified) }
      }
    }
  }

  /// Addresses that the node cannot have twice. Asks the system's resolver where hosts are names.
  public var clashes: [UsageError] {
    // In the order in which a node claims them.
    var doors = http.map { Door("--http", $0) }
    let web = doors
    if let mqtt {
      let door = Door("--mqtt", mqtt)
      // The default address of MQTT is left out where it cannot be had.
      if mqttIsChosen || !web.contains(where: door.clashes) { doors.append(door) }
    }
    if isClustered { doors.append(Door("--cluster", clusterEndpoint)) }
    var found: [UsageError] = []
    for (index, door) in doors.enumerated() {
      guard let other = doors[..<index].first(where: door.clashes) else { continue }
      let way = door.endpoint == other.endpoint ? "are the same address" : "are the same port of one address"
      let off = [door.option, other.option].contains("--mqtt") ? ", or say --mqtt off" : ""
      found.append(
        UsageError(
          "\(other.option) \(other.endpoint) and \(door.option) \(door.endpoint) \(way)", hint: "give \(door.option) another port\(off)"))
    }
    return found
  }
}
