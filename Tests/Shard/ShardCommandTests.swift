import Core
import Feeds
import Testing

@testable import Shard

@Suite struct ShardCommandTests {
  private func encoded(_ commands: [ShardCommand]) -> [UInt8] {
    var buffer = ByteBuffer()
    ShardCommand.encode(commands, into: &buffer)
    return buffer.freeze().array
  }

  private func decoded(_ bytes: [UInt8]) throws(ShardStateError) -> [ShardCommand] {
    let result: Result<[ShardCommand], ShardStateError> = bytes.withUnsafeBytes { bytes in
      do throws(ShardStateError) { return .success(try ShardCommand.decode(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  private func all() throws -> [ShardCommand] {
    let cursor = Cursor(cluster: ClusterID(1), positions: [Position(ShardID(2 as UInt16), Offset(.max))])
    return [
      .openConsumer(name: "n", filters: [try Filter("a/+/b"), try Filter("#")], cursor: cursor),
      .acknowledge(name: "n", cursor: cursor, reset: true), .acknowledge(name: "m", cursor: cursor, reset: false),
      .deleteConsumer(name: "n"), .forgetTopics(before: Offset(77)),
    ]
  }

  @Test("Commands read back as they were written")
  func roundTrip() throws {
    let commands = try all()
    #expect(try decoded(encoded(commands)) == commands)
  }

  @Test("Commands cut anywhere, or with bytes behind them, are refused")
  func cut() throws {
    let bytes = encoded(try all())
    for length in 0..<bytes.count {
      #expect(throws: ShardStateError.self) { try decoded(Array(bytes[..<length])) }
    }
    #expect(throws: ShardStateError.malformedCommand("bytes after the last command")) { try decoded(bytes + [0]) }
  }

  @Test("Unknown versions, kinds and sizes are refused in words")
  func unknown() throws {
    #expect(throws: ShardStateError.unknownCommandVersion(2)) { try decoded([2, 0, 0]) }
    #expect(throws: ShardStateError.unknownCommand(99)) { try decoded([1, 1, 0, 99]) }
    #expect(throws: ShardStateError.malformedCommand("65535 commands in one entry")) { try decoded([1, 0xff, 0xff]) }
    let long = String(repeating: "n", count: Consumer.maximumNameLength + 1)
    #expect(throws: ShardStateError.self) { try decoded(encoded([.deleteConsumer(name: long)])) }
    var log = LogWriter()
    var state = ShardState()
    let newer = log.plain(.command, [7])
    #expect(throws: ShardStateError.unknownCommandVersion(7)) { try state.take(newer) }
    #expect(ShardStateError.unknownCommandVersion(7).description.contains("version 7"))
  }

  @Test("A consumer of the same name with other filters is refused, with the same filters in another order is the same")
  func consumerDiffers() throws {
    var log = LogWriter()
    var state = ShardState()
    let cursor = Cursor(cluster: ClusterID(1))
    let (a, b) = (try Filter("a"), try Filter("b"))
    try state.take(log.command([.openConsumer(name: "n", filters: [a, b], cursor: cursor)]))
    let outcomes = try state.take(
      log.command([
        .openConsumer(name: "n", filters: [b, a], cursor: cursor), .openConsumer(name: "n", filters: [a], cursor: cursor),
      ]))
    guard case .consumer(let consumer) = outcomes[0] else { Issue.record("differs"); return }
    #expect(consumer.filters == [a, b])
    #expect(outcomes[1] == .refused(.consumerDiffers))
  }
}
