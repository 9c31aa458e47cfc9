public import Core

/// A PUBLISH where it lies: the places of its parts in the bytes it was decoded from, nothing of them copied.
///
/// For writing, `MQTTPublishHead` takes the parts from wherever they are.
public struct MQTTPublish: Equatable, Sendable {
  public var qos = MQTTQoS.atMostOnce
  public var isDuplicate = false
  public var isRetained = false
  /// Whether the payload says of itself that it is UTF-8; nobody has checked.
  public var isPayloadText = false
  /// 0 with QoS 0, which has none.
  public var packetIdentifier: UInt16 = 0
  /// 0 when there is none.
  public var topicAlias: UInt16 = 0
  /// Seconds.
  public var messageExpiry: UInt32?

  // Narrow, because every packet is as large as this one, and is moved about as such.
  private var users: UInt16 = 0
  private var identifiers: UInt16 = 0
  private var topicPlace = Place(0..<0)
  private var propertyPlace = Place(0..<0)
  private var payloadPlace = Place(0..<0)
  private var contentTypePlace = Place(nil)
  private var responseTopicPlace = Place(nil)
  private var correlationDataPlace = Place(nil)

  /// Empty when the alias stands for it; otherwise UTF-8, and whether it is a topic is for `Topic` to say.
  public var topic: Range<Int> {
    get { topicPlace.range }
    set { topicPlace = Place(newValue) }
  }
  /// All properties, as they were sent, without their length; read them with `MQTTPropertyReader`. Empty before 5.0.
  public var properties: Range<Int> {
    get { propertyPlace.range }
    set { propertyPlace = Place(newValue) }
  }
  public var payload: Range<Int> {
    get { payloadPlace.range }
    set { payloadPlace = Place(newValue) }
  }

  // What the properties say, so that they need be walked over a second time only for the user properties.
  public var contentType: Range<Int>? { contentTypePlace.optional }
  public var responseTopic: Range<Int>? { responseTopicPlace.optional }
  public var correlationData: Range<Int>? { correlationDataPlace.optional }
  public var userPropertyCount: Int { Int(users) }
  /// How many subscription identifiers a server put in.
  public var subscriptionIdentifierCount: Int { Int(identifiers) }

  /// A place, or none, in half the bytes of a range.
  private struct Place: Equatable, Sendable {
    private static let none = UInt32.max
    var start: UInt32
    var count: UInt32

    @inline(__always) init(_ range: Range<Int>?) {
      start = range.map { UInt32($0.lowerBound) } ?? Place.none
      count = range.map { UInt32($0.count) } ?? 0
    }

    /// Nothing is nothing wherever it lies.
    @inline(__always) func moved(by distance: Int) -> Place {
      if count == 0 { return start == Place.none ? self : Place(0..<0) }
      return Place(range.lowerBound + distance..<range.upperBound + distance)
    }

    @inline(__always) var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
    @inline(__always) var optional: Range<Int>? { start == Place.none ? nil : range }
  }

  public init() {}

  /// The same, in bytes that begin elsewhere.
  func moved(by distance: Int) -> MQTTPublish {
    var moved = self
    moved.topicPlace = topicPlace.moved(by: distance)
    moved.propertyPlace = propertyPlace.moved(by: distance)
    moved.payloadPlace = payloadPlace.moved(by: distance)
    moved.contentTypePlace = contentTypePlace.moved(by: distance)
    moved.responseTopicPlace = responseTopicPlace.moved(by: distance)
    moved.correlationDataPlace = correlationDataPlace.moved(by: distance)
    return moved
  }

  static func decode(
    _ reader: inout MQTTFieldReader, flags: UInt8, _ rules: MQTTDecodeRules
  ) throws(MQTTDecodeFailure) -> MQTTPublish {
    var publish = MQTTPublish()
    guard let qos = MQTTQoS(rawValue: (flags & MQTTFixedHeader.qosFlags) >> 1) else { throw .publishQoSThree }
    publish.qos = qos
    publish.isDuplicate = flags & MQTTFixedHeader.duplicateFlag != 0
    publish.isRetained = flags & MQTTFixedHeader.retainFlag != 0
    publish.topic = try reader.text()
    if qos != .atMostOnce { publish.packetIdentifier = try reader.packetIdentifier() }
    if rules.version == .v5 {
      try publish.readProperties(&reader, rules)
      guard !publish.topic.isEmpty || publish.topicAlias != 0 else { throw .topicMissing }
    }
    publish.payload = try reader.skip(reader.remaining)
    return publish
  }

  private mutating func readProperties(_ reader: inout MQTTFieldReader, _ rules: MQTTDecodeRules) throws(MQTTDecodeFailure) {
    let length = try reader.variable()
    properties = try reader.skip(length)
    guard length > 0 else { return }
    var parts = MQTTPropertyReader(reader.bytes, properties, of: .publish, limits: rules.limits)
    while let part = try parts.next() {
      switch part.identifier {
      case .payloadFormat: isPayloadText = part.number == 1
      case .messageExpiry: messageExpiry = part.number
      case .contentType: contentTypePlace = Place(part.value)
      case .responseTopic: responseTopicPlace = Place(part.value)
      case .correlationData: correlationDataPlace = Place(part.value)
      case .topicAlias: topicAlias = UInt16(part.number)
      case .userProperty: users += 1
      case .subscriptionIdentifier:
        guard rules.role == .client else { throw .subscriptionIdentifierFromClient }
        // One for each filter that matched.
        guard identifiers < rules.limits.filters else { throw .tooManyFilters }
        identifiers += 1
      default: preconditionFailure("\(part.identifier) does not belong in a PUBLISH")
      }
    }
  }

  /// Appends the packet as it was, from `source`, which its places are in. Before 5.0 its properties are left out.
  public func append(_ version: MQTTVersion, from source: RawSpan, into buffer: inout ByteBuffer) {
    // The properties are taken over whole, alias and identifiers with them.
    let head = MQTTPublishHead(qos: qos, isDuplicate: isDuplicate, isRetained: isRetained, packetIdentifier: packetIdentifier)
    head.append(
      version, topic: source.extracting(topic), properties: source.extracting(properties), payload: source.extracting(payload), into: &buffer)
  }
}
