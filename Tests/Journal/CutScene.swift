import Core
import Journal
import Testing

/// What the log is doing when it is cut.
enum CutScene: String, CaseIterable {
  case atRest, acrossSegments, wholeSegment, everything, writesInFlight, fileInFlight, roomInFlight, closeInFlight, markInFlight
  case indexInFlight, held, heldBehindFile, twice, twiceUpwards, fullDisk, fullDiskBehindFile, oddEnd

  /// Brings a fresh log into that state; says where it is cut.
  func prepare(_ bench: inout Bench) throws -> [UInt64] {
    bench.append(count: 5, size: 90)
    bench.append(count: 4, size: 200)
    bench.rest()
    switch self {
    case .atRest: return [7]
    case .oddEnd:
      bench.append(count: 1, size: 7)
      bench.rest()
      return [3]
    case .acrossSegments, .wholeSegment, .everything:
      for _ in 0..<6 { bench.append(count: 30, size: 150) }
      bench.rest()
      bench.append(count: 3, size: 60)
      bench.run()
      #expect(bench.log.segmentCount > 2)
      let second = bench.log.extent(holding: Offset(100)).offsets
      return [self == .acrossSegments ? 30 : self == .wholeSegment ? second.lowerBound.value : 1]
    case .writesInFlight:
      for _ in 0..<3 { bench.append(count: 4, size: 120) }
      return [16]
    case .fileInFlight, .heldBehindFile, .roomInFlight:
      while !bench.waiting.contains(where: { $0.operations.contains { isAwaited($0) } }) {
        bench.run()
        bench.append(count: 6, size: 150)
      }
      let held = bench.log.next.value
      bench.append(count: 8, size: 150)
      return [self == .heldBehindFile ? held + 3 : held - 14]
    case .closeInFlight:
      while bench.log.segmentCount == 1 {
        bench.run()
        bench.append(count: 6, size: 150)
      }
      while !bench.waiting.isEmpty, !bench.waiting[0].operations.contains(where: \.isTruncationOfSegment) { bench.runOne() }
      return [12]
    case .markInFlight:
      bench.append(count: 3)
      bench.run()
      bench.tick(milliseconds: 300_000)
      bench.tick(milliseconds: 400_000)
      #expect(bench.waiting.count == 1)
      return [11]
    case .indexInFlight:
      for _ in 0..<7 { bench.append(count: 5, size: 130) }
      bench.run()
      bench.tick(milliseconds: 300_000)
      bench.tick(milliseconds: 400_000)
      #expect(bench.waiting.contains { $0.operations.contains { if case .index = $0.file { true } else { false } } })
      return [20]
    case .held:
      while bench.waiting.isEmpty || !bench.waiting.contains(where: { $0.operations.contains(where: \.isReserve) }) {
        bench.run()
        bench.append(count: 2, size: 700)
      }
      let last = bench.log.next.value
      for _ in 0..<3 { bench.append(count: 2, size: 1500) }
      return [last + 3]
    case .twice, .twiceUpwards:
      for _ in 0..<6 { bench.append(count: 30, size: 150) }
      bench.rest()
      return self == .twice ? [60, 62, 20] : [20, 22, 21]
    case .fullDiskBehindFile:
      while !bench.waiting.contains(where: { $0.operations.contains { isAwaited($0) } }) {
        bench.run()
        bench.append(count: 6, size: 150)
      }
      bench.disk.capacity = bench.disk.used
      bench.run()
      #expect(bench.log.admission == .full)
      return [bench.log.durable.value - 25]
    case .fullDisk:
      bench.disk.capacity = 20_000
      while bench.log.admission == .accepting {
        bench.append(count: 4, size: 200)
        bench.run()
      }
      bench.append(count: 4, size: 200)
      return [15]
    }
  }

  private func isAwaited(_ operation: DiskOperation) -> Bool {
    switch operation {
    case .create: self != .roomInFlight
    case .reserve: self == .roomInFlight
    default: false
    }
  }
}

extension DiskOperation {
  var isReserve: Bool {
    if case .reserve = self { true } else { false }
  }
}
