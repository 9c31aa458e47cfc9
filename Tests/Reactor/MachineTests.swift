import Glibc
import Testing

@testable import Reactor

@Suite("The machine")
struct MachineTests {
  @Test(
    "quotas are rounded up to whole processors",
    arguments: [
      ("150000 100000\n", 2), ("100000 100000", 1), ("5000 100000", 1), ("max 100000\n", nil), ("-1 100000", nil),
      ("", nil), ("100000", nil), ("400000 0", nil),
    ] as [(String, Int?)])
  func quotas(text: String, processors: Int?) {
    #expect(Machine.processors(ofQuota: text) == processors)
  }

  @Test("the unified group is found among older ones")
  func groups() {
    #expect(Machine.unifiedGroup(in: "3:cpu:/old\n0::/a/b\n") == "/a/b")
    #expect(Machine.unifiedGroup(in: "0::/\n") == "/")
    #expect(Machine.unifiedGroup(in: "3:cpu:/old\n") == nil)
  }

  @Test("there is a processor, and the descriptor limit is what the kernel says afterwards")
  func limits() throws {
    #expect(Machine.usableProcessors() >= 1)
    let raised = try Machine.raiseDescriptorLimit()
    var limit = rlimit()
    #expect(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    #expect(limit.rlim_cur == limit.rlim_max && raised == Int(clamping: limit.rlim_cur))
  }

  @Test("the allocator's count follows what is allocated")
  func allocated() {
    let before = Machine.allocatedBytes()
    let block = UnsafeMutableRawPointer.allocate(byteCount: 64 << 20, alignment: 16)
    defer { block.deallocate() }
    #expect(Machine.allocatedBytes() - before > 32 << 20)
  }

  @Test("a blocked signal is read from its source instead of ending the process", .timeLimit(.minutes(1)))
  func signals() throws {
    // On a thread of its own: signals are blocked per thread, and this one sends to itself.
    let heard = try Mailbox<SignalSource.Signal>()
    let thread = try PlainThread.start(named: "signals") {
      do {
        let source = try SignalSource.open()
        defer { source.close() }
        pthread_kill(pthread_self(), SIGHUP)
        pthread_kill(pthread_self(), SIGTERM)
        while let signal = source.next() { heard.post(signal) }
      } catch {
        Issue.record(error)
      }
    }
    thread.join()
    var signals: [SignalSource.Signal] = []
    _ = heard.take(into: &signals)
    #expect(Set(signals) == [.hangup, .terminate])
  }
}
