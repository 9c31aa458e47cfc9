import Core
import Journal
import Testing

/// Everything a journal is asked for, in any order, with crashes and full disks between.
@Suite struct JourneyTests {
  @Test("Whatever is asked for in whatever order, a crash leaves one log and nothing promised is missing")
  func journeys() throws {
    for seed in 1...400 as ClosedRange<UInt64> {
      var journey = try Journey(seed: seed)
      for _ in 0..<60 where journey.complaint == nil { try journey.step() }
      #expect(journey.complaint == nil, "seed \(seed): \(journey.complaint ?? "")")
    }
  }
}

struct Journey: ~Copyable {
  var generator: TestGenerator
  var bench: Bench
  var complaint: String?
  var committed: UInt64 = 0
  var clock = 1
  var savedState: HardState
  var askedStates: [HardState] = []
  var seenFacts = 0
  /// What a durable fact may not go beyond while the writes from before a cut are answered.
  var lastDurable: UInt64 = 0

  init(seed: UInt64) throws {
    generator = TestGenerator(seed: seed)
    bench = try Bench()
    savedState = HardState()
  }

  var isServing: Bool { bench.log.admission == .accepting || bench.log.admission == .full }
  var last: UInt64 { bench.log.next.value - 1 }
  /// Nothing at or below this may be cut off.
  var floor: UInt64 {
    max(committed, bench.log.snapshotOffset?.value ?? 0, bench.snapshot?.value ?? 0, bench.log.first.value - 1, writing)
  }
  var writing: UInt64 = 0

  mutating func step() throws {
    clock += 20 + generator.below(400)
    switch generator.below(34) {
    case 0..<8:
      if isServing { bench.append(count: 1 + generator.below(12), size: 1 + generator.below(400), at: Int64(clock)) }
    case 8..<14:
      bench.runRound(of: 1 + generator.below(3))
    case 14..<16:
      bench.run()
    case 16..<19:
      bench.tick(milliseconds: clock)
    case 19..<21:
      committed = max(committed, min(last, floor + UInt64(generator.below(20))))
      bench.log.note(committed: Offset(committed))
    case 21..<25:
      truncate()
    case 25:
      snapshot()
    case 26:
      bench.log.trim(
        at: WallTime(milliseconds: Int64(clock)), Retention(ageMilliseconds: 1 << 40, bytes: 20_000), keepFrom: Offset(.max),
        into: &bench.output)
      bench.collect()
    case 27:
      restart()
    case 28:
      if isServing { saveState() }
    case 29:
      bench.disk.capacity = bench.disk.capacity == .max ? bench.disk.used + generator.below(9000) : .max
    case 30:
      bench.disk.putsSyncsOff.toggle()
    default:
      try crash()
    }
    settle()
  }

  private mutating func truncate() {
    guard isServing, last > floor else { return }
    bench.truncate(from: floor + 1 + UInt64(generator.below(Int(min(last - floor, 40)))))
    lastDurable = bench.log.durable.value
  }

  private mutating func snapshot() {
    let offset = min(committed, bench.log.durable.value)
    guard isServing, !bench.log.isWritingSnapshot, offset > bench.log.snapshotOffset?.value ?? 0 else { return }
    writing = offset
    bench.log.writeSnapshot(Snapshot(offset: Offset(offset), body: Bytes("state at \(offset)")), into: &bench.output)
    bench.collect()
  }

  private mutating func saveState() {
    let state = HardState(term: UInt64(clock), vote: generator.below(2) == 0 ? nil : NodeID(5))
    askedStates.append(state)
    bench.log.saveHardState(state, into: &bench.output)
    bench.collect()
  }

  private mutating func restart() {
    guard isServing || bench.log.admission == .damaged(.unfinishedRestart), !isRestarting else { return }
    let base = generator.below(3) == 0 ? 0 : UInt64(generator.below(300))
    var snapshot: Snapshot?
    if base > 0 || generator.below(2) == 0 {
      let offset = base + UInt64(generator.below(3) * generator.below(12))
      if offset > 0 { snapshot = Snapshot(offset: Offset(offset), body: Bytes("state from elsewhere")) }
    }
    let state = generator.below(2) == 0 ? askedStates.last ?? savedState : HardState(term: UInt64(clock), vote: nil)
    askedStates.append(state)
    committed = max(base, snapshot?.offset.value ?? 0)
    writing = 0
    lastDurable = base
    wasRefused = false
    bench.restart(after: base, snapshot: snapshot, hardState: state)
  }

  var isRestarting: Bool { bench.alternatives.contains { $0.damage == .unfinishedRestart } && !wasRefused }
  private var wasRefused = false

  private mutating func settle() {
    for fact in bench.facts {
      switch fact {
      case .durable(let offset):
        if offset.value <= lastDurable || offset >= bench.log.next { complaint = "durable \(offset) after \(lastDurable)" }
        lastDurable = offset.value
      case .hardStateSaved(let state):
        savedState = state
        askedStates.removeFirst((askedStates.firstIndex(of: state) ?? -1) + 1)
      case .restartRefused: wasRefused = true
      case .restarted: wasRefused = false
      case .snapshotRefused: writing = 0
      case .died(let error): complaint = "\(error)"
      case .full, .roomAgain, .snapshotWritten, .hardStateRefused, .trimmed: break
      }
    }
    bench.facts = []
  }

  private mutating func crash() throws {
    try bench.runPart(generator.below(9))
    let seed = UInt64(generator.below(1 << 30))
    complaint = bench.complaintAfterCrash(seed: seed)
    guard complaint == nil else { return }
    var sequel = TestGenerator(seed: seed)
    bench.disk.crash(&sequel)
    let alternatives = bench.alternatives
    bench.disk.capacity = .max
    wasRefused = false
    try bench.reopen()
    if case .found(let state) = bench.hardState, state == savedState || askedStates.contains(state) {
      savedState = state
      askedStates = []
    } else {
      complaint = "found \(bench.hardState) instead of \(savedState) or \(askedStates)"
    }
    writing = 0
    lastDurable = bench.log.durable.value
    guard isServing else { return restart() }
    let found = try bench.readAll()
    bench.base = bench.log.first.value - 1
    bench.snapshot = bench.log.snapshotOffset
    bench.appended = found
    if bench.foundCommitted > bench.log.durable { complaint = "committed \(bench.foundCommitted)" }
    if bench.foundCommitted.value > committed, alternatives.isEmpty { complaint = "committed \(bench.foundCommitted) of \(committed)" }
    committed = max(bench.foundCommitted.value, bench.foundSnapshot?.offset.value ?? 0)
    bench.log.note(committed: Offset(committed))
  }
}
