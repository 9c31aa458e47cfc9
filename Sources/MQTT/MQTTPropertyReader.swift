import Core

/// One property where it lies: a number, or the places of its bytes.
public struct MQTTPropertyPart: Equatable, Sendable {
  public var identifier: MQTTPropertyIdentifier
  /// What a property that is a number says.
  public var number: UInt32 = 0
  /// The name of a user property.
  public var name = 0..<0
  /// The bytes of a text, of binary data, or of a user property's value.
  public var value = 0..<0

  init(_ identifier: MQTTPropertyIdentifier) { self.identifier = identifier }
}

/// Walks over the properties of one packet without copying them, and refuses what must not stand there.
///
/// Also for walking once more over properties that a decoder has let pass, `MQTTPublish.properties` above all.
public struct MQTTPropertyReader: ~Escapable {
  private var fields: MQTTFieldReader
  private let place: MQTTPropertyPlaces
  private let userPropertyLimit: Int
  private var seen: UInt64 = 0
  private var userProperties = 0

  /// `properties` are those of `input` behind their length; `place` is the one packet they stand in.
  @_lifetime(copy input)
  public init(_ input: RawSpan, _ properties: Range<Int>, of place: MQTTPropertyPlaces, limits: MQTTLimits = .standard) {
    fields = MQTTFieldReader(input, properties)
    self.place = place
    userPropertyLimit = limits.userProperties
  }

  /// The next property; nil when there is none.
  @_lifetime(self: copy self)
  public mutating func next() throws(MQTTDecodeFailure) -> MQTTPropertyPart? {
    guard !fields.isAtEnd else { return nil }
    // An identifier is a variable integer, and all there are take one byte.
    guard let identifier = MQTTPropertyIdentifier(rawValue: try fields.byte()) else { throw .unknownProperty }
    guard identifier.places.contains(place) else { throw .propertyNotAllowed }
    try count(identifier)
    var part = MQTTPropertyPart(identifier)
    switch identifier.form {
    case .bit:
      part.number = UInt32(try fields.byte())
      guard part.number <= 1 else { throw .propertyOutOfRange }
    case .two: part.number = UInt32(try fields.two())
    case .four: part.number = try fields.four()
    case .variable: part.number = UInt32(try fields.variable())
    case .text: part.value = try fields.text()
    case .binary: part.value = try fields.binary()
    case .pair:
      part.name = try fields.text()
      part.value = try fields.text()
    }
    try judge(part)
    return part
  }

  /// Each at most once, but for user properties, and the identifiers of all subscriptions that a message matched.
  @_lifetime(self: copy self)
  private mutating func count(_ identifier: MQTTPropertyIdentifier) throws(MQTTDecodeFailure) {
    if identifier == .userProperty {
      userProperties += 1
      guard userProperties <= userPropertyLimit else { throw .tooManyUserProperties }
      return
    }
    let bit: UInt64 = 1 << UInt64(identifier.rawValue)
    guard seen & bit == 0 || (identifier == .subscriptionIdentifier && place == .publish) else { throw .repeatedProperty }
    seen |= bit
  }

  private func judge(_ part: MQTTPropertyPart) throws(MQTTDecodeFailure) {
    switch part.identifier {
    case .receiveMaximum, .maximumPacketSize, .subscriptionIdentifier:
      guard part.number != 0 else { throw .propertyOutOfRange }
    case .topicAlias:
      guard part.number != 0 else { throw .topicAliasZero }
    case .responseTopic:
      let isName = fields.bytes.extracting(part.value).withUnsafeBytes { name in
        !name.isEmpty && !name.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
      }
      guard isName else { throw .responseTopicInvalid }
    default: break
    }
  }
}
