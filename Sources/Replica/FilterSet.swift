internal import Core

/// The filters of one read.
struct FilterSet {
  /// More than so many are found by trie rather than one by one.
  private static let linearLimit = 4

  let filters: [Filter]
  /// Whether every one of them names a topic.
  let isExact: Bool
  private var trie: FilterTrie?
  private var found: [UInt32] = []

  init(_ filters: [Filter]) {
    self.filters = filters
    isExact = !filters.contains(where: \.hasWildcard)
    guard filters.count > FilterSet.linearLimit else { return }
    var trie = FilterTrie()
    for filter in filters { trie.insert(filter, 0) }
    self.trie = trie
  }

  mutating func matches(_ topic: UnsafeRawBufferPointer) -> Bool {
    guard trie != nil else { return filters.contains { $0.matches(topic) } }
    found.removeAll(keepingCapacity: true)
    trie!.match(topic, into: &found)
    return !found.isEmpty
  }
}
