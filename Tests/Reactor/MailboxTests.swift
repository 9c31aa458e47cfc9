import Core
import Glibc
import Testing

@testable import Reactor

@Suite("The mailbox", .timeLimit(.minutes(1)))
struct MailboxTests {
  private struct Letter: Sendable {
    let producer: Int
    let number: Int
  }

  @Test("eight threads post and nothing is lost, doubled or out of order per thread")
  func manyProducers() throws {
    let loop = try ReactorLoop<ScriptedApplication<Letter>>(index: 0)
    let application = ScriptedApplication(loop)
    let perProducer = 20_000
    let producers = 8
    var next = [Int](repeating: 0, count: producers)
    var disorder = 0
    application.onMail = { mail in
      for letter in mail {
        if letter.number != next[letter.producer] { disorder += 1 }
        next[letter.producer] = letter.number + 1
      }
      if next.allSatisfy({ $0 == perProducer }) { loop.stop() }
    }
    let mailbox = loop.mailbox
    let threads = try (0..<producers).map { producer in
      try PlainThread.start(named: "producer-\(producer)") {
        var number = 0
        while number < perProducer {
          // Singles and small batches, so that both ways in are met.
          if number % 7 == 0, number + 3 <= perProducer {
            mailbox.post(contentsOf: (number..<number + 3).map { Letter(producer: producer, number: $0) })
            number += 3
          } else {
            mailbox.post(Letter(producer: producer, number: number))
            number += 1
          }
        }
      }
    }
    loop.run(application)
    for thread in threads { thread.join() }
    #expect(disorder == 0)
    #expect(next == [Int](repeating: perProducer, count: producers))
    #expect(loop.counters.mails == perProducer * producers)
  }

  @Test("a post wakes a loop that sleeps without a timer")
  func wakesSleeper() throws {
    let thread = try ReactorThread<ScriptedApplication<Int>>.start(index: 3) { loop in
      let application = ScriptedApplication(loop)
      application.onMail = { if $0.contains(99) { loop.stop() } }
      return application
    }
    for value in [1, 2, 99] {
      while !thread.mailbox.isSleeping { sched_yield() }
      #expect(thread.mailbox.post(value))
    }
    thread.join()
    #expect(!thread.mailbox.post(4))
    #expect(!thread.mailbox.post(contentsOf: [5]))
  }

  @Test("posts to a loop that is awake ring the bell at most once per sleep")
  func bellIsRungOnce() throws {
    let mailbox = try Mailbox<Int>()
    mailbox.post(1)
    mailbox.post(2)
    #expect(SystemCallsProbe.rings(mailbox.bell) == nil)
    #expect(!mailbox.beginSleep(), "there is mail to look at")
    #expect(mailbox.endSleep())
    var mail: [Int] = []
    #expect(!mailbox.take(into: &mail))
    #expect(mail == [1, 2])
    #expect(mailbox.beginSleep())
    mailbox.post(3)
    mailbox.post(4)
    #expect(SystemCallsProbe.rings(mailbox.bell) == 1)
    #expect(mailbox.endSleep())
    #expect(!mailbox.take(into: &mail))
    #expect(mail == [3, 4])
    #expect(!mailbox.endSleep())
  }

  @Test("another thread's request stops the loop, and mail accepted before is received")
  func stopFromOutside() throws {
    let loop = try ReactorLoop<ScriptedApplication<Int>>(index: 0)
    let application = ScriptedApplication(loop)
    var received: [Int] = []
    var stops = 0
    application.onStart = {
      loop.mailbox.post(1)
      loop.mailbox.requestStop()
    }
    // Posted after the last turn took its mail: the box hands it out when it closes.
    application.onTurnEnd = { if received == [1] { loop.mailbox.post(2) } }
    application.onMail = { received += $0 }
    application.onStop = { stops += 1 }
    loop.run(application)
    #expect(received == [1, 2])
    #expect(stops == 1)
    #expect(!loop.mailbox.post(3))
  }
}

/// How often a bell was rung since it was last asked.
private enum SystemCallsProbe {
  static func rings(_ bell: FileDescriptor) -> UInt64? {
    var count: UInt64 = 0
    return read(bell.rawValue, &count, 8) == 8 ? count : nil
  }
}
