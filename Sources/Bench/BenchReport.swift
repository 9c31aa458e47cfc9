import Core

/// What a measurement found.
public struct BenchReport: Sendable {
  /// Times in microseconds, from a histogram.
  public struct Spread: Sendable {
    public let count: UInt64
    public let mean: Double
    public let p50: Double
    public let p90: Double
    public let p99: Double
    public let p999: Double
    public let maximum: Double

    init(_ histogram: Histogram) {
      count = histogram.count
      mean = histogram.mean / 1e3
      p50 = histogram.percentile(0.5) / 1e3
      p90 = histogram.percentile(0.9) / 1e3
      p99 = histogram.percentile(0.99) / 1e3
      p999 = histogram.percentile(0.999) / 1e3
      maximum = Double(histogram.maximum) / 1e3
    }
  }

  /// How a storm went; nil where it did not end in time.
  public struct Storm: Sendable {
    public var closeSeconds = 0.0
    public var allOpenSeconds: Double?
    public var allCaughtUpSeconds: Double?
    public var catchUp: Spread
  }

  public let plan: BenchPlan
  public var server = ""
  public var connected = 0
  public var connectSeconds = 0.0
  public var opening = Spread(Histogram())

  public var published = 0
  public var acknowledged = 0
  public var refusedPublishes = 0
  public var expected = 0
  public var delivered = 0
  public var lost = 0
  public var duplicated = 0
  public var outOfOrder = 0
  public var foreign = 0
  public var disconnects = 0
  public var connectFailures = 0
  public var badAnswers = 0
  public var delivery = Spread(Histogram())
  public var acknowledgement = Spread(Histogram())
  /// From the first publish to the last delivery or acknowledgement.
  public var seconds = 0.0

  /// Whether the server's process was watched; without it there are no figures of its processor and memory.
  public var knowsServer = false
  public var serverUserSeconds = 0.0
  public var serverSystemSeconds = 0.0
  public var generatorSeconds = 0.0
  /// What neither the server nor the generator used.
  public var foreignSeconds = 0.0
  public var wallSeconds = 0.0
  public var processors = 1
  public var residentBytesBefore = 0
  public var residentBytesOpen = 0
  public var residentBytesEnd = 0
  public var storm: Storm?
  public var complaints: [String] = []

  init(_ plan: BenchPlan) { self.plan = plan }

  public var deliveriesPerSecond: Double { seconds > 0 ? Double(delivered) / seconds : 0 }
  public var publishesPerSecond: Double { seconds > 0 ? Double(acknowledged) / seconds : 0 }
  public var serverSeconds: Double { serverUserSeconds + serverSystemSeconds }
  public var serverMicrosecondsPerDelivery: Double? { per(delivered, serverSeconds, known: knowsServer) }
  public var serverMicrosecondsPerPublish: Double? { per(published, serverSeconds, known: knowsServer) }
  public var generatorMicrosecondsPerDelivery: Double? { per(delivered, generatorSeconds, known: true) }
  public var bytesPerConnection: Double? {
    knowsServer && connected > 0 ? Double(residentBytesOpen - residentBytesBefore) / Double(connected) : nil
  }

  /// A share of the machine that others used and from which on figures are not to be trusted.
  public static let noisyShare = 0.03
  /// nil where the server is not watched: its own work would count as that of others.
  public var foreignShare: Double? {
    knowsServer && wallSeconds > 0 ? max(0, foreignSeconds) / wallSeconds / Double(processors) : nil
  }
  public var isNoisy: Bool { (foreignShare ?? 0) > BenchReport.noisyShare }

  /// Whether everything arrived once, in order, and nothing was refused.
  public var isFaultless: Bool {
    lost == 0 && duplicated == 0 && outOfOrder == 0 && refusedPublishes == 0 && badAnswers == 0
      && (connected == plan.subscribers) && (storm.map { $0.allCaughtUpSeconds != nil } ?? true)
  }

  private func per(_ count: Int, _ seconds: Double, known: Bool) -> Double? {
    known && count > 0 ? seconds * 1e6 / Double(count) : nil
  }
}
