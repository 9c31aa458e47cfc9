import Core

/// What a filter means, written the slow and obvious way: split both by level, compare from the left.
enum FilterModel {
  static func matches(_ filter: String, _ topic: String) -> Bool {
    let wanted = filter.split(separator: "/", omittingEmptySubsequences: false)
    let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
    if topic.hasPrefix("$"), wanted[0] == "+" || wanted[0] == "#" { return false }
    for (index, level) in wanted.enumerated() {
      if level == "#" { return true }
      guard index < levels.count, level == "+" || level == levels[index] else { return false }
    }
    return wanted.count == levels.count
  }

  /// A few levels over a tiny alphabet, so that names meet often; empty levels and system names among them.
  static func topic(_ random: inout SeededGenerator) -> String {
    while true {
      let words = ["a", "b", "ab", "", "$SYS", "é"]
      let levels = (0...random.below(4)).map { _ in words[random.below(words.count)] }
      let name = levels.joined(separator: "/")
      if !name.isEmpty { return name }
    }
  }

  static func filter(_ random: inout SeededGenerator) -> String {
    while true {
      let words = ["a", "b", "ab", "", "$SYS", "+", "+", "é"]
      var levels = (0...random.below(4)).map { _ in words[random.below(words.count)] }
      if random.below(3) == 0 { levels[levels.count - 1] = "#" }
      let name = levels.joined(separator: "/")
      if !name.isEmpty { return name }
    }
  }
}
