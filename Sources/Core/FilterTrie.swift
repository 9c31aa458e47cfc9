/// Finds which of many filters want a topic. Filters without wildcards, by far the most, cost one look-up by the
/// whole name; the others lie in a trie by level.
///
/// A filter may be held for many values; values come out in no particular order, each at most once per filter.
public struct FilterTrie {
  private struct Node {
    var values: [UInt32] = []
    /// Values of filters that go on with '#' here.
    var rest: [UInt32] = []
    var plus: UInt32 = 0
    var parent: UInt32 = 0
    var children = 0
  }

  private var exact = ByteKeyTable<[UInt32]>()
  private var nodes: [Node] = [Node()]
  private var free: [UInt32] = []
  private var children = ByteKeyTable<UInt32>()
  private var wildcards = 0
  private var stack: [(node: UInt32, at: Int)] = []

  public init() {}

  public mutating func insert(_ filter: Filter, _ value: UInt32) {
    filter.bytes.withUnsafeBytes { bytes in
      if !filter.hasWildcard {
        let index = exact.insert(bytes, default: []).index
        exact[at: index].append(value)
        return
      }
      wildcards += 1
      var node: UInt32 = 0
      let endsInRest = FilterTrie.forEachLevel(bytes) { level in
        if level.count == 1, level.first == UInt8(ascii: "#") { return true }
        node = child(of: node, level)
        return false
      }
      if endsInRest { nodes[Int(node)].rest.append(value) } else { nodes[Int(node)].values.append(value) }
    }
  }

  /// Takes one filter's value out again; false if it was not there.
  @discardableResult public mutating func remove(_ filter: Filter, _ value: UInt32) -> Bool {
    filter.bytes.withUnsafeBytes { bytes in
      if !filter.hasWildcard {
        guard let index = exact.index(of: bytes), let at = exact[at: index].firstIndex(of: value) else { return false }
        exact[at: index].swapAt(at, exact[at: index].count - 1)
        exact[at: index].removeLast()
        if exact[at: index].isEmpty { exact.remove(bytes) }
        return true
      }
      var node: UInt32? = 0
      var path: [(parent: UInt32, level: UnsafeRawBufferPointer)] = []
      let endsInRest = FilterTrie.forEachLevel(bytes) { level in
        if level.count == 1, level.first == UInt8(ascii: "#") { return true }
        guard let parent = node else { return false }
        path.append((parent, level))
        node = existingChild(of: parent, level)
        return false
      }
      guard let node else { return false }
      if endsInRest {
        guard let at = nodes[Int(node)].rest.firstIndex(of: value) else { return false }
        nodes[Int(node)].rest.remove(at: at)
      } else {
        guard let at = nodes[Int(node)].values.firstIndex(of: value) else { return false }
        nodes[Int(node)].values.remove(at: at)
      }
      wildcards -= 1
      if wildcards == 0 { forgetNodes() } else { prune(node, path) }
      return true
    }
  }

  /// Takes a value out of every filter. O(filters).
  public mutating func removeAll(_ value: UInt32) {
    for index in stride(from: exact.count - 1, through: 0, by: -1) {
      exact[at: index].removeAll { $0 == value }
      guard exact[at: index].isEmpty else { continue }
      let key = exact.withKey(at: index) { Array($0) }
      key.withUnsafeBytes { _ = exact.remove($0) }
    }
    for node in nodes.indices {
      let before = nodes[node].values.count + nodes[node].rest.count
      nodes[node].values.removeAll { $0 == value }
      nodes[node].rest.removeAll { $0 == value }
      wildcards -= before - nodes[node].values.count - nodes[node].rest.count
    }
    if wildcards == 0 { forgetNodes() }
  }

  /// There is no wildcard any more: what many of them took is not held for ever.
  private mutating func forgetNodes() {
    nodes = [Node()]
    free = []
    children = ByteKeyTable<UInt32>()
  }

  /// Appends the values of every filter that wants `topic`.
  public mutating func match(_ topic: UnsafeRawBufferPointer, into found: inout [UInt32]) {
    if let index = exact.index(of: topic) { found.append(contentsOf: exact[at: index]) }
    if wildcards > 0 { matchWildcards(topic, into: &found) }
  }

  private mutating func matchWildcards(_ topic: UnsafeRawBufferPointer, into found: inout [UInt32]) {
    let isSystem = Topic.isSystem(topic)
    stack.removeAll(keepingCapacity: true)
    stack.append((0, 0))
    while let (node, at) = stack.popLast() {
      let here = nodes[Int(node)]
      let wildcardsCount = !(isSystem && at == 0)
      if wildcardsCount, !here.rest.isEmpty { found.append(contentsOf: here.rest) }
      if at > topic.count {
        found.append(contentsOf: here.values)
        continue
      }
      var end = at
      while end < topic.count, topic[end] != UInt8(ascii: "/") { end += 1 }
      if here.plus != 0, wildcardsCount { stack.append((here.plus, end + 1)) }
      if here.children > 0, let next = children.index(of: UnsafeRawBufferPointer(rebasing: topic[at..<end]), scope: node) {
        stack.append((children[at: next], end + 1))
      }
    }
  }

  /// Calls `body` per level until it answers true; says whether it did.
  private static func forEachLevel(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Bool) -> Bool {
    var start = 0
    for index in 0...bytes.count where index == bytes.count || bytes[index] == UInt8(ascii: "/") {
      if body(UnsafeRawBufferPointer(rebasing: bytes[start..<index])) { return true }
      start = index + 1
    }
    return false
  }

  private static func isPlus(_ level: UnsafeRawBufferPointer) -> Bool { level.count == 1 && level.first == UInt8(ascii: "+") }

  private func existingChild(of node: UInt32, _ level: UnsafeRawBufferPointer) -> UInt32? {
    if FilterTrie.isPlus(level) { return nodes[Int(node)].plus == 0 ? nil : nodes[Int(node)].plus }
    guard let index = children.index(of: level, scope: node) else { return nil }
    return children[at: index]
  }

  private mutating func child(of node: UInt32, _ level: UnsafeRawBufferPointer) -> UInt32 {
    if let existing = existingChild(of: node, level) { return existing }
    let made: UInt32
    if let reused = free.popLast() {
      made = reused
      nodes[Int(made)] = Node()
    } else {
      made = UInt32(nodes.count)
      nodes.append(Node())
    }
    nodes[Int(made)].parent = node
    if FilterTrie.isPlus(level) {
      nodes[Int(node)].plus = made
    } else {
      children.insert(level, scope: node, default: made)
      nodes[Int(node)].children += 1
    }
    return made
  }

  private mutating func prune(_ leaf: UInt32, _ path: [(parent: UInt32, level: UnsafeRawBufferPointer)]) {
    var node = leaf
    for (parent, level) in path.reversed() {
      let here = nodes[Int(node)]
      guard here.values.isEmpty, here.rest.isEmpty, here.plus == 0, here.children == 0 else { return }
      if FilterTrie.isPlus(level) {
        nodes[Int(parent)].plus = 0
      } else {
        children.remove(level, scope: parent)
        nodes[Int(parent)].children -= 1
      }
      free.append(node)
      node = parent
    }
  }
}
