public import Core

/// One message rendered once for every receiver that speaks one version. The rendering is a whole PUBLISH of QoS 0, sent as
/// it is to whoever needs nothing of their own; to all others go a head of their own and `rest`, a part of the same bytes.
///
/// A rendering is good for as long as its properties are: the message expiry in it was right when it was made.
public struct MQTTPublishRendering: Equatable, Sendable {
  public let version: MQTTVersion
  /// Where the topic lies, counted from the rendering's first byte as all places here.
  public let topic: Range<Int>
  /// What every receiver is sent: the shared properties of 5.0 and the payload.
  public let rest: Range<Int>
  /// Bytes of shared properties at the beginning of `rest`; 0 before 5.0.
  public let sharedPropertySize: Int

  /// Bytes of the rendering.
  public var size: Int { rest.upperBound }

  private var payloadSize: Int { rest.count - sharedPropertySize }

  /// Appends a whole PUBLISH of QoS 0 and says where its parts are. `properties` are those all receivers share, encoded
  /// without their length; before 5.0 they are left out.
  public static func append(
    _ version: MQTTVersion, topic: RawSpan, properties: RawSpan, payload: RawSpan, into buffer: inout ByteBuffer
  ) -> MQTTPublishRendering {
    let start = buffer.count
    MQTTPublishHead().append(version, topic: topic, properties: properties, payload: payload, into: &buffer)
    let size = buffer.count - start
    let shared = version == .v5 ? properties.byteCount : 0
    let restStart = size - payload.byteCount - shared
    let topicEnd = restStart - (version == .v5 ? MQTTVariableInteger.size(of: shared) : 0)
    return MQTTPublishRendering(
      version: version, topic: topicEnd - topic.byteCount..<topicEnd, rest: restStart..<size, sharedPropertySize: shared)
  }

  /// Bytes of the packet that `head` and the rest make.
  public func encodedSize(_ head: MQTTPublishHead) -> Int {
    head.encodedSize(version, topicSize: topic.count, sharedPropertySize: sharedPropertySize, payloadSize: payloadSize)
  }

  /// Appends `head`; `rest` must be sent behind it. `rendering` is what `append` wrote.
  public func append(_ head: MQTTPublishHead, of rendering: RawSpan, into buffer: inout ByteBuffer) {
    head.append(
      version, topic: rendering.extracting(topic), sharedPropertySize: sharedPropertySize, payloadSize: payloadSize, into: &buffer)
  }
}
