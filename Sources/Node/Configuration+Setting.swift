import Core
import MQTT
import Security

extension NodeConfiguration {
  /// Sets what `option` stands for; `place` is where the text was written.
  mutating func set(_ option: ServeOption, to text: String, at place: String) throws(UsageError) {
    switch option.name {
    case "role": role = try NodeConfiguration.word(text, option, at: place)
    case "node": name = try NodeConfiguration.name(text, at: place)
    case "http": http = try NodeConfiguration.endpoints(text, at: place)
    case "mqtt":
      mqtt = text == "off" ? nil : try OptionValue.endpoint(text, of: place)
      mqttIsChosen = true
    case "mqtt-max-keepalive":
      let span = try OptionValue.duration(text, in: ServeOption.Bounds.keepAlive, of: place)
      mqttLimits.maximumKeepAlive = Int((span.milliseconds + 999) / 1000)
    case "mqtt-max-session-expiry":
      let span = try OptionValue.duration(text, in: ServeOption.Bounds.sessionExpiry, of: place)
      mqttLimits.sessionExpiryMaximum = UInt32(clamping: (span.milliseconds + 999) / 1000)
    case "mqtt-receive-maximum": mqttLimits.receiveMaximum = try OptionValue.number(text, in: ServeOption.Bounds.mqttCount, of: place)
    case "mqtt-max-packet": mqttMaximumPacketBytes = try OptionValue.size(text, in: ServeOption.Bounds.mqttPacket, of: place)
    case "mqtt-max-inflight": mqttLimits.maximumInFlight = try OptionValue.number(text, in: ServeOption.Bounds.mqttCount, of: place)
    case "mqtt-max-qos":
      mqttLimits.maximumQoS = MQTTQoS(rawValue: UInt8(try OptionValue.number(text, in: 0...2, of: place))) ?? .exactlyOnce
    case "mqtt-topic-alias-maximum":
      mqttLimits.topicAliasMaximum = try OptionValue.number(text, in: ServeOption.Bounds.mqttAliases, of: place)
    case "cluster":
      isClusterOff = text == "off"
      cluster = isClusterOff ? nil : try OptionValue.endpoint(text, of: place)
    case "join": join = try NodeConfiguration.endpoints(text, at: place)
    case "bootstrap-expect": bootstrapExpect = try OptionValue.number(text, in: ServeOption.Bounds.brokers, of: place)
    case "replicas": replicas = try OptionValue.number(text, in: ServeOption.Bounds.replicas, of: place)
    case "replace-after": replaceAfter = try OptionValue.duration(text, in: ServeOption.Bounds.replaceAfter, of: place)
    case "rack": rack = try NodeConfiguration.name(text, at: place, longest: ServeOption.Bounds.rack)
    case "cluster-secret-file":
      guard !text.isEmpty else { throw UsageError("\(place) is empty", hint: "name a file") }
      clusterSecretFile = text
    case "advertise": advertise = try OptionValue.endpoint(text, of: place)
    case "data":
      guard !text.isEmpty else { throw UsageError("\(place) is empty", hint: "name a folder") }
      dataFolder = text
    case "shards": shards = try OptionValue.number(text, in: ServeOption.Bounds.shards, of: place)
    case "retention": retention = try NodeConfiguration.retention(text, at: place)
    case "reactors": reactors = try OptionValue.number(text, in: ServeOption.Bounds.reactors, of: place)
    case "durability": durability = try NodeConfiguration.word(text, option, at: place)
    case "auth":
      authentication = try NodeConfiguration.word(text, option, at: place)
      authenticationIsChosen = true
    case "origins": origins = try NodeConfiguration.origins(text, at: place)
    case "reader-buffer": readerBufferBytes = try OptionValue.size(text, in: ServeOption.Bounds.readerBufferBytes, of: place)
    case "heartbeat": heartbeat = try OptionValue.duration(text, in: ServeOption.Bounds.heartbeat, of: place)
    case "drain-window": drainWindow = try OptionValue.duration(text, in: ServeOption.Bounds.drainWindow, of: place)
    case "max-connections": maximumConnections = try OptionValue.number(text, in: ServeOption.Bounds.connections, of: place)
    case "max-message": maximumMessageBytes = try OptionValue.size(text, in: ServeOption.Bounds.messageBytes, of: place)
    case "diagnostics": diagnostics = try OptionValue.flag(text, of: place)
    case "log-format": logFormat = try NodeConfiguration.word(text, option, at: place) as LogFormat
    case "log-level": logLevel = try NodeConfiguration.word(text, option, at: place)
    default: preconditionFailure("the option --\(option.name) is in the table and sets nothing")
    }
  }

