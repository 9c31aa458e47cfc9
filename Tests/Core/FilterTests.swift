import Core
import Testing

@Suite("Filter")
struct FilterTests {
  @Test(
    "A filter wants what MQTT says it wants",
    arguments: [
      ("a/b", "a/b", true), ("a/b", "a/c", false), ("a/b", "a", false), ("a", "a/b", false), ("a/b", "a/bc", false),
      ("+", "a", true), ("+", "a/b", false), ("a/+", "a/b", true), ("a/+", "a", false), ("a/+", "a/", true), ("+/+", "/", true),
      ("+/b", "a/b", true), ("a/+/c", "a/b/c", true), ("a/+/c", "a//c", true), ("a/+/c", "a/b/d", false),
      ("#", "a", true), ("#", "a/b/c", true), ("#", "/", true), ("a/#", "a", true), ("a/#", "a/", true), ("a/#", "a/b/c", true),
      ("a/#", "ab", false), ("+/#", "a", true), ("a/+/#", "a", false), ("a/+/#", "a/b", true),
      ("/a", "/a", true), ("/a", "a", false), ("a/", "a", false), ("a/", "a/", true), ("a//b", "a//b", true),
      ("#", "$SYS/x", false), ("+/x", "$SYS/x", false), ("$SYS/#", "$SYS/x", true), ("$SYS/+", "$SYS/x", true), ("a/#", "a/$b", true),
      ("é/+", "é/x", true), ("e/+", "é/x", false),
    ])
  func table(filter: String, topic: String, expected: Bool) throws {
    let matches = topic.utf8Bytes { try! Filter(filter).matches($0) }
    #expect(matches == expected)
    #expect(FilterModel.matches(filter, topic) == expected, "the model disagrees")
  }

  @Test("A filter wants exactly what the model says", arguments: [11, 12, 13] as [UInt64])
  func againstModel(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var wanted = 0
    for _ in 0..<20_000 {
      let filter = FilterModel.filter(&random)
      let topic = FilterModel.topic(&random)
      let matches = try topic.utf8Bytes { try Filter(filter).matches($0) }
      let expected = FilterModel.matches(filter, topic)
      if matches != expected { Issue.record("seed \(seed): '\(filter)' and '\(topic)': \(matches), the model says \(expected)") }
      if expected { wanted += 1 }
    }
    #expect(wanted > 1000, "too few pairs met for this to mean anything")
  }

  @Test(
    "What is no filter is refused with the reason",
    arguments: [
      ("", "at least one"), ("a+", "whole level"), ("+a/b", "whole level"), ("a/b#", "whole level"), ("##", "whole level"), ("+#", "whole level"),
      ("#/a", "last level"), ("a/#/b", "last level"), ("a/#/", "last level"), ("a\nb", "control"), (TopicTests.longest + "a", "at most"),
    ])
  func illegal(text: String, reason: String) {
    let error = #expect(throws: TopicError.self) { try Filter(text) }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test("Only a filter without wildcards lies in one shard, its topic's")
  func shards() throws {
    #expect(try Filter("a/+").shard(among: 16) == nil)
    #expect(try Filter("#").shard(among: 16) == nil)
    #expect(try Filter("orders/42").shard(among: 16) == "orders/42".utf8Bytes { Topic.shard(of: $0, among: 16) })
  }
}
