import Core
import Glibc

@testable import Reactor

/// Numbers that are the same in every run with the same seed.
struct TestGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

/// An application out of closures, for tests that need one corner of a loop.
final class ScriptedApplication<Mail: Sendable>: ReactorApplication {
  let loop: ReactorLoop<ScriptedApplication>
  var onStart: () -> Void = {}
  var onReady: (PollToken, Readiness) -> Void = { _, _ in }
  var onExpired: (TimerKey) -> Void = { _ in }
  var onMail: ([Mail]) -> Void = { _ in }
  var onTurnEnd: () -> Void = {}
  var onStop: () -> Void = {}

  init(_ loop: ReactorLoop<ScriptedApplication>) { self.loop = loop }

  func started(on loop: ReactorLoop<ScriptedApplication>) { onStart() }
  func ready(_ token: PollToken, _ readiness: Readiness) { onReady(token, readiness) }
  func expired(_ timer: TimerKey) { onExpired(timer) }
  func received(_ mail: inout [Mail]) { onMail(mail) }
  func turnEnds() { onTurnEnd() }
  func stopped() { onStop() }
}

let loopback = SocketAddress.v4(127, 0, 0, 1, port: 0)

func milliseconds(_ count: Int) -> Instant { .zero + .milliseconds(count) }
