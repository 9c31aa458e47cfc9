import Bench
import Core
import Glibc
import Node

/// `tidings bench`: measures a node from the outside.
enum BenchCommand {
  private static let url = OptionDescription(
    "url", "URL", "the node to measure, with --transport mqtt any server at mqtt://HOST:PORT; without it one is started on this machine with a data folder of its own")
  private static let common = [
    url,
    OptionDescription("server-pid", "PID", "with --url: the server's process, whose processor and memory are then measured too"),
    OptionDescription(switch: "yes", "measure a node that is not on this machine"),
    OptionDescription("durability", "KIND", default: "fsync", "of the node that is started: 'fsync' or 'memory'"),
    OptionDescription("reactors", "COUNT", "of the node that is started"),
    OptionDescription(switch: "pin", "give the node that is started the first processor and the generator the second"),
    OptionDescription(switch: "json", "one line of JSON instead of a table"),
  ]

  private static func command(_ scenario: BenchScenario) -> CommandDescription {
    let plan = BenchPlan(scenario, seed: 0)
    var options: [OptionDescription] = []
    if scenario != .publish {
      options += [
        OptionDescription("subs", "COUNT", default: "\(plan.subscribers)", "subscribers"),
        OptionDescription("transport", "KIND", default: plan.transport.rawValue, transportHelp(scenario)),
      ]
      if scenario != .storm {
        options.append(
          OptionDescription("qos", "NUMBER", default: "\(plan.qos.rawValue)", "with --transport mqtt: what subscribers ask for, 0 or 1"))
      }
    } else {
      options.append(OptionDescription("transport", "KIND", default: "http", "how they publish: 'http' or 'mqtt', with QoS 1"))
    }
    options.append(
      OptionDescription("topics", "COUNT", default: "\(plan.topics)", "topics, each with its share of the subscribers"))
    if scenario != .idle {
      if scenario != .storm {
        options.append(OptionDescription("pubs", "COUNT", default: "\(plan.publishers)", "publishing connections"))
      }
      options += [
        OptionDescription(
          "window", "COUNT", default: "\(plan.window)",
          scenario == .fanout
            ? "messages not yet delivered to everybody, over all publishers; with --rate, requests in flight per publisher"
            : "requests in flight per publisher"),
        OptionDescription(
          "rate", "NUMBER", default: plan.rate.map { "\($0)" } ?? "no limit", "messages a second over all publishers"),
        OptionDescription("size", "SIZE", default: "\(plan.messageBytes)", "bytes in a message"),
      ]
      if scenario == .fanout {
        options.append(
          OptionDescription("pipeline", "COUNT", default: "\(plan.pipeline)", "without --rate: requests in flight per publisher"))
      }
      if scenario != .storm {
        options.append(OptionDescription("warmup", "TIME", default: plan.warmup.text, "how long to publish before measuring"))
      }
    }
    if scenario == .storm {
      options.append(
        OptionDescription("after", "TIME", default: plan.stormAfter.text, "when all subscribers drop their connections"))
    }
    options.append(OptionDescription("duration", "TIME", default: plan.duration.text, "how long to measure"))
    if scenario != .publish {
      options.append(OptionDescription("burst", "COUNT", default: "\(plan.burst)", "connections being opened at once"))
    }
    return CommandDescription(
      name: "tidings bench \(scenario.rawValue)", synopsis: "[OPTION…]", summary: summary(scenario), options: options + common,
      notes: ["The exit code is 1 when a message was lost, doubled, out of order or refused."],
      examples: [
        "tidings bench \(scenario.rawValue) --pin",
        "tidings bench \(scenario.rawValue) --url http://127.0.0.1:8080 --server-pid $(pidof tidings) --json",
      ])
  }

  private static func transportHelp(_ scenario: BenchScenario) -> String {
    switch scenario {
    case .fanout: "how they follow: 'sse', 'ws', 'longpoll' or 'mqtt'; with 'mqtt' publishers use it too, with QoS 1"
    case .idle: "how they follow: 'sse', 'ws', 'longpoll' or 'mqtt'"
    case .publish, .storm: "how they follow: 'sse', 'ws' or 'longpoll'"
    }
  }

  /// What `--transport` may be.
  private static func transports(_ scenario: BenchScenario) -> [String] {
    switch scenario {
    case .fanout, .idle: BenchTransport.allCases.map(\.rawValue)
    case .publish: ["http", BenchTransport.mqtt.rawValue]
    // Whoever comes back by MQTT has no cursor: it would be measured losing messages.
    case .storm: BenchTransport.allCases.filter { $0 != .mqtt }.map(\.rawValue)
    }
  }

  private static func summary(_ scenario: BenchScenario) -> String {
    switch scenario {
    case .fanout: "Measure deliveries: publishers to subscribers, as fast as deliveries allow or at a rate."
    case .publish: "Measure publishing: publishers alone, nobody subscribed."
    case .idle: "Measure what a waiting subscriber costs in memory."
    case .storm: "Measure a storm: all subscribers drop at once and come back with their cursors while messages keep coming."
    }
  }

  private static let overview = CommandDescription(
    name: "tidings bench", synopsis: "SCENARIO [OPTION…]", summary: "Measure a node from the outside.", options: [],
    operands: 0...1,
    notes: BenchScenario.allCases.map { "\($0.rawValue): \(summary($0))" } + [
      "'tidings bench SCENARIO --help' shows the options of each."
    ])

