/// What MQTT clients sent and were sent since the start. Plain numbers, added up over reactors.
public struct MQTTTraffic: Sendable, Equatable {
  /// Connections that were opened, and CONNECTs that were accepted.
  public var sockets = 0
  public var connects = 0
  /// Packets of every kind.
  public var packetsReceived = 0
  public var packetsSent = 0
  public var publishesReceived = 0
  public var publishesSent = 0
  /// Not sent because they were larger than the client takes.
  public var publishesDropped = 0
  /// Of payloads alone.
  public var payloadBytesReceived = 0
  public var payloadBytesSent = 0
  public var bytesReceived = 0
  public var bytesSent = 0

  public init() {}

  public static func += (sum: inout MQTTTraffic, more: MQTTTraffic) {
    sum.sockets += more.sockets
    sum.connects += more.connects
    sum.packetsReceived += more.packetsReceived
    sum.packetsSent += more.packetsSent
    sum.publishesReceived += more.publishesReceived
    sum.publishesSent += more.publishesSent
    sum.publishesDropped += more.publishesDropped
    sum.payloadBytesReceived += more.payloadBytesReceived
    sum.payloadBytesSent += more.payloadBytesSent
    sum.bytesReceived += more.bytesReceived
    sum.bytesSent += more.bytesSent
  }
}
