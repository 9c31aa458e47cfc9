internal import Core

/// One value on `$SYS/…`.
struct SystemTopic: Equatable {
  var name: Bytes
  var value: Bytes
}

extension SystemFacts {
  /// Every value under its name. Those of `$SYS/broker` are Mosquitto's, in its names and forms, so that what reads them
  /// there reads them here.
  var topics: [SystemTopic] {
    var list = SystemTopicList()
    list.root = "$SYS/broker/"
    list.add("version", "tidings version \(version)")
    list.add("node", node)
    list.add("uptime", "\(uptime.nanoseconds / 1_000_000_000) seconds")
    list.add("clients/total", clients)
    list.add("clients/connected", clients)
    // Its name of old, which some dashboards still have.
    list.add("clients/active", clients)
    list.add("clients/maximum", maximumClients)
    list.add("subscriptions/count", subscriptions)
    list.add("retained messages/count", retained)
    list.add("heap/current", heapBytes)
    list.add("messages/received", traffic.packetsReceived)
    list.add("messages/sent", traffic.packetsSent)
    list.add("publish/messages/received", traffic.publishesReceived)
    list.add("publish/messages/sent", traffic.publishesSent)
    list.add("publish/messages/dropped", traffic.publishesDropped)
    list.add("publish/bytes/received", traffic.payloadBytesReceived)
    list.add("publish/bytes/sent", traffic.payloadBytesSent)
    list.add("bytes/received", traffic.bytesReceived)
    list.add("bytes/sent", traffic.bytesSent)
    for meter in MQTTLoad.Meter.allCases {
      for span in MQTTLoad.Span.allCases { list.add("load/\(meter.name)/\(span.name)", SystemTopicList.twoPlaces(load[meter, span])) }
    }
    addCluster(&list)
    return list.topics
  }

  private func addCluster(_ list: inout SystemTopicList) {
    list.root = "$SYS/cluster/"
    list.add("state", cluster.state)
    for (name, count) in [("nodes", cluster.nodes), ("brokers", cluster.brokers), ("edges", cluster.edges)] {
      list.add("\(name)/total", count.total)
      list.add("\(name)/alive", count.alive)
    }
    list.add("shards/count", cluster.shards)
    list.add("shards/leaderless", cluster.leaderlessShards)
    list.add("shards/short", cluster.shortShards)
    list.add("clients/connected", cluster.clients)
    list.add("connections", cluster.connections)
    list.add("versions", cluster.versions.joined(separator: ", "))
  }
}

private struct SystemTopicList {
  var root = ""
  var topics: [SystemTopic] = []

  mutating func add(_ name: String, _ value: String) { topics.append(SystemTopic(name: Bytes(root + name), value: Bytes(value))) }
  mutating func add(_ name: String, _ value: Int) { add(name, "\(value)") }

  /// Loads are never negative, and far from what an integer holds.
  static func twoPlaces(_ value: Double) -> String {
    let hundredths = Int(min(max(0, value) * 100, 1e15).rounded())
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
  }
}
