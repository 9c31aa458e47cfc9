import Core

extension NodeConfiguration {
  /// What holds for an option that nobody said, where the words of help leave that open; nil where they say it.
  ///
  /// A secret has no value here: what is said is the name of its file.
  func value(ofUnsaid option: String) -> String? {
    switch option {
    case "node": name
    case "cluster": isClustered ? nil : "not opened"
    case "bootstrap-expect": isClustered && role != .edge ? "\(expectedBrokers)" : "not used"
    case "cluster-secret-file": "none"
    case "data": role == .edge ? "none" : nil
    case "reactors": "\(reactors)"
    case "auth": authentication.rawValue
    case "mqtt-max-packet": ByteSize.text(maximumMessageBytes + NodeConfiguration.packetBesideMessage)
    default: nil
    }
  }

  /// What a packet may have beside the largest message: topic and properties.
  static let packetBesideMessage = 64 << 10
}
