import Security
import Testing

@Suite("Permissions")
struct PermissionsTests {
  static let covered: [(String, String)] = [
    ("a", "a"), ("a/b", "a/b"), ("#", "a"), ("#", "a/b/c"), ("#", "#"), ("#", "+"), ("#", "+/a/#"), ("#", "/"), ("#", "/a"),
    ("a/#", "a"), ("a/#", "a/b"), ("a/#", "a/b/c"), ("a/#", "a/+"), ("a/#", "a/#"), ("a/#", "a/+/#"), ("a/#", "a/"), ("+", "a"), ("+", "+"),
    ("+/b", "a/b"), ("+/b", "+/b"), ("a/+/c", "a/b/c"), ("a/+/c", "a/+/c"), ("a/+", "a/"), ("+/+", "/"), ("+/#", "a"), ("+/#", "+/b"),
    ("+/#", "#"), ("a/+/#", "a/b"), ("a/+/#", "a/+/#"), ("a//b", "a//b"), ("$SYS/#", "$SYS/x"), ("$SYS/#", "$SYS"), ("$SYS/#", "$SYS/#"),
    ("a/$x", "a/$x"), ("a/+", "a/$x"), ("a/#", "a/$x/y"), ("é/+", "é/日"),
  ]

  static let notCovered: [(String, String)] = [
    ("a", "b"), ("a", "a/b"), ("a/b", "a"), ("a", "+"), ("a", "#"), ("a", "aa"), ("aa", "a"), ("a/+", "a"), ("a/+", "a/b/c"), ("a/+", "a/#"),
    ("a/#", "b"), ("a/#", "ab"), ("a/#", "#"), ("a/#", "+/b"), ("+", "#"), ("+", "a/b"), ("+", "/a"), ("+/b", "a/+"), ("a/+/#", "a/#"),
    ("a/+/#", "a"), ("a/b/#", "a/+/#"), ("#", "$SYS"), ("#", "$SYS/x"), ("+/x", "$SYS/x"), ("+/#", "$SYS/x"), ("#", "$share/g/a"),
    ("a/b", "a/b/"), ("a/b/", "a/b"), ("/a", "a"), ("+/+/#", "#"), ("a//b", "a/b"), ("$SYS/+", "$SYS/#"),
  ]

  @Test("a filter covers what it matches in full", arguments: covered)
  func covers(allowed: String, wanted: String) {
    #expect(FilterCover.covers(allowed, wanted))
  }

  @Test("a filter does not cover what reaches beyond it", arguments: notCovered)
  func doesNotCover(allowed: String, wanted: String) {
    #expect(!FilterCover.covers(allowed, wanted))
  }

  @Test("covering agrees with matching every topic of a small world")
  func agreesWithMatching() {
    // "z" is in no filter: it stands for everything that only a wildcard meets.
    let names = ["a", "b", "", "$s", "z"]
    let second = names.flatMap { first in names.map { "\(first)/\($0)" } }
    let third = second.flatMap { start in names.map { "\(start)/\($0)" } }
    let topics = names + second + third + third.map { "\($0)/z" }

    let levels = ["a", "b", "", "$s", "+"]
    let pairs = levels.flatMap { first in levels.map { "\(first)/\($0)" } }
    let heads = levels + pairs + pairs.flatMap { ["\($0)/a", "\($0)/+"] }
    let filters = heads + heads.map { "\($0)/#" } + ["#"]

    let matched = filters.map { filter in topics.indices.filter { Self.matches(filter, topics[$0]) } }
    let matchedSets = matched.map(Set.init)
    for (allowed, reached) in zip(filters, matchedSets) {
      for (wanted, wishes) in zip(filters, matched) {
        let expected = wishes.allSatisfy { reached.contains($0) }
        if FilterCover.covers(allowed, wanted) != expected {
          Issue.record("\(allowed) covers \(wanted) should be \(expected)")
        }
      }
    }
  }

  /// MQTT's rule, written the plain way.
  private static func matches(_ filter: String, _ topic: String) -> Bool {
    let filterLevels = filter.split(separator: "/", omittingEmptySubsequences: false)
    let topicLevels = topic.split(separator: "/", omittingEmptySubsequences: false)
    if topic.hasPrefix("$"), filter.hasPrefix("+") || filter.hasPrefix("#") { return false }
    for (index, level) in filterLevels.enumerated() {
      if level == "#" { return true }
      guard index < topicLevels.count, level == "+" || level == topicLevels[index] else { return false }
    }
    return filterLevels.count == topicLevels.count
  }

  @Test("everything is allowed to those who may do everything, nothing to those who may do nothing")
  func extremes() {
    #expect(Permissions.everything.allows(.publish, "a/b"))
    #expect(Permissions.everything.allows(.follow, "#"))
    #expect(Permissions.everything.allows(.follow, "$SYS/#"))
    #expect(Permissions.everything.allows(.admin))
    #expect(!Permissions.nothing.allows(.publish, "a"))
    #expect(!Permissions.nothing.allows(.follow, "a"))
    #expect(!Permissions.nothing.allows(.admin))
  }

  @Test("publishing and following are granted apart")
  func apart() {
    let permissions = Permissions(publish: ["devices/7/#"], follow: ["commands/7", "news/+"])
    #expect(permissions.allows(.publish, "devices/7/temperature"))
    #expect(!permissions.allows(.publish, "devices/8/temperature"))
    #expect(!permissions.allows(.publish, "news/today"))
    #expect(permissions.allows(.follow, "news/+"))
    #expect(!permissions.allows(.follow, "news/#"))
    #expect(!permissions.allows(.follow, "devices/7/temperature"))
    #expect(!permissions.allows(.admin))
    #expect(Permissions(publish: [], follow: [], admin: true).allows(.admin))
  }

  @Test("a shared subscription asks for the filter it shares")
  func shared() {
    let permissions = Permissions(publish: [], follow: ["jobs/#"])
    #expect(permissions.allows(.follow, "$share/workers/jobs/+"))
    #expect(!permissions.allows(.follow, "$share/workers/other"))
    #expect(!permissions.allows(.follow, "$share/jobs"))
    #expect(!permissions.allows(.publish, "$share/workers/jobs/1"))
  }
}
