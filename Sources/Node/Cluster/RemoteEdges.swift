internal import Core
internal import Feeds
internal import Links

/// Reactors of other nodes that ask this node's shards: each is given a number here, so that shards need not know where
/// an edge is.
struct RemoteEdges {
  /// Numbers below are reactors of this node.
  static let first: UInt32 = 1 << 16

  struct Place {
    let connection: ConnectionID
    /// The reactor's number on its own node.
    let edge: EdgeID
  }

  private var places: [UInt32: Place] = [:]
  private var numbers: [ConnectionID: [EdgeID: UInt32]] = [:]
  private var next = first

  static func isRemote(_ edge: EdgeID) -> Bool { edge.value >= first }

  mutating func number(of edge: EdgeID, on connection: ConnectionID) -> EdgeID {
    if let known = numbers[connection]?[edge] { return EdgeID(known) }
    defer { next += 1 }
    places[next] = Place(connection: connection, edge: edge)
    numbers[connection, default: [:]][edge] = next
    return EdgeID(next)
  }

  func place(of edge: EdgeID) -> Place? { places[edge.value] }

  /// The numbers of a connection that ended; they are never given again.
  mutating func remove(_ connection: ConnectionID) -> [EdgeID] {
    let gone = numbers.removeValue(forKey: connection)?.values.sorted() ?? []
    for number in gone { places[number] = nil }
    return gone.map { EdgeID($0) }
  }

  var count: Int { places.count }
}
