internal import Core
internal import Edge
internal import JSON

/// From commit to the socket, by transport, of one node or of all.
struct LatencyTable: Sendable {
  private(set) var byTransport = [LatencyHistogram](repeating: LatencyHistogram(), count: Transport.allCases.count)

  init() {}

  /// Of several reactors.
  init(_ tables: [[LatencyHistogram]]) {
    for table in tables {
      for (index, histogram) in table.enumerated() { byTransport[index].merge(histogram) }
    }
  }

  mutating func merge(_ other: LatencyTable) {
    for index in byTransport.indices { byTransport[index].merge(other.byTransport[index]) }
  }

  /// The member `latency`, in milliseconds, with the transports that delivered anything.
  func write(_ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    json.name("latency", into: &buffer)
    json.beginObject(into: &buffer)
    for transport in Transport.allCases {
      let histogram = byTransport[transport.rawValue]
      guard let half = histogram.percentile(0.5), let most = histogram.percentile(0.99) else { continue }
      json.name(transport.name, into: &buffer)
      json.beginObject(into: &buffer)
      json.member("p50", Int(half), into: &buffer)
      json.member("p99", Int(most), into: &buffer)
      json.endObject(into: &buffer)
    }
    json.endObject(into: &buffer)
  }

  // MARK: Between nodes

  /// Only the transports that delivered anything: each its number, how many buckets, and what is in them.
  func encode(into buffer: inout ByteBuffer) {
    let used = byTransport.indices.filter { byTransport[$0].total > 0 }
    buffer.append(UInt8(used.count))
    for index in used {
      buffer.append(UInt8(index))
      buffer.append(UInt8(byTransport[index].counts.count))
      for count in byTransport[index].counts { buffer.append(littleEndian: UInt32(clamping: count)) }
    }
  }

  /// A transport that is not known here is passed over.
  mutating func take(_ counts: [UInt32], of transport: Int) {
    guard transport < byTransport.count else { return }
    byTransport[transport].merge(LatencyHistogram(counts: counts))
  }
}
