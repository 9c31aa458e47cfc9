import Core
import Node
import Reactor
import Simulation
import Synchronization

/// `tidings sim`: runs whole clusters in simulated time and breaks them, seed by seed.
enum SimCommand {
  private static let description = CommandDescription(
    name: "tidings sim", synopsis: "--seed N | --seeds A..B [OPTION…]",
    summary: "Run whole clusters on simulated networks, disks and clocks, break them, and check every promise.",
    options: [
      OptionDescription("seed", "N", "run this seed and tell what happened; exact to the seed"),
      OptionDescription("seeds", "A..B", "run all of these"),
      OptionDescription("duration", "TIME", default: "5m", "simulated time before everything is healed"),
      OptionDescription("jobs", "COUNT", default: "1", "seeds at the same time"),
      OptionDescription(
        "plant", "FAULT", "make this mistake on purpose, and stop at the first seed that finds it: "
          + PlantedFault.allCases.map(\.rawValue).joined(separator: ", ")),
      OptionDescription(switch: "verbose", "with --seed: every line of the account, not only the last"),
    ],
    examples: ["tidings sim --seed 42", "tidings sim --seeds 1..2000 --jobs 2", "tidings sim --seed 42 --verbose"])

  private static let accountLines = 60

  static func run(_ words: [String]) throws -> Int32 {
    let arguments = try Arguments(reading: words, for: description)
    if arguments.has("help") {
      Console.print(description.helpText)
      return Command.ExitCode.ok
    }
    let duration = try arguments.duration("duration", in: .seconds(10)...TimeSpan.seconds(24 * 3600)) ?? .seconds(300)
    let jobs = try arguments.number("jobs", in: 1...64) ?? 1
    let planted = try arguments.choice("plant", of: PlantedFault.allCases.map(\.rawValue)).flatMap { PlantedFault(rawValue: $0) }
    switch (arguments.text("seed"), arguments.text("seeds")) {
    case (let text?, nil):
      guard let seed = UInt64(text) else { throw UsageError("--seed is '\(text)'", hint: "write a whole number, such as --seed 42") }
      return tell(plan(seed, duration, planted), everything: arguments.has("verbose"))
    case (nil, let text?): return try runAll(try range(text), jobs: jobs, stopsEarly: planted != nil) { plan($0, duration, planted) }
    default: throw UsageError("say which seeds to run", hint: "write --seed 42, or --seeds 1..200")
    }
  }

  private static func plan(_ seed: UInt64, _ duration: TimeSpan, _ planted: PlantedFault?) -> SimulationPlan {
    guard let planted else { return SimulationPlan(seed: seed, duration: duration) }
    return SimulationPlan(seed: seed, duration: duration, planted: planted)
  }

  private static func range(_ text: String) throws -> ClosedRange<UInt64> {
    let parts = text.split(separator: ".", omittingEmptySubsequences: true)
    guard parts.count == 2, text.contains(".."), let first = UInt64(parts[0]), let last = UInt64(parts[1]), first <= last else {
      throw UsageError("--seeds is '\(text)'", hint: "write the first and the last, such as --seeds 1..200")
    }
    return first...last
  }

  /// One seed, with the account of what happened.
  private static func tell(_ plan: SimulationPlan, everything: Bool) -> Int32 {
    var last: [String] = []
    let simulation = SimulatedCluster(plan) { line in
      if everything { Console.print(line + "\n") } else { last.append(line) }
      if last.count > 2 * accountLines { last.removeFirst(accountLines) }
    }
    Console.print("seed \(plan.seed): \(simulation.plan.brokers) brokers, \(simulation.plan.replicas) replicas, \(simulation.plan.edges) edges\n")
    do throws(Violation) {
      try simulation.run()
    } catch {
      for line in last.suffix(accountLines) { Console.print(line + "\n") }
      Console.print("VIOLATION \(error)\n")
      return Command.ExitCode.failed
    }
    Console.print(summary(simulation.report, seeds: 1, violations: [], wall: nil))
    Console.print("trace \(hexadecimal(simulation.traceHash))\n")
    return Command.ExitCode.ok
  }

  private struct Progress {
    var next: UInt64
    var done = 0
    var report = SimulationReport()
    var violations: [(seed: UInt64, text: String)] = []
  }

  private static func runAll(
    _ seeds: ClosedRange<UInt64>, jobs: Int, stopsEarly: Bool, plan: @escaping @Sendable (UInt64) -> SimulationPlan
  ) throws -> Int32 {
    let progress = Mutex(Progress(next: seeds.lowerBound))
    let start = ContinuousClock.now
    let work: @Sendable () -> Void = {
      while true {
        let seed: UInt64? = progress.withLock { progress in
          guard !stopsEarly || progress.violations.isEmpty, progress.next <= seeds.upperBound, progress.next >= seeds.lowerBound else { return nil }
          defer { progress.next += 1 }
          return progress.next
        }
        guard let seed else { return }
        let simulation = SimulatedCluster(plan(seed))
        var violation: Violation?
        do throws(Violation) { try simulation.run() } catch { violation = error }
        progress.withLock { progress in
          progress.done += 1
          progress.report.add(simulation.report)
          if let violation {
            progress.violations.append((seed, violation.description))
            Console.print("seed \(seed): VIOLATION \(violation)\n")
          }
          if progress.done.isMultiple(of: 50) {
            let hours = Double(progress.report.simulated.milliseconds) / 3_600_000
            Console.remark(
              "\(progress.done) of \(seeds.count) seeds, \(fixed(hours)) simulated hours, \(progress.report.faultCount) faults, "
                + "\(progress.report.acknowledged) messages acknowledged, \(progress.violations.count) violations")
          }
        }
      }
    }
    let threads = try (1...jobs).map { try PlainThread.start(named: "sim-\($0)", work) }
    for thread in threads { thread.join() }
    let elapsed = ContinuousClock.now - start
    let (report, violations) = progress.withLock { ($0.report, $0.violations) }
    let wall = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    Console.print(summary(report, seeds: seeds.count, violations: violations.map(\.seed), wall: wall))
    return violations.isEmpty ? Command.ExitCode.ok : Command.ExitCode.failed
  }

  private static func summary(_ report: SimulationReport, seeds: Int, violations: [UInt64], wall: Double?) -> String {
    let seconds = Double(report.simulated.milliseconds) / 1000
    var lines = [
      "seeds             \(seeds)",
      "simulated hours   \(fixed(seconds / 3600))" + (wall.map { " (\(Int(seconds / max($0, 0.001))) times as fast as time)" } ?? ""),
      "faults            \(report.faultCount)",
    ]
    for kind in FaultKind.allCases where report.faults[kind.rawValue] > 0 { lines.append("  \(report.faults[kind.rawValue]) × \(kind.name)") }
    lines += [
      "messages lost     \(report.lostMessages) between brokers, \(report.doubledMessages) doubled",
      "acknowledged      \(report.acknowledged)",
      "delivered         \(report.deliveries), each checked; \(report.gaps) gaps told",
      "MQTT              \(report.mqttAcknowledged) acknowledged, \(report.mqttDeliveries) delivered, each checked; \(report.wills) wills",
      "damage            found \(report.damageFound) times, repaired \(report.repaired) times",
      "healed            within \(fixed(Double(report.healedAfter.milliseconds) / 1000)) s",
      "violations        \(violations.count)" + (violations.isEmpty ? "" : ": seeds \(violations.sorted().map(String.init).joined(separator: " "))"),
    ]
    return lines.joined(separator: "\n") + "\n"
  }

  private static func fixed(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }

  private static func hexadecimal(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
