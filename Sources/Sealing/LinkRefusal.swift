public import Gossip

/// Why two nodes do not make a link. The same on both sides, whichever of them found it.
public enum LinkRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  /// The other end speaks something else.
  case notOurs
  case unsupportedVersion(ours: ClosedRange<UInt8>, theirs: ClosedRange<UInt8>)
  /// The key that the dialling node sends with; the node that was dialled does not hold it.
  case unknownKey(SealKeyID)
  /// The key's name is known, and the proof of holding it is wrong; or the other end repeats what was said before.
  case badMAC
  /// Of our protocol, and not as an honest node says it.
  case malformed

  /// What is wrong and what to do about it.
  public var description: String {
    switch self {
    case .notOurs:
      "what is at the other end is no Tidings node: look at the address and the port; links use the port of --cluster"
    case .unsupportedVersion(let ours, let theirs):
      "no version of the link protocol in common: this node speaks \(LinkRefusal.text(ours)), the other \(LinkRefusal.text(theirs)); upgrade the older of the two by way of a release that speaks both"
    case .unknownKey(let key):
      "the node that dialled sends with key \(key.hexadecimal), which the node it dialled does not hold: add that secret to its --cluster-secret-file as a further line, or look whether both belong to one cluster"
    case .badMAC:
      "the other end could not prove that it holds the cluster's secret, or bytes were changed on the way: look whether both nodes have the same --cluster-secret-file and what stands between them"
    case .malformed:
      "the other end speaks the link protocol with mistakes: bytes were changed on the way, or it is no node of a release known here"
    }
  }

  private static func text(_ versions: ClosedRange<UInt8>) -> String {
    versions.count == 1 ? "\(versions.lowerBound)" : "\(versions.lowerBound) to \(versions.upperBound)"
  }
}
