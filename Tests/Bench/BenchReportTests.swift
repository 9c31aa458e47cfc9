import Core
import JSON
import Testing

@testable import Bench

@Suite("What a measurement says")
struct BenchReportTests {
  func report() -> BenchReport {
    var report = BenchReport(BenchPlan(.fanout, seed: 1))
    report.connected = 1000
    report.published = 100
    report.acknowledged = 100
    report.expected = 100_000
    report.delivered = 100_000
    report.seconds = 2
    report.wallSeconds = 2
    report.processors = 2
    report.knowsServer = true
    report.serverUserSeconds = 0.05
    report.serverSystemSeconds = 0.15
    report.foreignSeconds = 0.04
    return report
  }

  @Test("rates and costs follow from what was counted")
  func figures() throws {
    let report = report()
    #expect(report.deliveriesPerSecond == 50_000)
    #expect(abs(try #require(report.serverMicrosecondsPerDelivery) - 2) < 1e-9)
    #expect(abs(try #require(report.foreignShare) - 0.01) < 1e-9)
    #expect(!report.isNoisy && report.isFaultless)
  }

  @Test("JSON says what is known, and null where nothing is")
  func json() throws {
    var report = report()
    let known = try JSONValue(parsing: report.json)
    #expect(known["delivered"]?.integer == 100_000)
    #expect(known["serverMicrosecondsPerDelivery"]?.double == 2)
    #expect(known["rate"]?.isNull == true)
    report.knowsServer = false
    let unknown = try JSONValue(parsing: report.json)
    #expect(unknown["serverMicrosecondsPerDelivery"]?.isNull == true)
    #expect(unknown["foreignShare"]?.isNull == true)
  }

  @Test("any fault makes it one")
  func faults() {
    for fault in [\BenchReport.lost, \.duplicated, \.outOfOrder, \.refusedPublishes, \.badAnswers]
      as [WritableKeyPath<BenchReport, Int>]
    {
      var faulty = report()
      faulty[keyPath: fault] = 1
      #expect(!faulty.isFaultless)
    }
    var short = report()
    short.connected = 999
    #expect(!short.isFaultless)
  }

  @Test(
    "numbers are rounded, not cut",
    arguments: [
      (0.0, 2, "0.00"), (1.005, 1, "1.0"), (1.96, 1, "2.0"), (-0.001, 2, "0.00"), (-1.5, 1, "-1.5"), (12.5, 0, "13"),
      (0.07, 2, "0.07"),
    ])
  func decimals(value: Double, places: Int, text: String) {
    #expect(BenchReport.decimal(value, places) == text)
  }

  @Test(
    "only loopback counts as this machine",
    arguments: [
      ("http://127.0.0.1:8080", true), ("http://127.5.0.1/", true), ("http://[::1]:80", true), ("http://192.0.2.1:80", false),
      ("http://[2001:db8::1]:80", false),
    ])
  func loopback(url: String, isLoopback: Bool) throws {
    #expect(try ServerAddress(url: url).isLoopback == isLoopback)
  }

  @Test("a server of MQTT alone can be measured, at its usual port unless another is named")
  func mqttURL() throws {
    let named = try ServerAddress(url: "mqtt://127.0.0.1:1884")
    let usual = try ServerAddress(url: "MQTT://127.0.0.1")
    #expect(named.kind == .mqtt && named.text == "127.0.0.1:1884")
    #expect(usual.kind == .mqtt && usual.port == 1883)
    #expect(try ServerAddress(url: "http://127.0.0.1").port == 80)
  }

  @Test(
    "URLs that cannot be measured are refused",
    arguments: ["", "127.0.0.1:80", "https://127.0.0.1", "http://", "http://127.0.0.1:x", "http://127.0.0.1/v1", "mqtts://127.0.0.1", "mqtt:127.0.0.1"])
  func badURL(url: String) {
    #expect(throws: BenchFailure.self) { try ServerAddress(url: url) }
  }
}
