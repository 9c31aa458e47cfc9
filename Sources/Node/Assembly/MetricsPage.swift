internal import Core
internal import Edge
internal import Feeds
internal import Gossip
internal import Links
internal import MQTT
internal import Reactor
internal import Replica
internal import Wire

/// `GET /metrics`: everything the node counts, in Prometheus' names and units.
struct MetricsPage {
  let plan: NodePlan
  let reports: [ReactorReport]
  let now: Instant

  func render() -> Bytes {
    var writer = MetricsWriter()
    writer.write(.gauge("tidings_build_info", "The version that runs; always 1."), 1, ["version": plan.edge.version, "node": plan.configuration.name])
    writer.write(.gauge("tidings_uptime_seconds", "Since the node started."), Double((now - plan.started).nanoseconds) / 1e9)
    connections(&writer)
    traffic(&writer)
    latency(&writer)
    readers(&writer)
    mqtt(&writer)
    shards(&writer)
    loops(&writer)
    cluster(&writer)
    return writer.finish()
  }

  private func sum(_ value: (ReactorReport) -> Int) -> Int { reports.reduce(0) { $0 + value($1) } }

  private func connections(_ writer: inout MetricsWriter) {
    for transport in Transport.allCases {
      writer.write(
        .gauge("tidings_connections", "Open connections by transport; http is a connection between requests."),
        sum { $0.edge.connections[transport.rawValue] }, ["transport": transport.name.description])
    }
    writer.write(.counter("tidings_connections_accepted_total", "Connections accepted."), sum { $0.edge.counters.accepted })
    writer.write(.counter("tidings_connections_refused_total", "Connections refused because of --max-connections or want of descriptors."), sum { $0.edge.counters.refused + $0.loop.refused })
    writer.write(.counter("tidings_accept_pauses_total", "Times accepting paused because no descriptor was free."), sum { $0.loop.acceptPauses })
    writer.write(.counter("tidings_http_requests_total", "Requests whose head and body arrived whole."), sum { $0.edge.counters.requests })
    writer.write(.counter("tidings_protocol_errors_total", "Peers that broke HTTP, WebSocket or MQTT."), sum { $0.edge.counters.protocolErrors })
  }

  private func traffic(_ writer: inout MetricsWriter) {
    writer.write(.counter("tidings_published_total", "Messages accepted and committed."), sum { $0.edge.counters.published })
    writer.write(.counter("tidings_publish_errors_total", "Publishes refused."), sum { $0.edge.counters.publishErrors })
    for transport in Transport.allCases {
      writer.write(.counter("tidings_delivered_total", "Messages handed to followers; http counts those read back by readers behind."), sum { $0.edge.delivered[transport.rawValue] }, ["transport": transport.name.description])
    }
    writer.write(.counter("tidings_sent_bytes_total", "Bytes written to clients."), sum { $0.edge.bytesSent })
    writer.write(.counter("tidings_follower_writes_total", "System calls that wrote to followers."), sum { $0.edge.writes })
    writer.write(.counter("tidings_renderings_total", "Messages rendered; once per format, however many follow."), sum { $0.edge.renderings })
  }

  private func latency(_ writer: inout MetricsWriter) {
    // Nothing is pushed to a connection that only asks and is answered.
    for transport in Transport.allCases where transport != .http {
      var merged = LatencyHistogram()
      for report in reports { merged.merge(report.edge.latencies[transport.rawValue]) }
      writer.write(
        .histogram("tidings_delivery_latency_seconds", "From a message's commit until it was written to followers."),
        millisecondBounds: LatencyHistogram.bounds, counts: merged.counts, sum: Double(merged.sumMilliseconds) / 1000, ["transport": transport.name.description])
    }
  }

