import Testing

@testable import Node

@Suite("What time a cluster has") struct ClusterClockTests {
  private static let hour: Int64 = 3_600_000

  private func compared(_ ahead: [Int64], ownCounts: Bool = true, after clock: ClusterClock = ClusterClock()) -> ClusterClock {
    var clock = clock
    clock.compare(with: ahead.enumerated().map { ("broker-\($0.offset + 2)", $0.element) }, ownCounts: ownCounts)
    return clock
  }

  @Test("Clocks that are seconds apart are left alone")
  func near() {
    for ahead in [[3, -20], [-4_000, 900], [5_000, 5_000], []] as [[Int64]] {
      let clock = compared(ahead)
      #expect(clock.finding == .agrees, "\(ahead)")
      #expect(clock.correction == 0)
      #expect(clock.trouble(of: "broker-1") == nil)
    }
  }

  @Test("A node whose clock is an hour off goes by the others', and says so")
  func off() {
    let ahead = compared([-Self.hour - 40, -Self.hour + 10])
    #expect(ahead.correction == -Self.hour + 10)
    #expect(ahead.trouble(of: "broker-1")?.hasPrefix("the clock of broker-1 is 60 min ahead of the brokers'") == true)
    let behind = compared([2 * Self.hour, 2 * Self.hour + 10])
    #expect(behind.correction == 2 * Self.hour + 10)
    #expect(behind.trouble(of: "broker-1")?.hasPrefix("the clock of broker-1 is 2 h behind the brokers'") == true)
  }

  @Test("The others see that one of them is off, and leave their own clocks alone")
  func other() {
    let clock = compared([Self.hour, 12])
    #expect(clock.finding == .agrees)
    #expect(clock.correction == 0)
  }

  @Test("Two brokers that differ cannot know which is right; both say so, and go by the earlier")
  func pair() {
    let clock = compared([Self.hour])
    #expect(clock.finding == .differs(from: "broker-2", ahead: Self.hour))
    #expect(clock.correction == 0, "this one is the earlier")
    #expect(clock.trouble(of: "broker-1")?.contains("60 min behind broker-2's") == true)
    let later = compared([-Self.hour])
    #expect(later.correction == -Self.hour, "stamps never go back, so the earlier clock is the one to go by")
    #expect(later.trouble(of: "broker-1")?.contains("60 min ahead of broker-2's") == true)
    let right = compared([-Self.hour, 3], after: later)
    #expect(right.correction == 0, "a third one decides")
  }

  @Test("What an edge's clock says counts for nothing against a single broker's")
  func edge() {
    let clock = compared([-Self.hour], ownCounts: false)
    #expect(clock.correction == -Self.hour)
    #expect(clock.finding == .isOff(by: Self.hour))
  }

  @Test("A correction stays while a broker is away, and while it is about right; it ends when the clock was set")
  func sticky() {
    var clock = compared([-Self.hour, -Self.hour])
    clock = compared([-Self.hour], after: clock)
    #expect(clock.correction == -Self.hour, "two that differ")
    clock = compared([], after: clock)
    #expect(clock.correction == -Self.hour, "nobody")
    clock = compared([-Self.hour - 900, -Self.hour - 900], after: clock)
    #expect(clock.correction == -Self.hour, "it does not jump about")
    clock = compared([-Self.hour - 1_100, -Self.hour - 1_100], after: clock)
    #expect(clock.correction == -Self.hour - 1_100)
    clock = compared([2, 3], after: clock)
    #expect(clock.correction == 0)
    #expect(clock.trouble(of: "broker-1") == nil)
  }
}
