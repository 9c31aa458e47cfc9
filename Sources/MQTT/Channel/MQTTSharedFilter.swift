public import Core

/// What a shared subscription's filter says: `$share/group/filter` ([MQTT-4.8.2-1], [MQTT-4.8.2-2]).
public struct MQTTSharedFilter: Hashable, Sendable {
  private static let prefix: StaticString = "$share/"

  public let group: Bytes
  public let filter: Bytes

  /// Whether `filter` is one of a shared subscription, well written or not.
  public static func isShared(_ filter: Bytes) -> Bool {
    filter.withUnsafeBytes { bytes in
      bytes.starts(with: UnsafeRawBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount))
    }
  }

  /// Nil if `bytes` is no shared subscription's filter, or the group in it has no name or one with a wildcard, or the filter
  /// in it is none.
  public init?(_ bytes: Bytes) {
    guard MQTTSharedFilter.isShared(bytes) else { return nil }
    let start = MQTTSharedFilter.prefix.utf8CodeUnitCount
    let slash = bytes.withUnsafeBytes { bytes in bytes[start...].firstIndex(of: UInt8(ascii: "/")) }
    guard let slash, slash > start else { return nil }
    group = bytes.slice(start..<slash)
    filter = bytes.slice(slash + 1..<bytes.count)
    let hasWildcard = group.withUnsafeBytes { $0.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") } }
    if hasWildcard || filter.withUnsafeBytes(Filter.problem) != nil { return nil }
  }
}
