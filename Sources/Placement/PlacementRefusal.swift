public import Core

/// Why bytes are not what they should be.
public enum PlacementRefusal: FieldRefusal, Hashable, Sendable {
  case tooLong
  case truncated
  case trailingBytes
  case unknownVersion(UInt8)
  case unknownKind(UInt8)
  /// A number or a text outside its bounds.
  case malformed
}
