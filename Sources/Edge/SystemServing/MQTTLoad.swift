internal import Core
internal import Glibc

/// How much went on in a minute, averaged over one, five and fifteen, as Mosquitto averages it: what came in the last
/// interval counts more than what was before, and what was before fades with the time's exponential.
public struct MQTTLoad: Sendable {
  public enum Meter: Int, CaseIterable, Sendable {
    case packetsReceived, packetsSent, publishesDropped, publishesReceived, publishesSent, bytesReceived, bytesSent, sockets, connects

    var name: String {
      switch self {
      case .packetsReceived: "messages/received"
      case .packetsSent: "messages/sent"
      case .publishesDropped: "publish/dropped"
      case .publishesReceived: "publish/received"
      case .publishesSent: "publish/sent"
      case .bytesReceived: "bytes/received"
      case .bytesSent: "bytes/sent"
      case .sockets: "sockets"
      case .connects: "connections"
      }
    }

    func count(_ traffic: MQTTTraffic) -> Int {
      switch self {
      case .packetsReceived: traffic.packetsReceived
      case .packetsSent: traffic.packetsSent
      case .publishesDropped: traffic.publishesDropped
      case .publishesReceived: traffic.publishesReceived
      case .publishesSent: traffic.publishesSent
      case .bytesReceived: traffic.bytesReceived
      case .bytesSent: traffic.bytesSent
      case .sockets: traffic.sockets
      case .connects: traffic.connects
      }
    }
  }

  public enum Span: Int, CaseIterable, Sendable {
    case one = 1
    case five = 5
    case fifteen = 15

    var name: String { "\(rawValue)min" }
    var seconds: Double { Double(rawValue) * 60 }
  }

  private var averages = [Double](repeating: 0, count: Meter.allCases.count * Span.allCases.count)

  public init() {}

  public subscript(meter: Meter, span: Span) -> Double { averages[MQTTLoad.index(meter, span)] }

  /// What was counted between two looks.
  mutating func sample(_ before: MQTTTraffic, _ after: MQTTTraffic, over elapsed: TimeSpan) {
    let seconds = Double(elapsed.nanoseconds) / 1e9
    guard seconds > 0 else { return }
    for span in Span.allCases {
      let kept = exp(-seconds / span.seconds)
      for meter in Meter.allCases {
        let perMinute = Double(meter.count(after) - meter.count(before)) * 60 / seconds
        averages[MQTTLoad.index(meter, span)] = perMinute + kept * (averages[MQTTLoad.index(meter, span)] - perMinute)
      }
    }
  }

  public static func += (sum: inout MQTTLoad, more: MQTTLoad) {
    for index in sum.averages.indices { sum.averages[index] += more.averages[index] }
  }

  private static func index(_ meter: Meter, _ span: Span) -> Int {
    let place =
      switch span {
      case .one: 0
      case .five: 1
      case .fifteen: 2
      }
    return meter.rawValue * Span.allCases.count + place
  }
}
