import Core

extension BenchReport {
  /// Rows for people: what, and how much.
  public var table: [(name: String, value: String)] {
    var rows: [(name: String, value: String)] = []
    func row(_ name: String, _ value: String) { rows.append((name: name, value: value)) }
    row("scenario", scenarioText)
    row("server", server)
    if plan.subscribers > 0 {
      row(
        "connections",
        "\(connected) of \(plan.subscribers) in \(BenchReport.decimal(connectSeconds, 2)) s, one in \(BenchReport.time(opening.p50))"
      )
    }
    if published > 0 {
      row(
        "published",
        "\(published), \(acknowledged) acknowledged, \(refusedPublishes) refused: \(BenchReport.count(publishesPerSecond))/s")
      row("acknowledgement", BenchReport.spread(acknowledgement))
    }
    if expected > 0 {
      row("delivered", "\(delivered): \(BenchReport.count(deliveriesPerSecond))/s")
      row("publish to delivery", BenchReport.spread(delivery))
      row("lost / doubled / out of order", "\(lost) / \(duplicated) / \(outOfOrder)")
    }
    if let storm {
      row("all back", storm.allOpenSeconds.map { "\(BenchReport.decimal($0, 2)) s" } ?? "not in time")
      row("all caught up", storm.allCaughtUpSeconds.map { "\(BenchReport.decimal($0, 2)) s" } ?? "not in time")
      row("one caught up", BenchReport.spread(storm.catchUp))
    }
    processorRows(row)
    if disconnects > 0 || connectFailures > 0 || badAnswers > 0 {
      row("trouble", "\(disconnects) connections lost, \(connectFailures) did not open, \(badAnswers) answers were wrong")
    }
    return rows
  }

  private func processorRows(_ row: (String, String) -> Void) {
    if knowsServer {
      if let cost = serverMicrosecondsPerDelivery {
        row("server per delivery", "\(BenchReport.decimal(cost, 2)) µs of processor")
      }
      if let cost = serverMicrosecondsPerPublish { row("server per publish", "\(BenchReport.decimal(cost, 2)) µs of processor") }
      row(
        "server's processor",
        BenchReport.share(serverSeconds, of: wallSeconds)
          + " of one, \(BenchReport.share(serverUserSeconds, of: serverSeconds)) of it user")
      if plan.scenario == .idle, let bytes = bytesPerConnection {
        row("memory per connection", "\(BenchReport.decimal(bytes, 0)) B")
      }
      row(
        "server's memory",
        "\(ByteSize.rounded(residentBytesBefore)) before, \(ByteSize.rounded(residentBytesOpen)) connected, \(ByteSize.rounded(residentBytesEnd)) at the end"
      )
    }
    var generator = BenchReport.share(generatorSeconds, of: wallSeconds) + " of one"
    if let cost = generatorMicrosecondsPerDelivery { generator += ", \(BenchReport.decimal(cost, 2)) µs per delivery" }
    row("generator's processor", generator)
    if let foreignShare {
      row(
        "others' processor",
        BenchReport.decimal(foreignShare * 100, 1) + " % of the machine" + (isNoisy ? ": too noisy to trust" : ""))
    }
  }

  private var scenarioText: String {
    var text = plan.scenario.rawValue
    if plan.subscribers > 0 { text += ", \(plan.subscribers) subscribers over \(transportText)" }
    if plan.topics > 1 { text += ", \(plan.topics) topics" }
    if plan.publishers > 0 {
      text += ", \(plan.publishers) publishers, window \(plan.window), \(max(plan.messageBytes, Marker.length)) B"
      if plan.subscribers == 0, plan.transport == .mqtt { text += ", over MQTT with QoS 1" }
    }
    if let rate = plan.rate, plan.publishers > 0 { text += ", \(BenchReport.decimal(rate, rate < 10 ? 1 : 0))/s" }
    return text
  }

  private var transportText: String {
    plan.transport == .mqtt ? "mqtt with QoS \(plan.qos.rawValue)" : plan.transport.rawValue
  }

  private static func spread(_ spread: Spread) -> String {
    "p50 \(time(spread.p50)), p99 \(time(spread.p99)), max \(time(spread.maximum))"
  }

  private static func time(_ microseconds: Double) -> String {
    if microseconds >= 999_500 { return "\(decimal(microseconds / 1e6, 2)) s" }
    return microseconds >= 999.5 ? "\(decimal(microseconds / 1e3, 2)) ms" : "\(decimal(microseconds, 0)) µs"
  }

  private static func count(_ value: Double) -> String {
    if value >= 999_500 { return "\(decimal(value / 1e6, 2)) M" }
    return value >= 9_999.5 ? "\(decimal(value / 1e3, 1)) k" : decimal(value, value < 100 ? 1 : 0)
  }

  private static func share(_ part: Double, of whole: Double) -> String {
    whole > 0 ? "\(decimal(part / whole * 100, 0)) %" : "0 %"
  }

  static func decimal(_ value: Double, _ places: Int) -> String {
    guard value.isFinite else { return "–" }
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = Int((value.magnitude * scale).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard places > 0 else { return "\(sign)\(scaled)" }
    let fraction = String(scaled % Int(scale))
    return "\(sign)\(scaled / Int(scale)).\(String(repeating: "0", count: places - fraction.count))\(fraction)"
  }
}
