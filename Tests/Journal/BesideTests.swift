import Core
import Journal
import Testing

/// What is told beside the log: how far it is committed, and snapshots in parts.
@Suite struct BesideTests {
  @Test("The mark tells what is committed when it is written anyway, and is not written for it")
  func committed() throws {
    var bench = try Bench()
    #expect(bench.foundCommitted == .zero)
    bench.append(count: 9)
    bench.log.note(committed: Offset(4))
    bench.rest()
    bench.log.note(committed: Offset(7))
    bench.log.note(committed: Offset(6))
    bench.tick(milliseconds: 1_000_000)
    bench.tick(milliseconds: 2_000_000)
    #expect(bench.waiting.isEmpty)
    try bench.reopen()
    #expect(bench.foundCommitted == Offset(4))
    bench.log.note(committed: Offset(30))
    bench.append(count: 1)
    bench.run()
    bench.tick(milliseconds: 3_000_000)
    bench.tick(milliseconds: 4_000_000)
    bench.run()
    try bench.reopen()
    #expect(bench.foundCommitted == Offset(10), "never more than is durable")
    try bench.reopen()
    #expect(bench.foundCommitted == Offset(10), "opening forgets nothing")
  }

  @Test("Closing a segment and cutting the log tell what is committed too")
  func committedElsewhere() throws {
    var bench = try Bench()
    bench.append(count: 40, size: 150)
    bench.run()
    bench.log.note(committed: Offset(21))
    while bench.log.segmentCount == 1 {
      bench.append(count: 6, size: 150)
      bench.run()
    }
    try bench.reopen()
    #expect(bench.foundCommitted == Offset(21))
    bench.log.note(committed: Offset(23))
    bench.truncate(from: 30)
    bench.run()
    try bench.reopen()
    #expect(bench.foundCommitted == Offset(23) && bench.log.durable == Offset(29))
  }

  @Test("A flipped bit of the mark costs nothing after a cut either")
  func rottenMark() throws {
    var bench = try Bench()
    for _ in 0..<6 { bench.append(count: 30, size: 150) }
    bench.rest()
    bench.truncate(from: 50)
    bench.run()
    for bit in 0..<2 * 4096 * 8 {
      guard bit % 32768 < 100 * 8 else { continue }
      var disk = bench.disk
      disk.flip(.mark, bit: bit)
      let opened = try Bench(disk: disk)
      if case .corrupt(let damage) = opened.verdict { Issue.record("bit \(bit): \(damage)") }
      #expect(opened.log.durable == Offset(49))
    }
  }

  /// A snapshot's body, read in parts; nil when it is gone.
  func read(_ bench: inout Bench, _ offset: UInt64, by size: Int) throws -> Bytes? {
    var body = ByteBuffer()
    while true {
      guard let (plan, isLast) = bench.log.snapshotPlan(Offset(offset), at: body.count, maximumBytes: size) else { return nil }
      #expect(plan.length <= max(1, size))
      let bytes = try bench.read(plan)
      #expect(bytes.count == plan.length)
      body.append(bytes)
      if isLast { return body.freeze() }
    }
  }

  @Test("Snapshots are read in parts of any size, as long as they are there")
  func snapshotParts() throws {
    var bench = try Bench()
    bench.append(count: 20)
    bench.rest()
    var bodies: [UInt64: Bytes] = [:]
    for offset in [5, 9, 14] as [UInt64] {
      let body = Bytes((0..<Int(offset) * 100).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ Int(offset)) })
      bodies[offset] = body
      bench.log.writeSnapshot(Snapshot(offset: Offset(offset), body: body), into: &bench.output)
      bench.collect()
      let early = bench.log.snapshotPlan(Offset(offset), at: 0, maximumBytes: 10)
      #expect(early == nil, "not durable yet")
      bench.run()
    }
    for reopened in [false, true] {
      if reopened { try bench.reopen() }
      for offset in [9, 14] as [UInt64] {
        let body = try #require(bodies[offset])
        for size in [0, 1, 7, body.count - 1, body.count, body.count + 1, .max] {
          let found = try read(&bench, offset, by: size)
          #expect(found == body)
        }
        let checksum = bench.log.snapshotChecksum(Offset(offset))
        #expect(checksum == Snapshot(offset: Offset(offset), body: body).checksum)
        #expect(checksum != Snapshot(offset: Offset(offset + 1), body: body).checksum)
        let behind = bench.log.snapshotPlan(Offset(offset), at: body.count, maximumBytes: 10)
        let before = bench.log.snapshotPlan(Offset(offset), at: -1, maximumBytes: 10)
        #expect(behind == nil && before == nil)
      }
      let gone = try read(&bench, 5, by: 10)
      #expect(gone == nil && bench.log.snapshotChecksum(Offset(5)) == nil)
    }
    bench.restart(after: 30, snapshot: Snapshot(offset: Offset(33), body: Bytes("new")))
    let whileRestarting = try read(&bench, 14, by: 10)
    bench.run()
    let new = try read(&bench, 33, by: 2)
    #expect(whileRestarting == nil && new == Bytes("new"))
  }

  @Test("A log opened on a full disk gets the footer it lacks before anything is written")
  func footerAfterFullDisk() throws {
    var bench = try Bench()
    bench.append(count: 6, size: 100)
    bench.run()
    let end = bench.appended.values.reduce(0) { $0 + $1.count }
    bench.disk.cut(.segment(Offset(1)), to: end, padded: false)
    bench.disk.capacity = bench.disk.used
    try bench.reopen()
    #expect(bench.log.admission == .full && bench.log.durable == Offset(6))
    bench.disk.capacity = .max
    bench.append(count: 4, size: 700)
    bench.tick(milliseconds: 1000)
    bench.disk.putsSyncsOff = true
    while !bench.waiting.isEmpty {
      bench.runRound(of: .max) { bench in
        for seed in 1...40 as ClosedRange<UInt64> {
          let complaint = bench.complaintAfterCrash(seed: seed)
          #expect(complaint == nil, "seed \(seed)")
        }
      }
    }
    #expect(bench.log.durable == Offset(10) && bench.log.admission == .accepting)
  }
}
