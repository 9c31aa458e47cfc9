public import Core
internal import Feeds

// One entry's body: u8 version, u16 count, then per command u8 kind and its parts. Text is u16 length and UTF-8;
// a cursor is u64 cluster, u16 count, and per place u16 shard and u64 offset. A change of sessions is u32 length and what Feeds
// makes of it. Numbers are little-endian.

extension ShardCommand {
  public static let version: UInt8 = 1

  private enum Kind: UInt8 {
    case openConsumer = 1
    case acknowledge = 2
    case deleteConsumer = 3
    case forgetTopics = 4
    case session = 5
    case openGroup = 16
    case acknowledgeGroup = 17
    case closeGroup = 18
  }

  /// Appends the body of one entry that carries `commands`.
  public static func encode(_ commands: [ShardCommand], into buffer: inout ByteBuffer) {
    precondition(commands.count <= maximumPerEntry, "more commands than one entry carries")
    buffer.append(version)
    buffer.append(littleEndian: UInt16(commands.count))
    for command in commands { command.encode(into: &buffer) }
  }

  private func encode(into buffer: inout ByteBuffer) {
    switch self {
    case .openConsumer(let name, let filters, let cursor):
      buffer.append(Kind.openConsumer.rawValue)
      buffer.append(field: name)
      buffer.append(littleEndian: UInt16(filters.count))
      for filter in filters { buffer.append(field: filter.bytes) }
      buffer.append(cursor: cursor)
    case .acknowledge(let name, let cursor, let reset):
      buffer.append(Kind.acknowledge.rawValue)
      buffer.append(field: name)
      buffer.append(cursor: cursor)
      buffer.append(reset ? 1 : 0)
    case .deleteConsumer(let name):
      buffer.append(Kind.deleteConsumer.rawValue)
      buffer.append(field: name)
    case .forgetTopics(let first):
      buffer.append(Kind.forgetTopics.rawValue)
      buffer.append(littleEndian: first.value)
    case .session(let change):
      buffer.append(Kind.session.rawValue)
      buffer.append(sized: change)
    case .openGroup(let group):
      buffer.append(Kind.openGroup.rawValue)
      buffer.append(group: group)
    case .acknowledgeGroup(let group, let ranges):
      buffer.append(Kind.acknowledgeGroup.rawValue)
      buffer.append(group: group)
      buffer.append(stretches: ranges)
    case .closeGroup(let group):
      buffer.append(Kind.closeGroup.rawValue)
      buffer.append(group: group)
    }
  }

  /// Reads what `encode` wrote; never outside `bytes`, never more than the named bounds allow.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(ShardStateError) -> [ShardCommand] {
    var reader = FieldReader(bytes)
    do {
      let found = try reader.byte()
      guard found == version else { throw ShardStateError.unknownCommandVersion(found) }
      let count = Int(try reader.u16())
      guard count <= maximumPerEntry else { throw ShardStateError.malformedCommand("\(count) commands in one entry") }
      var commands: [ShardCommand] = []
      commands.reserveCapacity(count)
      for _ in 0..<count { commands.append(try decodeOne(&reader)) }
      guard reader.isAtEnd else { throw ShardStateError.malformedCommand("bytes after the last command") }
      return commands
    } catch let error as FieldReader.Failure {
      throw .malformedCommand(error.what)
    } catch let error as ShardStateError {
      throw error
    } catch {
      throw .malformedCommand("\(error)")
    }
  }

  private static func decodeOne(_ reader: inout FieldReader) throws -> ShardCommand {
    let number = try reader.byte()
    guard let kind = Kind(rawValue: number) else { throw ShardStateError.unknownCommand(number) }
    switch kind {
    case .openConsumer:
      return .openConsumer(name: try reader.consumerName(), filters: try reader.filters(), cursor: try reader.cursor())
    case .acknowledge:
      return .acknowledge(name: try reader.consumerName(), cursor: try reader.cursor(), reset: try reader.byte() != 0)
    case .deleteConsumer:
      return .deleteConsumer(name: try reader.consumerName())
    case .forgetTopics:
      return .forgetTopics(before: Offset(try reader.u64()))
    case .session:
      return .session(try reader.sessionChange())
    case .openGroup:
      return .openGroup(try reader.group())
    case .acknowledgeGroup:
      return .acknowledgeGroup(try reader.group(), try reader.stretches())
    case .closeGroup:
      return .closeGroup(try reader.group())
    }
  }
}
