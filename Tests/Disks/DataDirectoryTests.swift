import Core
import Disks
import Glibc
import Journal
import Testing

@Suite struct DataDirectoryTests {
  static let fresh = NodeIdentity(node: NodeID(0xabc), cluster: ClusterID(0x123), shards: 16)

  func open(_ path: String, holder: String = "node a\npid 1") throws -> DataDirectory {
    try DataDirectory(path: path, fresh: Self.fresh, holder: holder)
  }

  func failure(_ path: String) -> DataDirectoryError? {
    do throws(DataDirectoryError) {
      _ = try DataDirectory(path: path, fresh: Self.fresh, holder: "node b\npid 2")
      return nil
    } catch {
      return error
    }
  }

  func write(_ text: String, to path: String) {
    let file = fopen(path, "w")!
    fputs(text, file)
    fclose(file)
  }

  @Test("A new directory is made with those above it, and keeps its identity")
  func birth() throws {
    let temporary = TemporaryDirectory()
    let path = temporary.path + "/x/y/data"
    do {
      let first = try open(path)
      #expect(first.isNew && first.identity == Self.fresh)
      var changed = first.identity
      changed.shards = 32
      try first.save(changed)
    }
    let again = try DataDirectory(path: path, fresh: NodeIdentity(node: NodeID(1)), holder: "node c")
    #expect(!again.isNew)
    #expect(again.identity.node == NodeID(0xabc) && again.identity.shards == 32)
    #expect(again.identity.cluster == ClusterID(0x123))
    let shard = try again.shard(ShardID(3))
    #expect(shard.path == path + "/shards/3")
  }

  @Test("A second node is told who holds the directory, until that one is gone")
  func lock() throws {
    let temporary = TemporaryDirectory()
    do {
      let first = try open(temporary.path)
      let error = try #require(failure(temporary.path))
      #expect(error == .inUse(temporary.path, holder: "node a\npid 1"))
      #expect("\(error)".contains("in use by node a, pid 1"))
      withExtendedLifetime(first) {}
    }
    #expect(failure(temporary.path) == nil)
  }

  @Test("A directory of something else is left as it is")
  func foreign() {
    let temporary = TemporaryDirectory()
    write("hello", to: temporary.path + "/notes.txt")
    #expect(failure(temporary.path) == .foreign(temporary.path, holds: "notes.txt"))
    #expect(access(temporary.path + "/lock", F_OK) != 0)
  }

  @Test("Another format, a damaged or missing identity and a file in the way are told")
  func refusals() throws {
    let temporary = TemporaryDirectory()
    _ = try open(temporary.path)
    write("tidings 2\n", to: temporary.path + "/format")
    #expect(failure(temporary.path) == .otherFormat(temporary.path, found: "tidings 2\n"))
    write("tidings 1\n", to: temporary.path + "/format")
    write("node 0000000000000abd\ncluster none\nshards 16\nchecksum 00000000\n", to: temporary.path + "/identity")
    #expect(failure(temporary.path) == .damagedIdentity(temporary.path))
    unlink(temporary.path + "/identity")
    #expect(failure(temporary.path) == .damagedIdentity(temporary.path))
    let file = temporary.path + "/lock"
    guard case .unusable(file, _) = failure(file) else {
      Issue.record("a file was taken for a directory")
      return
    }
  }

  @Test("A group log that cannot be read stops a node, unless its peers have what was in it: then the log is kept aside and no vote is left")
  func damagedGroupLog() throws {
    let temporary = TemporaryDirectory()
    do {
      let directory = try open(temporary.path)
      for shard in 0..<2 { _ = try directory.shard(ShardID(UInt16(shard))) }
      try directory.write(.birth, "born among others")
    }
    for shard in 0..<2 {
      write("a vote", to: "\(temporary.path)/shards/\(shard)/hard.state")
      write("entries", to: "\(temporary.path)/shards/\(shard)/00000000000000000001.log")
    }
    write("no head at all", to: temporary.path + "/group-0.log")
    #expect(failure(temporary.path) == .damagedGroupLog(temporary.path, "group-0.log", .noHead))
    var told: String?
    func distrust(_ answer: Bool) throws -> Bool {
      try DataDirectory.distrust(temporary.path, log: "group-0.log", holder: "test") {
        told = $0
        return answer
      }
    }
    let alone = try distrust(false)
    #expect(!alone && told == "born among others")
    #expect(access(temporary.path + "/shards/1/hard.state", F_OK) == 0)
    #expect(failure(temporary.path) == .damagedGroupLog(temporary.path, "group-0.log", .noHead), "nothing was altered")
    let hasPeers = try distrust(true)
    #expect(hasPeers)
    #expect(access(temporary.path + "/shards/0/hard.state", F_OK) != 0 && access(temporary.path + "/shards/1/hard.state", F_OK) != 0)
    #expect(access(temporary.path + "/shards/1/00000000000000000001.log", F_OK) == 0)
    #expect(access(temporary.path + "/group-0.log.damaged", F_OK) == 0)
    _ = try open(temporary.path)
  }

  @Test("A first start that was cut short is begun again")
  func interruptedBirth() throws {
    let temporary = TemporaryDirectory()
    write("node a", to: temporary.path + "/lock")
    _ = try open(temporary.path)
    unlink(temporary.path + "/identity")
    rmdir(temporary.path + "/shards")
    let again = try open(temporary.path)
    #expect(again.isNew)
  }
}
