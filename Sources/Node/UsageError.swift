/// The person at the command line, or the file they wrote, asked for something that cannot be: what, and what to do.
public struct UsageError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong; it names the option and, in a file, the line.
  public let problem: String
  /// What to do about it; empty when the problem says it all.
  public let hint: String

  public init(_ problem: String, hint: String = "") {
    self.problem = problem
    self.hint = hint
  }

  public var description: String { hint.isEmpty ? problem : "\(problem); \(hint)" }
}

/// The name somebody probably meant.
public enum NearestName {
  /// The closest of `candidates`, if it is close enough to be worth saying. O(candidates × length²).
  public static func of(_ name: String, among candidates: [String], allowing most: Int = 4) -> String? {
    let wanted = Array(name.lowercased().utf8.prefix(longest))
    let allowed = min(most, max(1, wanted.count / 3))
    var best: (name: String, distance: Int)?
    for candidate in candidates {
      let distance = edits(wanted, Array(candidate.lowercased().utf8.prefix(longest)))
      if distance <= allowed, distance < best?.distance ?? Int.max { best = (candidate, distance) }
    }
    return best?.name
  }

  /// Longer names are compared by their beginnings.
  private static let longest = 64

  /// Insertions, removals, replacements and swaps of neighbours that make one word of the other.
  private static func edits(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1] + [Int](repeating: 0, count: b.count)
      for j in b.indices {
        row[j + 1] = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1) }
      }
      beforeLast = last
      last = row
    }
    return last[b.count]
  }
}