  static func run(_ words: [String]) throws -> Int32 {
    guard let first = words.first, !["--help", "-h"].contains(first) else {
      Console.print(overview.helpText)
      return words.isEmpty ? Command.ExitCode.usage : Command.ExitCode.ok
    }
    guard let scenario = BenchScenario(rawValue: first) else {
      let names = BenchScenario.allCases.map(\.rawValue)
      let near = NearestName.of(first, among: names)
      throw UsageError(
        "there is no scenario '\(first)'",
        hint: near.map { "did you mean '\($0)'?" } ?? "it is one of \(names.joined(separator: ", "))")
    }
    let description = command(scenario)
    let arguments = try Arguments(reading: Array(words.dropFirst()), for: description)
    if arguments.has("help") {
      Console.print(description.helpText)
      return Command.ExitCode.ok
    }
    return try measure(try plan(scenario, arguments), arguments)
  }

  private static func plan(_ scenario: BenchScenario, _ arguments: Arguments) throws(UsageError) -> BenchPlan {
    var seeds = SystemRandomNumberGenerator()
    var plan = BenchPlan(scenario, seed: seeds.next())
    if let value = try arguments.number("subs", in: BenchPlan.Bounds.subscribers) { plan.subscribers = value }
    if let value = try arguments.choice("transport", of: transports(scenario)) {
      plan.transport = BenchTransport(rawValue: value) ?? plan.transport
    }
    if let value = try arguments.choice("qos", of: BenchQoS.allCases.map { "\($0.rawValue)" }) {
      guard plan.transport == .mqtt else { throw UsageError("--qos is for --transport mqtt") }
      plan.qos = value == "1" ? .atLeastOnce : .atMostOnce
    }
    if let value = try arguments.number("topics", in: BenchPlan.Bounds.topics) { plan.topics = value }
    if let value = try arguments.number("pubs", in: BenchPlan.Bounds.publishers) { plan.publishers = value }
    if let value = try arguments.number("window", in: BenchPlan.Bounds.window) { plan.window = value }
    if let value = try arguments.number("pipeline", in: BenchPlan.Bounds.window) { plan.pipeline = value }
    if let value = try arguments.decimal("rate", in: BenchPlan.Bounds.rate) { plan.rate = value }
    if let value = try arguments.size("size", in: BenchPlan.Bounds.messageBytes) { plan.messageBytes = value }
    if let value = try arguments.duration("warmup", in: BenchPlan.Bounds.warmup) { plan.warmup = value }
    if let value = try arguments.duration("duration", in: BenchPlan.Bounds.duration) { plan.duration = value }
    if let value = try arguments.duration("after", in: BenchPlan.Bounds.warmup) { plan.stormAfter = value }
    if let value = try arguments.number("burst", in: BenchPlan.Bounds.burst) { plan.burst = value }
    if plan.topics > plan.subscribers, plan.subscribers > 0 {
      throw UsageError(
        "--topics \(plan.topics) is more than there are subscribers", hint: "every topic needs one: --subs \(plan.topics) or more"
      )
    }
    return plan
  }

  private static func measure(_ plan: BenchPlan, _ arguments: Arguments) throws -> Int32 {
    let wantsJSON = arguments.has("json")
    let progress: (String) -> Void = { if isatty(2) == 1 { Console.remark($0) } }
    let report: BenchReport
    if let url = arguments.text("url") {
      for name in ["durability", "reactors", "pin"] where arguments.text(name) != nil {
        throw UsageError("--\(name) is for a node that is started here", hint: "leave out --url, or --\(name)")
      }
      let address: ServerAddress
      do { address = try ServerAddress(url: url) } catch { throw UsageError("--url: \(error)") }
      let kind = kind(plan)
      guard address.kind == kind else {
        throw UsageError("--url \(url) is not for --transport \(arguments.text("transport") ?? "sse")", hint: "write \(kind.rawValue)://\(address.text)")
      }
      guard address.isLoopback || arguments.has("yes") else {
        throw UsageError(
          "\(url) is not on this machine, and a measurement is a flood", hint: "add --yes if that node is yours and you mean it")
      }
      let process = try arguments.number("server-pid", in: 1...Int(Int32.max)).map { Int32($0) }
      report = try BenchRun.run(plan, at: address, serverProcess: process, progress: progress)
    } else {
      if arguments.text("server-pid") != nil {
        throw UsageError("--server-pid goes with --url", hint: "a node that is started here is watched anyway")
      }
      var options = ["--durability", try arguments.choice("durability", of: ["fsync", "memory"]) ?? "fsync"]
      if let reactors = try arguments.number("reactors", in: 1...256) { options += ["--reactors", "\(reactors)"] }
      progress("starting a node")
      let child = try ServerChild.start(kind(plan), options: options, isPinned: arguments.has("pin"))
      defer { child.stop() }
      report = try BenchRun.run(plan, at: child.address, serverProcess: child.process, progress: progress)
    }
    Console.print(wantsJSON ? report.json + "\n" : table(report))
    for complaint in report.complaints { Console.remark("  \(complaint)") }
    return report.isFaultless ? Command.ExitCode.ok : Command.ExitCode.failed
  }

  private static func kind(_ plan: BenchPlan) -> ServerAddress.Kind { plan.transport == .mqtt ? .mqtt : .http }

  private static func table(_ report: BenchReport) -> String {
    let width = report.table.map(\.name.count).max() ?? 0
    return report.table.map { row in
      Console.styled(row.name, .dim) + String(repeating: " ", count: width - row.name.count) + "  \(row.value)\n"
    }.joined()
  }
}
