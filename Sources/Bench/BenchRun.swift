import CLinux
import Core
import Glibc

/// A measurement from the first connection to the report.
public enum BenchRun {
  /// Connections settle before memory is looked at and publishing begins.
  private static let settling = TimeSpan.milliseconds(300)
  /// How long deliveries may stall before the window stops waiting for them.
  private static let stall: UInt64 = 2_000_000_000
  /// Descriptors for other things than connections.
  private static let spareDescriptors = 64

  /// - Parameters:
  ///   - serverProcess: whose processor and memory are watched; nil if it is not known.
  ///   - progress: told what is happening, for a person who waits.
  public static func run(
    _ plan: BenchPlan, at address: ServerAddress, serverProcess: Int32?, progress: (String) -> Void
  ) throws(BenchFailure) -> BenchReport {
    try raiseDescriptorLimit(to: plan.subscribers + plan.publishers + spareDescriptors)
    let generator = try Generator(plan, address: address)
    let probe = ServerProbe(process: serverProcess)
    var report = BenchReport(plan)
    report.server = address.text
    report.knowsServer = serverProcess != nil
    report.processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))

    let before = probe.sample()
    report.residentBytesBefore = before.residentBytes
    progress("opening \(plan.subscribers) subscribers and \(plan.publishers) publishers")
    try open(generator, &report)
    generator.turn(for: settling)
    var start = probe.sample()
    report.residentBytesOpen = start.residentBytes

    if plan.publishers > 0, plan.warmup > .zero, plan.scenario != .storm {
      progress("warming up for \(plan.warmup.text)")
      publish(generator, for: plan.warmup)
      generator.forgiven = generator.tally.expected - generator.tally.delivered
      start = probe.sample()
    }
    let warm = generator.tally
    generator.tally.lastDelivery = 0
    generator.isMeasuring = true
    let began = Generator.now()
    progress("measuring for \(plan.duration.text)")
    switch plan.scenario {
    case .fanout, .publish: publish(generator, for: plan.duration)
    case .idle: generator.turn(for: plan.duration)
    case .storm: report.storm = storm(generator, progress)
    }
    let end = probe.sample()
    guard !generator.isInterrupted else { throw BenchFailure("interrupted") }
    fill(&report, from: generator, since: warm, began: began, samples: (start, end))
    return report
  }

  private static func open(_ generator: Generator, _ report: inout BenchReport) throws(BenchFailure) {
    let began = Generator.now()
    generator.openAll()
    generator.openPublishers()
    generator.turn(for: BenchPlan.Bounds.opening) {
      generator.areAllFollowing && (generator.areAllPublishersReady || !generator.complaints.isEmpty)
    }
    report.connectSeconds = Double(Generator.now() - began) / 1e9
    report.connected = generator.following
    if generator.isInterrupted { throw BenchFailure("interrupted") }
    if generator.following == 0, generator.plan.subscribers > 0 {
      throw BenchFailure("no subscriber could connect: " + generator.complaints.joined(separator: "; "))
    }
    if !generator.areAllPublishersReady {
      throw BenchFailure("not every publisher could connect: " + generator.complaints.joined(separator: "; "))
    }
  }

  /// Publishes for `span`, then waits until everything is in or nothing more comes.
  private static func publish(_ generator: Generator, for span: TimeSpan) {
    generator.nextSend = Generator.now()
    generator.isPublishing = true
    var lastCount = -1
    var lastChange = Generator.now()
    generator.turn(for: span) {
      // A lost message would otherwise hold its place in the window for ever.
      let now = Generator.now()
      if generator.tally.delivered != lastCount {
        lastCount = generator.tally.delivered
        lastChange = now
      } else if now - lastChange > stall, generator.tally.expected > lastCount {
        generator.forgiven = generator.tally.expected - lastCount
        lastChange = now
      }
      return false
    }
    generator.isPublishing = false
    drain(generator)
  }

  private static func drain(_ generator: Generator) {
    let patience = UInt64(generator.plan.patience.nanoseconds)
    var lastCount = -1
    var lastChange = Generator.now()
    // Bounded: every round either counts something new or brings the end nearer.
    generator.turn(for: BenchPlan.Bounds.opening) {
      if generator.isEverythingIn { return true }
      let count = generator.tally.delivered + generator.tally.acknowledged
      let now = Generator.now()
      if count != lastCount {
        lastCount = count
        lastChange = now
      }
      return now - lastChange > patience
    }
  }

  private static func storm(_ generator: Generator, _ progress: (String) -> Void) -> BenchReport.Storm {
    generator.nextSend = Generator.now()
    generator.isPublishing = true
    generator.turn(for: generator.plan.stormAfter)
    progress("the storm breaks loose")
    generator.breakLoose()
    let closed = Generator.now()
    let isOver = generator.turn(for: generator.plan.duration) { generator.caughtUp >= generator.subscribers.count }
    let ended = Generator.now()
    let used = TimeSpan(nanoseconds: Int64(ended - generator.stormBegan))
    generator.turn(for: max(.milliseconds(200), TimeSpan(nanoseconds: generator.plan.duration.nanoseconds - used.nanoseconds)))
    generator.isPublishing = false
    drain(generator)
    func seconds(_ time: UInt64) -> Double { Double(time - generator.stormBegan) / 1e9 }
    return BenchReport.Storm(
      closeSeconds: seconds(closed), allOpenSeconds: generator.allOpenAt > 0 ? seconds(generator.allOpenAt) : nil,
      allCaughtUpSeconds: isOver ? seconds(ended) : nil, catchUp: BenchReport.Spread(generator.tally.catchUp))
  }

  private static func fill(
    _ report: inout BenchReport, from generator: Generator, since warm: BenchTally, began: UInt64,
    samples: (start: SystemSample, end: SystemSample)
  ) {
    let tally = generator.tally
    report.opening = BenchReport.Spread(tally.opening)
    report.published = tally.published - warm.published
    report.acknowledged = tally.acknowledged - warm.acknowledged
    report.refusedPublishes = tally.refusedPublishes
    report.expected = tally.expected - warm.expected
    report.delivered = tally.delivered - warm.delivered
    // What was lost or doubled while warming up is as bad.
    report.lost = max(0, tally.expected - tally.delivered)
    report.duplicated = tally.duplicates
    report.outOfOrder = tally.late
    report.foreign = tally.foreign
    report.disconnects = tally.disconnects
    report.connectFailures = tally.connectFailures
    report.badAnswers = tally.badAnswers
    report.delivery = BenchReport.Spread(tally.delivery)
    report.acknowledgement = BenchReport.Spread(tally.acknowledgement)
    let last = tally.lastDelivery > began ? tally.lastDelivery : samples.end.time
    report.seconds = Double(last - began) / 1e9
    report.serverUserSeconds = samples.end.serverUser - samples.start.serverUser
    report.serverSystemSeconds = samples.end.serverSystem - samples.start.serverSystem
    report.generatorSeconds = samples.end.generator - samples.start.generator
    report.wallSeconds = Double(samples.end.time - samples.start.time) / 1e9
    report.foreignSeconds = samples.end.busy - samples.start.busy - report.generatorSeconds - report.serverSeconds
    report.residentBytesEnd = samples.end.residentBytes
    report.complaints = generator.complaints
  }

  private static func raiseDescriptorLimit(to wanted: Int) throws(BenchFailure) {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    guard limit.rlim_cur >= UInt(wanted) else {
      throw BenchFailure(
        "\(wanted) connections and files are wanted, and a process may have \(limit.rlim_cur) here; ask for fewer subscribers")
    }
  }
}