  private static func word<T: RawRepresentable>(_ text: String, _ option: ServeOption, at place: String) throws(UsageError) -> T
  where T.RawValue == String {
    guard case .choice(let words) = option.kind else { preconditionFailure("--\(option.name) is not one of several words") }
    let word = try OptionValue.choice(text, of: words, for: place)
    guard let value = T(rawValue: word) else { preconditionFailure("'\(word)' of --\(option.name) has no meaning") }
    return value
  }

  /// The longest name of a node, in bytes.
  static let longestName = 128

  private static func name(_ text: String, at place: String, longest: Int = longestName) throws(UsageError) -> String {
    let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) }
    guard !text.isEmpty, text.utf8.count <= longest, isPlain else {
      throw UsageError(
        "\(place) cannot be '\(LogText.escaped(text))'", hint: "a name has 1 to \(longest) bytes and no control characters")
    }
    return text
  }

  /// The most addresses one node listens on for one protocol.
  static let mostAddresses = 64

  private static func endpoints(_ text: String, at place: String) throws(UsageError) -> [Endpoint] {
    let parts = list(text)
    guard !parts.isEmpty, parts.count <= mostAddresses else {
      throw UsageError("\(place) cannot be '\(text)'", hint: "it is 1 to \(mostAddresses) addresses, separated by commas")
    }
    var endpoints: [Endpoint] = []
    for part in parts {
      let endpoint = try OptionValue.endpoint(part, of: place)
      if endpoint.port != 0, endpoints.contains(endpoint) { throw UsageError("\(place) names \(endpoint) twice") }
      endpoints.append(endpoint)
    }
    return endpoints
  }

  /// What is shorter or smaller would drop messages before a reader had a chance.
  static let shortestRetention = TimeSpan.seconds(1)
  static let smallestRetention = 1 << 20

  private static func retention(_ text: String, at place: String) throws(UsageError) -> Retention {
    let hint = "write an age, a size, or both: 24h,1GiB"
    let parts = list(text)
    var retention = Retention(age: nil, bytes: nil)
    guard !parts.isEmpty, parts.count <= 2 else { throw UsageError("\(place) cannot be '\(text)'", hint: hint) }
    for part in parts {
      // Units of size end with B, those of time do not.
      if part.last == "B" || part.last == "b" {
        guard retention.bytes == nil else { throw UsageError("\(place) has two sizes, '\(text)'", hint: hint) }
        retention.bytes = try OptionValue.size(part, in: smallestRetention...Int.max, of: place)
      } else {
        guard retention.age == nil else { throw UsageError("\(place) has two ages, '\(text)'", hint: hint) }
        retention.age = try OptionValue.duration(part, in: shortestRetention...TimeSpan(nanoseconds: Int64.max), of: place)
      }
    }
    return retention
  }

  private static func origins(_ text: String, at place: String) throws(UsageError) -> Origins {
    do throws(UnreadableText) {
      return try Origins(reading: text)
    } catch {
      throw UsageError("\(place): \(error)")
    }
  }

  private static func list(_ text: String) -> [String] {
    text.split(separator: ",").map { part in
      var word = part[...]
      while word.first == " " { word.removeFirst() }
      while word.last == " " { word.removeLast() }
      return String(word)
    }.filter { !$0.isEmpty }
  }
}
