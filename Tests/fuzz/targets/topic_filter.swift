// rooms: Core
// max_len: 128
import Core

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant { ["a/+/c\na/b/c\na/#", "#\n$SYS/x\n+/+", "größe/{tag}\ngröße/{tag}\n/", "a//b\na//b\n+//+", "a/#\na\na/+"].map { Array($0.utf8) } }
  return 0
}

/// A filter, a topic and another filter, each a line.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let lines = copied(start, count).split(separator: UInt8(ascii: "\n"), maxSplits: 2, omittingEmptySubsequences: false).map { Array($0) }
  guard lines.count == 3, lines[1].withUnsafeBytes(Topic.problem) == nil else { return 0 }
  var trie = FilterTrie()
  var filters: [Filter] = []
  for (number, line) in [lines[0], lines[2]].enumerated() {
    guard let filter = try? Filter(Bytes(line)) else { continue }
    trie.insert(filter, UInt32(filters.count))
    insist(number < 2, "more filters than lines")
    filters.append(filter)
  }
  lines[1].withUnsafeBytes { topic in
    _ = Topic.shard(of: topic, among: 16)
    var found: [UInt32] = []
    trie.match(topic, into: &found)
    for (number, filter) in filters.enumerated() {
      let matches = filter.matches(topic)
      insist(found.contains(UInt32(number)) == matches, "the trie and the filter \(filter) do not agree")
      if let shard = filter.shard(among: 16), matches { insist(shard == Topic.shard(of: topic, among: 16), "another shard") }
    }
  }
  for (number, filter) in filters.enumerated() { insist(trie.remove(filter, UInt32(number)), "what was put in is not there") }
  return 0
}