  private func readers(_ writer: inout MetricsWriter) {
    writer.write(.gauge("tidings_readers_behind", "Readers that do not keep up, or are catching up."), sum { $0.edge.behind })
    writer.write(.counter("tidings_readers_fell_behind_total", "Times a reader was left to its cursor because its socket did not keep up."), sum { $0.edge.counters.fellBehind })
    writer.write(.counter("tidings_gaps_total", "Times a reader was told that messages are gone."), sum { $0.edge.counters.gaps })
    writer.write(.counter("tidings_shard_reads_total", "Reads that readers asked of shards."), sum { $0.edge.counters.reads })
    writer.write(
      .counter("tidings_shared_reads_total", "Reads of followers that an equal one of another follower answered."), sum { $0.edge.counters.sharedReads })
    writer.write(.counter("tidings_cache_reads_total", "Reads served from recent pushes."), sum { $0.edge.counters.cacheReads })
    writer.write(.gauge("tidings_queue_bytes", "Queued for single connections."), sum { $0.edge.queuedBytes })
    writer.write(.gauge("tidings_stream_bytes", "Rendered and not yet taken by every follower."), sum { $0.edge.streamBytes })
    writer.write(.gauge("tidings_cache_bytes", "Recent records kept for readers that come back."), sum { $0.edge.cacheBytes })
    writer.write(.gauge("tidings_audiences", "Groups of readers with the same filters and format."), sum { $0.edge.audiences })
    writer.write(.gauge("tidings_filters", "Filters held at shards."), sum { $0.edge.filters })
  }

  private func mqtt(_ writer: inout MetricsWriter) {
    for reason in MQTTReasonCode.allCases where reason.isFailure {
      writer.write(
        .counter("tidings_mqtt_refusals_total", "What MQTT clients were refused, by the reason code of MQTT 5.0."),
        sum { $0.edge.mqttProtocol[reason] }, ["reason": "0x" + String(reason.rawValue, radix: 16)])
    }
    writer.write(.counter("tidings_mqtt_violations_total", "MQTT connections closed because the client broke the protocol."), sum { $0.edge.mqttProtocol.violations })
    writer.write(.counter("tidings_mqtt_strangers_total", "MQTT connections closed because what came first was no CONNECT."), sum { $0.edge.mqttProtocol.strangers })
    writer.write(.counter("tidings_mqtt_connect_timeouts_total", "MQTT connections closed because no CONNECT came."), sum { $0.edge.mqttProtocol.connectTimeouts })
    writer.write(
      .counter("tidings_mqtt_unknown_acknowledgements_total", "Acknowledgements of what was never sent, or was done."),
      sum { $0.edge.mqttProtocol.unknownAcknowledgements })
    writer.write(
      .counter("tidings_mqtt_too_large_total", "Packets that were not sent because their client takes none so large."),
      sum { $0.edge.mqttProtocol.deliveriesTooLarge + $0.edge.mqttProtocol.answersTooLarge })
  }

  private func shards(_ writer: inout MetricsWriter) {
    let all = reports.flatMap(\.shards).sorted { $0.shard < $1.shard }
    func each(_ metric: Metric, _ value: (ReplicaStatus) -> Int) {
      for shard in all { writer.write(metric, value(shard), ["shard": shard.shard.description]) }
    }
    each(.gauge("tidings_journal_first_offset", "Oldest retained offset.")) { Int($0.first.value) }
    each(.gauge("tidings_journal_committed_offset", "Newest committed offset.")) { Int($0.committed.value) }
    each(.gauge("tidings_journal_bytes", "What the shard's log takes on the disk.")) { $0.bytes }
    each(.gauge("tidings_journal_pending_bytes", "Appended and not yet committed.")) { $0.pendingBytes }
    each(.gauge("tidings_shard_topics", "Topics of the shard.")) { $0.topics }
    each(.gauge("tidings_shard_retained_values", "Topics with a current value.")) { $0.retainedValues }
    each(.gauge("tidings_shard_consumers", "Durable consumers stored in the shard.")) { $0.consumers }
    each(.gauge("tidings_shard_sessions", "MQTT sessions kept in the shard.")) { $0.sessions }
    each(.gauge("tidings_shard_sessions_connected", "Those of them whose clients are connected.")) { $0.connectedSessions }
    each(.gauge("tidings_shard_groups", "Groups of shared subscriptions that have a place in the shard.")) { $0.groups }
    each(.gauge("tidings_group_members", "Members that share in what groups get of a shard, where its leader is.")) { $0.groupMembers }
    each(.gauge("tidings_presence_members", "Members present on the topics of a shard, where its leader is.")) { $0.members }
    each(.gauge("tidings_shard_healthy", "1 while the shard accepts publishes.")) { $0.condition == .ok ? 1 : 0 }
    each(.gauge("tidings_shard_leads", "1 where the shard's leader is.")) { $0.isServing ? 1 : 0 }
    each(.gauge("tidings_shard_short", "1, where its leader is, while a replica is silent or is made whole.")) { OwnReport.isShort($0, of: plan) ? 1 : 0 }
    each(.counter("tidings_journal_disk_reads_total", "Reads that went to the disk.")) { Int($0.counters.diskReads) }
    each(.counter("tidings_journal_joined_reads_total", "Reads that waited for an equal one under way.")) { Int($0.counters.joinedReads) }
    each(.counter("tidings_publish_duplicates_total", "Publishes whose key had been used.")) { Int($0.counters.duplicates) }
    each(.counter("tidings_snapshots_total", "Snapshots written.")) { Int($0.counters.snapshots) }
  }

