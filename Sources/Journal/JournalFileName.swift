public import Core

/// The files of one shard's directory. Each name carries its first offset, so that nothing needs a catalogue.
public enum JournalFileName: Hashable, Sendable {
  /// Entries from this offset on: `00000000000000000001.log`.
  case segment(Offset)
  /// What is known of that segment, so that it need not be read to be opened.
  case index(Offset)
  /// The shard's state after this offset was applied.
  case snapshot(Offset)
  /// "Durable up to here", written lazily.
  case mark
  /// Term and vote.
  case hardState

  static let digits = 20
  /// No log ever reaches it.
  static let largestOffset: UInt64 = 1 << 62

  public var text: String {
    switch self {
    case .segment(let offset): Self.padded(offset) + ".log"
    case .index(let offset): Self.padded(offset) + ".index"
    case .snapshot(let offset): Self.padded(offset) + ".snapshot"
    case .mark: "durable.mark"
    case .hardState: "hard.state"
    }
  }

  /// Nil for every name that is not a journal's.
  public init?(_ text: String) {
    switch text {
    case "durable.mark": self = .mark
    case "hard.state": self = .hardState
    default:
      guard text.utf8.count > Self.digits + 1 else { return nil }
      let number = text.utf8.prefix(Self.digits)
      guard number.allSatisfy(\.isDigit), let value = UInt64(text.prefix(Self.digits)) else { return nil }
      // A name may be anything; one offset more, and one less, must always exist.
      guard value <= Self.largestOffset else { return nil }
      switch text.dropFirst(Self.digits) {
      case ".log" where value > 0: self = .segment(Offset(value))
      case ".index" where value > 0: self = .index(Offset(value))
      case ".snapshot": self = .snapshot(Offset(value))
      default: return nil
      }
    }
  }

  private static func padded(_ offset: Offset) -> String {
    let number = String(offset.value)
    return String(repeating: "0", count: digits - number.utf8.count) + number
  }
}

extension JournalFileName: CustomStringConvertible {
  public var description: String { text }
}
