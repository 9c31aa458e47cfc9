public import Core

/// What is measured.
public enum BenchScenario: String, Sendable, CaseIterable {
  /// Publishers to subscribers, as fast as deliveries allow or at a rate.
  case fanout
  /// Publishers alone.
  case publish
  /// Subscribers that wait: what one costs in memory.
  case idle
  /// All subscribers drop at once and come back with their cursors while messages keep coming.
  case storm
}

/// How subscribers follow. Publishers publish by HTTP, and by MQTT where subscribers follow by it.
public enum BenchTransport: String, Sendable, CaseIterable {
  case sse
  case websocket = "ws"
  case longPoll = "longpoll"
  case mqtt
}

/// What MQTT subscribers ask for. Publishers always publish with QoS 1: what is not acknowledged cannot be counted.
public enum BenchQoS: UInt8, Sendable, CaseIterable {
  case atMostOnce = 0
  case atLeastOnce = 1
}

/// One measurement, with everything that bounds it.
public struct BenchPlan: Sendable {
  public var scenario: BenchScenario
  public var transport = BenchTransport.sse
  public var qos = BenchQoS.atMostOnce
  public var subscribers = 1000
  public var topics = 1
  public var publishers = 4
  /// Messages not yet delivered to everybody, over all publishers, where deliveries bound the flow; else requests in
  /// flight per publisher.
  public var window = 4
  /// Requests in flight per publisher while subscribers bound the flow.
  public var pipeline = 1
  /// Messages a second over all publishers; nil is as fast as the window allows.
  public var rate: Double?
  public var messageBytes = 100
  public var warmup = TimeSpan.seconds(1)
  public var duration = TimeSpan.seconds(5)
  /// How long after the last arrival the missing ones are waited for.
  public var patience = TimeSpan.seconds(3)
  /// When, after publishing began, a storm breaks loose.
  public var stormAfter = TimeSpan.seconds(2)
  /// Connections being opened at once.
  public var burst = 256
  /// Tells the runs on one server apart.
  public var seed: UInt64

  public init(_ scenario: BenchScenario, seed: UInt64) {
    self.scenario = scenario
    self.seed = seed
    switch scenario {
    case .fanout: break
    case .publish:
      subscribers = 0
      publishers = 16
      window = 1
    case .idle:
      publishers = 0
      duration = .seconds(3)
    case .storm:
      publishers = 1
      window = 64
      rate = 5
      duration = .seconds(20)
    }
  }

  /// Whether publishers wait for subscribers. At a rate they do not: what is late is to be seen, not waited for.
  public var isBoundByDeliveries: Bool { subscribers > 0 && rate == nil }

  /// What the generator can be asked for. A publisher's number is four digits of a marker, hexadecimal.
  public enum Bounds {
    public static let subscribers = 1...1_000_000
    public static let topics = 1...1_000_000
    public static let publishers = 1...1024
    public static let window = 1...16_384
    public static let messageBytes = Marker.length...900_000
    public static let rate = 0.01...10_000_000
    public static let duration = TimeSpan.milliseconds(100)...TimeSpan.seconds(3600)
    public static let warmup = TimeSpan.zero...TimeSpan.seconds(600)
    public static let burst = 1...4096
    /// How long connections may take to open before the measurement is given up.
    static let opening = TimeSpan.seconds(120)
  }
}

/// Why there is no result.
public struct BenchFailure: Error, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
