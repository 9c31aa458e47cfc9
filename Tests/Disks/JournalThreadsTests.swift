import Core
import Disks
import Glibc
import Journal
import Synchronization
import Testing

@Suite struct JournalThreadsTests {
  /// A journal, its port, and what came back.
  final class Shard: Sendable {
    let answers = Mutex<[DiskAnswer]>([])
    let arrivals = Arrivals()

    func attach(_ threads: JournalThreads, _ directory: DirectoryHandle) -> Port {
      let group = threads.group { [self] round in
        for journal in round {
          answers.withLock { $0 += journal.answers }
          for _ in journal.answers { arrivals.arrive() }
        }
      }
      group.attach(directory, as: 1)
      return Port(group: group)
    }

    func take() -> [DiskAnswer] {
      answers.withLock { answers in
        defer { answers = [] }
        return answers
      }
    }
  }

  /// The one journal of a group.
  struct Port {
    let group: JournalGroup

    @discardableResult
    func submit(_ batches: [DiskBatch]) -> Bool { batches.isEmpty || group.submit([JournalBatches(journal: 1, batches: batches)]) }
  }

  static func entry(_ offset: Offset, size: Int = 200) -> ByteBuffer {
    var buffer = ByteBuffer()
    RecordDraft().encode(topic: "t", payload: [UInt8](repeating: UInt8(offset.value % 251), count: size), into: &buffer)
    buffer.withUnsafeMutableBytes {
      RecordStamp(offset: offset, previous: .zero, time: WallTime(milliseconds: 5), term: 1).stamp($0.baseAddress!)
    }
    return buffer
  }

  /// Appends `count` entries, waits until they are durable, and hands the directory back for reopening.
  func fill(_ directory: DirectoryHandle, count: Int, durability: Durability = .fsync) throws -> (syncedRounds: Int, next: Offset) {
    var disk = RealDisk(directory: directory, durability: durability)
    let opening = try JournalLog.open(disk: &disk, settings: JournalSettings())
    var log = opening.log
    let threads = JournalThreads(durability: durability)
    let shard = Shard()
    let group = threads.group { round in
      shard.answers.withLock { $0 += round.flatMap(\.answers) }
      shard.arrivals.arrive()
    }
    group.attach(directory, as: 1)
    let port = Port(group: group)
    var output = JournalOutput()
    for _ in 0..<count {
      _ = log.append(Self.entry(log.next), into: &output)
      port.submit(output.batches)
      output.removeAll()
    }
    var roundCount = 0
    while log.durable.next < log.next {
      shard.arrivals.wait(for: 1)
      roundCount += 1
      for answer in shard.take() {
        #expect(answer.error == nil)
        log.completed(answer.ticket, into: &output)
      }
      port.submit(output.batches)
      output.removeAll()
    }
    threads.stop()
    return (roundCount, log.next)
  }

  @Test("A thousand appends become durable in far fewer rounds, and are there after reopening", arguments: [Durability.fsync, .memory])
  func groupCommit(durability: Durability) throws {
    let temporary = TemporaryDirectory()
    let directory = try temporary.handle()
    let (rounds, next) = try fill(directory, count: 1000, durability: durability)
    #expect(next == Offset(1001))
    #expect(rounds < 1000)
    var disk = RealDisk(directory: directory)
    var opening = try JournalLog.open(disk: &disk, settings: JournalSettings())
    #expect(opening.verdict == .clean)
    #expect(opening.log.durable == Offset(1000))
    var count = 0
    while let chunk = try opening.replay.next(disk: &disk) {
      chunk.withUnsafeBytes { for _ in RecordSequence(trusting: $0) { count += 1 } }
    }
    #expect(count == 1000)
  }

  @Test("The reading thread gives what a plan asks for, and says when a file is gone")
  func reading() throws {
    let temporary = TemporaryDirectory()
    let directory = try temporary.handle()
    _ = try fill(directory, count: 100)
    var disk = RealDisk(directory: directory)
    let opening = try JournalLog.open(disk: &disk, settings: JournalSettings())
    let found = opening.log.plan(single: Offset(42))
    let plan = try #require(found)
    let reader = ReadThread()
    let arrivals = Arrivals()
    let results = Mutex<[Result<Bytes, DiskError>]>([])
    func read(_ directory: DirectoryHandle) {
      reader.read(plan, in: directory) { result in
        results.withLock { $0.append(result) }
        arrivals.arrive()
      }
      arrivals.wait(for: 1)
    }
    read(directory)
    let empty = TemporaryDirectory()
    read(try empty.handle())
    reader.stop()
    let (bytes, missing) = results.withLock { ($0[0], $0[1]) }
    let entries = try plan.parse(bytes.get())
    #expect(entries.first == Offset(42) && entries.count == 1)
    guard case .failure(let error) = missing else {
      Issue.record("a file that is not there was read")
      return
    }
    #expect(error.kind == .missing)
    #expect(!reader.read(plan, in: directory) { _ in })
  }

