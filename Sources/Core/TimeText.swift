/// Why a text that a person typed could not be read, as a sentence for that person.
public struct UnreadableText: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

extension TimeSpan {
  private static let units: [(name: String, nanoseconds: Int64)] = [
    ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000),
  ]

  /// Reads a duration as people type them: `30s`, `5m`, `24h`, `250ms`, `7d`, `1h30m`.
  public init(reading text: String) throws(UnreadableText) {
    let hint = "write a number and a unit, such as 250ms, 30s, 5m, 24h or 7d"
    guard !text.isEmpty else { throw UnreadableText("an empty text is not a duration; \(hint)") }
    var rest = text[...]
    var total: Int64 = 0
    var smallest = Int64.max
    while !rest.isEmpty {
      let (digits, unit) = NumberWithUnit.next(in: &rest)
      guard !digits.isEmpty else { throw UnreadableText("“\(text)” is not a duration; \(hint)") }
      guard !unit.isEmpty else {
        throw UnreadableText("“\(text)” has no unit; write \(text)s for seconds or \(text)ms for milliseconds")
      }
      guard let known = TimeSpan.units.first(where: { $0.name == unit }) else {
        throw UnreadableText("“\(unit)” in “\(text)” is not a unit of time; the units are ms, s, m, h and d")
      }
      guard known.nanoseconds < smallest else {
        throw UnreadableText("“\(text)” is not a duration; larger units come first, as in 1h30m")
      }
      smallest = known.nanoseconds
      guard let count = Int64(digits) else { throw UnreadableText("“\(text)” is too long a time") }
      let (part, tooBig) = count.multipliedReportingOverflow(by: known.nanoseconds)
      let (sum, tooMuch) = total.addingReportingOverflow(part)
      guard !tooBig, !tooMuch else { throw UnreadableText("“\(text)” is too long a time; the longest is 106751d") }
      total = sum
    }
    self.init(nanoseconds: total)
  }

  /// This duration in the largest unit that says it exactly, as `init(reading:)` reads it; what is finer than
  /// a millisecond is dropped.
  public var text: String {
    let exact = nanoseconds - nanoseconds % 1_000_000
    guard exact != 0 else { return "0s" }
    let unit = TimeSpan.units.first { exact % $0.nanoseconds == 0 } ?? ("ms", 1_000_000)
    return "\(exact / unit.nanoseconds)\(unit.name)"
  }
}

/// Sizes in bytes as people type them.
public enum ByteSize {
  private static let units: [(name: String, bytes: Int)] = [
    ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000), ("B", 1),
  ]

  /// Reads `1GiB`, `256KiB`, `10MB`, `512B` or a plain number of bytes. The case of letters does not matter.
  public static func read(_ text: String) throws(UnreadableText) -> Int {
    var rest = text[...]
    let (digits, unit) = NumberWithUnit.next(in: &rest)
    guard !digits.isEmpty, rest.isEmpty else {
      throw UnreadableText("“\(text)” is not a size; write a number of bytes or a unit, such as 256KiB, 10MB or 1GiB")
    }
    let known = unit.isEmpty ? 1 : units.first { $0.name.lowercased() == unit.lowercased() }?.bytes
    guard let known else {
      throw UnreadableText("“\(unit)” in “\(text)” is not a unit of size; write B, KiB, MiB, GiB, TiB, kB, MB, GB or TB")
    }
    let (bytes, tooBig) = (Int(digits) ?? Int.max).multipliedReportingOverflow(by: known)
    guard !tooBig, Int(digits) != nil else { throw UnreadableText("“\(text)” is too large a size") }
    return bytes
  }

  /// `bytes` in the largest unit that says it exactly, powers of two before powers of ten.
  public static func text(_ bytes: Int) -> String {
    guard bytes != 0, let unit = units.first(where: { bytes % $0.bytes == 0 }) else { return "0B" }
    return "\(bytes / unit.bytes)\(unit.name)"
  }

  /// `bytes` for a column or a log line, rounded to three digits: `1.46 MiB`.
  public static func rounded(_ bytes: Int) -> String {
    let binary = units.prefix(4)
    guard let unit = binary.first(where: { bytes.magnitude >= UInt($0.bytes) }) else { return "\(bytes) B" }
    let hundredths = Int(Double(bytes) / Double(unit.bytes) * 100 + (bytes < 0 ? -0.5 : 0.5))
    let whole = hundredths / 100
    let fraction = abs(hundredths % 100)
    if whole.magnitude >= 100 { return "\((hundredths + (bytes < 0 ? -50 : 50)) / 100) \(unit.name)" }
    if whole.magnitude >= 10 { return "\(whole).\(fraction / 10) \(unit.name)" }
    return "\(whole).\(fraction < 10 ? "0" : "")\(fraction) \(unit.name)"
  }
}

private enum NumberWithUnit {
  /// Takes a run of digits and the run of letters after it off the front of `text`.
  static func next(in text: inout Substring) -> (digits: Substring, unit: Substring) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    text = text.dropFirst(digits.count)
    let unit = text.prefix { $0.isASCII && $0.isLetter }
    text = text.dropFirst(unit.count)
    return (digits, unit)
  }
}
