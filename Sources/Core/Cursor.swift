/// A reader's place: for each shard, the offset up to which everything has been seen.
///
/// Written `v1~CLUSTER~SHARD.OFFSET~SHARD.OFFSET…`, the same text in every transport. A shard that is not named
/// stands at 0: nothing of it has been seen.
public struct Cursor: Hashable, Sendable, CustomStringConvertible {
  /// No cluster has more shards, so no cursor has more places.
  public static let maximumPositions = 1024
  /// The longest text a cursor can have: every place with the largest numbers.
  public static let maximumLength = 16 + maximumPositions * 27

  public var cluster: ClusterID
  /// In order of shard, each shard once.
  public private(set) var positions: [Position]

  public init(cluster: ClusterID, positions: [Position] = []) {
    self.cluster = cluster
    self.positions = positions.sorted { $0.shard < $1.shard }
  }

  public subscript(shard: ShardID) -> Offset {
    get { positions.first { $0.shard == shard }?.offset ?? .zero }
    set {
      if let index = positions.firstIndex(where: { $0.shard >= shard }) {
        if positions[index].shard == shard {
          positions[index].offset = newValue
        } else {
          positions.insert(Position(shard, newValue), at: index)
        }
      } else {
        positions.append(Position(shard, newValue))
      }
    }
  }

  /// Takes one more message as seen; a place never moves back.
  public mutating func fold(_ position: Position) {
    if self[position.shard] < position.offset { self[position.shard] = position.offset }
  }

  public var description: String {
    var buffer = ByteBuffer(capacity: 32 + positions.count * 8)
    write(into: &buffer)
    return buffer.freeze().text
  }

  public func write(into buffer: inout ByteBuffer) {
    Cursor.writePrefix(cluster, into: &buffer)
    for position in positions { Cursor.write(position.shard, position.offset, into: &buffer) }
  }

  /// `v1~CLUSTER`: for those who write a cursor piece by piece.
  public static func writePrefix(_ cluster: ClusterID, into buffer: inout ByteBuffer) {
    buffer.append("v1~")
    buffer.append(text: cluster.description)
  }

  @inlinable public static func write(_ shard: ShardID, _ offset: Offset, into buffer: inout ByteBuffer) {
    buffer.append(UInt8(ascii: "~"))
    buffer.append(decimal: UInt64(shard.value))
    buffer.append(UInt8(ascii: "."))
    buffer.append(decimal: offset.value)
  }
}

/// Why a text is not a cursor.
public struct CursorError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
}

extension Cursor {
  public init(parsing text: String) throws(CursorError) {
    let hint = "a cursor looks like v1~0123456789ab~3.1042 and is passed back exactly as it was given"
    guard text.utf8.count <= Cursor.maximumLength else { throw CursorError(description: "the cursor is too long; \(hint)") }
    let parts = text.split(separator: "~", omittingEmptySubsequences: false)
    guard parts.count >= 2, parts[0] == "v1" else {
      throw CursorError(description: "this is not a cursor of a version known here; \(hint)")
    }
    guard let cluster = ClusterID(parts[1]) else {
      throw CursorError(description: "the cursor's cluster is not twelve hexadecimal digits; \(hint)")
    }
    guard parts.count - 2 <= Cursor.maximumPositions else { throw CursorError(description: "the cursor names too many shards; \(hint)") }
    var positions: [Position] = []
    for part in parts.dropFirst(2) {
      let numbers = part.split(separator: ".", omittingEmptySubsequences: false)
      guard numbers.count == 2, let shard: UInt16 = Cursor.decimal(numbers[0]), let offset: UInt64 = Cursor.decimal(numbers[1]) else {
        throw CursorError(description: "'\(part)' in the cursor is not SHARD.OFFSET; \(hint)")
      }
      if let last = positions.last, last.shard.value >= shard {
        throw CursorError(description: "the cursor's shards are not in order, each once; \(hint)")
      }
      positions.append(Position(ShardID(shard), Offset(offset)))
    }
    self.cluster = cluster
    self.positions = positions
  }

  private static func decimal<T: FixedWidthInteger>(_ text: Substring) -> T? {
    guard !text.isEmpty, text.utf8.allSatisfy(\.isDigit) else { return nil }
    return T(text)
  }
}