  @Test("A failure is the last thing a journal hears, and other journals go on")
  func failure() throws {
    let (broken, sound) = (TemporaryDirectory(), TemporaryDirectory())
    let threads = JournalThreads()
    let (first, second) = (Shard(), Shard())
    let brokenPort = first.attach(threads, try broken.handle())
    let soundPort = second.attach(threads, try sound.handle())
    let segment = JournalFileName.segment(Offset(1))
    let create = DiskBatch(ticket: JournalTicket(1), operations: [.create(segment, reserve: 4096)])
    let write = DiskBatch(
      ticket: JournalTicket(2), operations: [.write(.segment(Offset(9)), at: 0, Bytes([1])), .sync(.segment(Offset(9)))])
    let after = DiskBatch(ticket: JournalTicket(3), operations: [.write(segment, at: 0, Bytes([1])), .sync(segment)])
    brokenPort.submit([create, write, after])
    soundPort.submit([create, DiskBatch(ticket: JournalTicket(2), operations: after.operations)])
    first.arrivals.wait(for: 3)
    second.arrivals.wait(for: 2)
    threads.stop()
    let answers = first.take()
    #expect(answers.map(\.ticket.value) == [1, 2, 3])
    #expect(answers[0].error == nil)
    #expect(answers[1].error?.kind == .missing)
    #expect(answers[2].error == answers[1].error)
    #expect(second.take().allSatisfy { $0.error == nil })
    #expect(!brokenPort.submit([create]))
  }

  @Test("When a sync fails, nothing that counted on it is answered as done")
  func failedSync() throws {
    let temporary = TemporaryDirectory()
    // Writes to the null device succeed; it cannot be synced.
    symlink("/dev/null", temporary.path + "/00000000000000000001.log")
    let threads = JournalThreads()
    let shard = Shard()
    let port = shard.attach(threads, try temporary.handle())
    let segment = JournalFileName.segment(Offset(1))
    let operations: [DiskOperation] = [.write(segment, at: 0, Bytes([1])), .sync(segment)]
    port.submit((1...3).map { DiskBatch(ticket: JournalTicket($0), operations: operations) })
    shard.arrivals.wait(for: 3)
    threads.stop()
    let answers = shard.take()
    #expect(answers.map(\.ticket.value) == [1, 2, 3])
    #expect(answers.allSatisfy { $0.error?.operation == "sync" && $0.error?.kind == .failed })
  }

  @Test("Space that cannot be had is refused as a whole and leaves nothing behind")
  func refusedSpace() throws {
    let temporary = TemporaryDirectory()
    let disk = RealDisk(directory: try temporary.handle())
    let segment = JournalFileName.segment(Offset(1))
    try disk.perform(.create(segment, reserve: 8192))
    #expect(throws: DiskError.self) { try disk.perform(.reserve(segment, upTo: 1 << 60)) }
    #expect(throws: DiskError.self) { try disk.perform(.create(.segment(Offset(2)), reserve: 1 << 60)) }
    #expect(try disk.list() == [DiskFile(name: segment, size: 8192)])
  }

  @Test("A file is replaced as a whole, and what an interrupted replacement left is removed at opening")
  func replacing() throws {
    let temporary = TemporaryDirectory()
    let disk = RealDisk(directory: try temporary.handle())
    try disk.perform(.replace(.hardState, header: Bytes([1, 2]), body: Bytes([3])))
    try disk.perform(.replace(.hardState, header: Bytes([4]), body: Bytes()))
    let left = temporary.path + "/hard.state.new"
    fclose(fopen(left, "w"))
    fclose(fopen(temporary.path + "/notes.txt", "w"))
    #expect(try disk.list() == [DiskFile(name: .hardState, size: 1)])
    #expect(access(left, F_OK) != 0 && access(temporary.path + "/notes.txt", F_OK) == 0)
    var bytes = ByteBuffer()
    try disk.read(.hardState, at: 0, count: 10, into: &bytes)
    #expect(bytes.freeze().array == [4])
  }
}
