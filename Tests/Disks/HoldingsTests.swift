import Core
import Glibc
import Journal
import Testing

@testable import Disks

@Suite("Which shards lie in a data directory") struct HoldingsTests {
  private func open(_ temporary: TemporaryDirectory) throws -> DataDirectory {
    try DataDirectory(path: temporary.path + "/data", fresh: NodeIdentity(node: NodeID(7)), holder: "a test")
  }

  @Test("What is held first is written down; what comes and goes later is found again")
  func remembered() throws {
    let temporary = TemporaryDirectory()
    try {
      let holdings = try Holdings(in: open(temporary), first: [ShardID(3), ShardID(1)])
      try holdings.add(ShardID(8))
      try holdings.remove(ShardID(3))
    }()
    let directory = try open(temporary)
    let holdings = try Holdings(in: directory, first: [ShardID(0)])
    #expect((0..<10).filter { holdings.contains(ShardID($0)) } == [1, 8])
    try holdings.remove(ShardID(1))
    try holdings.remove(ShardID(8))
    let text = try directory.note(.holds)
    #expect(text == "none\n")
    let emptied = try Holdings(in: directory, first: [ShardID(0)])
    #expect(!emptied.contains(ShardID(0)))
  }

  @Test("A copy that was given up, and not deleted before the node was cut off, is deleted by the next start")
  func strays() throws {
    let temporary = TemporaryDirectory()
    let directory = try open(temporary)
    for shard in [2, 5] {
      let journal = try directory.shard(ShardID(shard))
      try RealDisk(directory: journal).perform(.create(.segment(Offset(1)), reserve: 4096))
    }
    _ = try Holdings(in: directory, first: [ShardID(2), ShardID(5)])
    try directory.write(.holds, "5\n")
    _ = try Holdings(in: directory, first: [])
    let left = try directory.shards()
    #expect(left == [ShardID(5)])
    #expect(access(temporary.path + "/data/shards/5/00000000000000000001.log", F_OK) == 0)
  }

  @Test("A list that cannot be read is not guessed", arguments: ["", "5", "5 \n", "five\n", "5,6\n", "70000\n"])
  func damaged(text: String) throws {
    let temporary = TemporaryDirectory()
    let directory = try open(temporary)
    try directory.write(.holds, text)
    let outcome = Result { () throws(DataDirectoryError) in _ = try Holdings(in: directory, first: []) }
    guard case .failure(.damagedHoldings(directory.path)) = outcome else {
      Issue.record("'\(text)' was read")
      return
    }
  }
}
