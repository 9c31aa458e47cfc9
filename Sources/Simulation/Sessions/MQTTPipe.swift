internal import Core

/// A client's connection to an edge, as both ends see it: bytes in order, or lost when it breaks.
final class MQTTPipe {
  let number: Int
  let client: Int
  let edge: Int
  /// Of the edge's life.
  let incarnation: Int32
  /// What either end knows; the other learns of an end later.
  var isOpenAtClient = true
  var isOpenAtEdge = true
  /// Nothing comes through any more, and maybe nobody has noticed.
  var isCut = false
  var arrivals = (atEdge: Instant.zero, atClient: Instant.zero)
  /// The edge's end.
  let session: EdgeSession

  init(number: Int, client: Int, edge: Int, incarnation: Int32, session: EdgeSession) {
    self.number = number
    self.client = client
    self.edge = edge
    self.incarnation = incarnation
    self.session = session
  }
}

/// Bytes under way, or the news that the other end has closed.
struct PipeParcel {
  var pipe: Int
  var isForEdge: Bool
  /// Nil: the end.
  var bytes: Bytes?
}

extension SimulatedCluster {
  private func arrival(_ pipe: MQTTPipe, isForEdge: Bool) -> Instant {
    let delay = TimeSpan(nanoseconds: Int64(100 + sessionRandom.below(10_000)) * 1000)
    if isForEdge {
      pipe.arrivals.atEdge = max(pipe.arrivals.atEdge, now + delay)
      return pipe.arrivals.atEdge
    }
    pipe.arrivals.atClient = max(pipe.arrivals.atClient, now + delay)
    return pipe.arrivals.atClient
  }

  func send(_ bytes: Bytes, through pipe: MQTTPipe, toEdge: Bool) {
    guard !bytes.isEmpty else { return }
    post(PipeParcel(pipe: pipe.number, isForEdge: toEdge, bytes: bytes), at: arrival(pipe, isForEdge: toEdge))
  }

  /// One end has closed: the other hears of it behind what was sent, or some time later.
  func tellEnd(_ pipe: MQTTPipe, toEdge: Bool, after delay: TimeSpan? = nil) {
    let time = delay.map { now + $0 } ?? arrival(pipe, isForEdge: toEdge)
    post(PipeParcel(pipe: pipe.number, isForEdge: toEdge, bytes: nil), at: time)
  }

  private func post(_ parcel: PipeParcel, at time: Instant) {
    let slot: Int
    if let free = freeParcels.popLast() {
      parcels[free] = parcel
      slot = free
    } else {
      parcels.append(parcel)
      slot = parcels.count - 1
    }
    queue.add(.pipe, at: time, target: parcel.pipe, slot: slot)
  }

  func pipeArrives(_ event: Event) throws(Problem) {
    let slot = Int(event.slot)
    guard let parcel = parcels[slot].take() else { return }
    freeParcels.append(slot)
    let pipe = pipes[parcel.pipe]
    if parcel.isForEdge {
      let edge = edges[pipe.edge]
      guard pipe.isOpenAtEdge, edge.isUp, edge.incarnation == pipe.incarnation else { return }
      if let bytes = parcel.bytes {
        if !pipe.isCut { receive(bytes, pipe, edge) }
      } else {
        lose(pipe, edge)
      }
      try flush(edge)
    } else {
      guard pipe.isOpenAtClient else { return }
      let client = clients[pipe.client]
      if let bytes = parcel.bytes {
        if !pipe.isCut { try client.receive(bytes, self) }
      } else {
        client.isCutOff(self)
      }
    }
  }
}