  private func loops(_ writer: inout MetricsWriter) {
    for report in reports {
      writer.write(.counter("tidings_reactor_turns_total", "Turns of an event loop."), Int(report.loop.turns), ["reactor": String(report.index)])
    }
    for report in reports {
      writer.write(
        .counter("tidings_reactor_working_seconds_total", "Time an event loop spent working rather than waiting."),
        Double(report.loop.working.nanoseconds) / 1e9, ["reactor": String(report.index)])
    }
    writer.write(.gauge("tidings_allocated_bytes", "Memory the allocator has handed out."), Machine.allocatedBytes())
  }

  private func cluster(_ writer: inout MetricsWriter) {
    let routed = reports.compactMap(\.routing)
    guard !routed.isEmpty, let report = reports.compactMap(\.cluster).first else { return }
    func sum(_ value: (RouterCounters) -> UInt64) -> Int { Int(routed.reduce(0) { $0 + value($1) }) }
    writer.write(.counter("tidings_publishes_resent_total", "Batches sent again under the same keys, because a leader moved or a link broke."), sum(\.resent))
    writer.write(.counter("tidings_leader_moves_total", "Times a shard's leader was found to be another than was thought."), sum(\.moves))
    writer.write(.counter("tidings_publishes_given_up_total", "Questions that no broker answered in time."), sum(\.givenUp))
    writer.write(.gauge("tidings_members_alive", "Other nodes that the gossip shows alive."), report.membersAlive)
    writer.write(.gauge("tidings_links", "Links to other nodes, either way, that are up."), report.linked)
    writer.write(.gauge("tidings_link_queued_bytes", "Waiting to be sent to other nodes."), report.queuedBytes)
    writer.write(.gauge("tidings_remote_edges", "Event loops of other nodes that ask this node's shards."), report.remoteEdges)
    writer.write(.counter("tidings_link_reconnects_total", "Links that came about again."), report.links.reconnects)
    for (direction, messages) in [("in", report.links.messagesReceived), ("out", report.links.messagesSent)] {
      writer.write(.counter("tidings_link_messages_total", "Messages of other nodes and to them."), messages, ["direction": direction])
    }
    for (direction, bytes) in [("in", report.links.bytesReceived), ("out", report.links.bytesSent)] {
      writer.write(.counter("tidings_link_bytes_total", "Sealed bytes on links."), bytes, ["direction": direction])
    }
    writer.write(
      .counter("tidings_link_refusals_total", "Peers refused: without the secret, silent, forged, of another cluster, removed, or unreadable."),
      report.links.handshakesRefused + report.links.strangersDropped + report.links.forged + refusals(report.links))
    writer.write(.counter("tidings_gossip_packets_refused_total", "Datagrams that could not be opened or read."), report.packets.malformed + report.packets.unknownKey + report.packets.forged + report.gossip.refused)
    writer.write(.counter("tidings_gossip_probes_failed_total", "Probes of other nodes that nobody answered."), report.gossip.probesFailed)
  }

  private func refusals(_ links: LinkCounters) -> Int { NodeFarewell.Reason.allCases.reduce(0) { $0 + Int(links.wire[$1]) } }
}
