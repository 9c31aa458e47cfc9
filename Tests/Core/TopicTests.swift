import Core
import Testing

@Suite("Topic")
struct TopicTests {
  static let longest = String(repeating: "a", count: 1024)

  @Test(
    "Names of every legal shape are topics",
    arguments: ["a", "orders/42", "/", "//", "/a", "a/", "a//b", "ünïcode/東京/🚀", "with space", "$SYS/x", "{tag}/x", "a.b-c~d", longest])
  func legal(text: String) throws {
    let topic = try Topic(text)
    #expect(topic.description == text)
  }

  @Test(
    "What is no topic is refused with the reason",
    arguments: [
      ("", "at least one character"), (longest + "a", "at most 1024 bytes, this one has 1025"), ("a/+/b", "wildcards"), ("a/#", "wildcards"),
      ("#", "wildcards"), ("a+", "wildcards"), ("a\u{0}b", "control"), ("a\nb", "control"), ("a\u{7f}", "control"),
      ("a\u{80}", "control"), ("a\u{9f}b", "control"), ("\u{1f}", "control"),
    ])
  func illegal(text: String, reason: String) {
    let error = #expect(throws: TopicError.self) { try Topic(text) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test("The first character after the control characters is allowed")
  func boundaries() throws {
    _ = try Topic("\u{20}")
    _ = try Topic("\u{7e}")
    _ = try Topic("\u{a0}")
  }

  @Test(
    "Bytes that are not UTF-8 are no topic",
    arguments: [[0xff], [0x61, 0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80], [0xe2, 0x82, 0x61]] as [[UInt8]])
  func notText(bytes: [UInt8]) {
    let problem = bytes.withUnsafeBytes(Topic.problem)
    #expect(problem != nil)
  }

  @Test("A length limit counts bytes, not characters")
  func lengthInBytes() throws {
    _ = try Topic(String(repeating: "é", count: 512))
    #expect(throws: TopicError.self) { try Topic(String(repeating: "é", count: 513)) }
  }

  @Test("A tag in braces decides the shard alone, so that related topics share an order")
  func tags() {
    func shard(_ text: String) -> ShardID { text.utf8Bytes { Topic.shard(of: $0, among: 16) } }
    #expect(shard("room/{42}/chat") == shard("room/{42}/typing"))
    #expect(shard("room/{42}/chat") == shard("42"))
    #expect(shard("{42}") == shard("{42}/anything/{43}"))
    // An empty tag, or one that never ends, is no tag.
    let shards = 1024
    func wide(_ text: String) -> ShardID { text.utf8Bytes { Topic.shard(of: $0, among: shards) } }
    #expect(Set((0..<50).map { wide("a/{}/\($0)") }).count > 10)
    #expect(Set((0..<50).map { wide("a/{/\($0)") }).count > 10)
  }

  @Test("Topics spread over the shards evenly", arguments: [1, 7, 16, 64])
  func distribution(shards: Int) {
    var counts = [Int](repeating: 0, count: shards)
    let topics = 1000 * shards
    for number in 0..<topics {
      counts["sensors/\(number)/temperature".utf8Bytes { Topic.shard(of: $0, among: shards) }.index] += 1
    }
    // Six standard deviations of a fair die: chance would miss this once in half a billion.
    let spread = 6 * (1000.0 * (1 - 1 / Double(shards))).squareRoot()
    for (shard, count) in counts.enumerated() {
      #expect(abs(Double(count) - 1000) <= spread, "shard \(shard) of \(shards) holds \(count) of \(topics) topics")
    }
  }
}

extension String {
  func utf8Bytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try Array(utf8).withUnsafeBytes(body)
  }
}
