public import Core
import JSON

/// How important a line is; the most important first.
public enum LogLevel: String, Sendable, CaseIterable, Comparable {
  case error
  case warning
  case info
  case debug

  private var rank: Int {
    switch self {
    case .error: 0
    case .warning: 1
    case .info: 2
    case .debug: 3
    }
  }

  public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rank < b.rank }
}

public enum LogFormat: String, Sendable {
  /// For people: `time LEVEL event: sentence name=value …`.
  case text
  /// For programs: one JSON object a line.
  case json
}

/// A field's value, with its type kept.
public enum LogValue: Sendable, Hashable {
  case text(String)
  case number(Int)
  case decimal(Double)
  case flag(Bool)
  /// Written in seconds.
  case span(TimeSpan)
}

extension LogValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral
{
  public init(stringLiteral value: String) { self = .text(value) }
  public init(integerLiteral value: Int) { self = .number(value) }
  public init(floatLiteral value: Double) { self = .decimal(value) }
  public init(booleanLiteral value: Bool) { self = .flag(value) }
  public init(_ value: some CustomStringConvertible) { self = .text(value.description) }
}

/// One line, before it has a format.
struct LogLine {
  let time: WallTime
  let level: LogLevel
  let event: String
  let sentence: String?
  let fields: [(name: String, value: LogValue)]

  /// A line is cut here, so that one write puts the whole of it into a pipe or none.
  static let longest = 4096
  /// A field's text is cut here, so that one long value does not push out the others.
  static let longestText = 1024

  func write(as format: LogFormat, into buffer: inout ByteBuffer) {
    switch format {
    case .text: writeText(into: &buffer)
    case .json: writeJSON(into: &buffer)
    }
  }

  private func writeText(into buffer: inout ByteBuffer) {
    buffer.append(timestamp: time)
    switch level {
    case .error: buffer.append(" ERROR ")
    case .warning: buffer.append(" WARN  ")
    case .info: buffer.append(" INFO  ")
    case .debug: buffer.append(" DEBUG ")
    }
    buffer.append(text: LogText.escaped(event))
    if let sentence { buffer.append(text: ": " + LogText.escaped(LogText.cut(sentence))) }
    for (name, value) in fields {
      buffer.append(UInt8(ascii: " "))
      buffer.append(text: LogText.escaped(name))
      buffer.append(UInt8(ascii: "="))
      switch value {
      case .text(let text): buffer.append(text: LogText.quotedIfNeeded(LogText.cut(text)))
      case .number(let number): buffer.append(decimal: number)
      case .decimal(let number): buffer.append(text: "\(number)")
      case .flag(let truth): buffer.append(truth ? "true" : "false")
      case .span(let span): buffer.append(text: "\(Double(span.nanoseconds) / 1e9)s")
      }
    }
    if buffer.count > LogLine.longest - 1 {
      // Not inside a character: what continues one begins with the bits 10.
      var end = LogLine.longest - 1 - LogText.ellipsis.utf8.count
      while end > 0, buffer.bytes.byte(at: end) & 0xc0 == 0x80 { end -= 1 }
      buffer.truncate(to: end)
      buffer.append(text: LogText.ellipsis)
    }
    buffer.append(UInt8(ascii: "\n"))
  }

  private func writeJSON(into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    writer.name("time", into: &buffer)
    writer.timestamp(time, into: &buffer)
    writer.member("level", level.rawValue, into: &buffer)
    writer.member("event", LogText.cut(event), into: &buffer)
    if let sentence { writer.member("message", LogText.cut(sentence), into: &buffer) }
    for (name, value) in fields {
      // A field too many is left out whole: a JSON object cannot be cut.
      guard buffer.count + LogLine.room(for: name, value) < LogLine.longest else { continue }
      writer.name(text: LogLine.ownNames.contains(name) ? name + "_" : name, into: &buffer)
      switch value {
      case .text(let text): writer.string(LogText.cut(text), into: &buffer)
      case .number(let number): writer.integer(number, into: &buffer)
      case .decimal(let number) where number.isFinite: writer.double(number, into: &buffer)
      case .decimal(let number): writer.string("\(number)", into: &buffer)
      case .flag(let truth): writer.boolean(truth, into: &buffer)
      case .span(let span): writer.double(Double(span.nanoseconds) / 1e9, into: &buffer)
      }
    }
    writer.endObject(into: &buffer)
    buffer.append(UInt8(ascii: "\n"))
  }

  /// Names that every line has; a field of that name gets a tail, as an object has each name once.
  private static let ownNames: Set<String> = ["time", "level", "event", "message"]

  /// The most bytes a field takes: an escaped byte is six.
  private static func room(for name: String, _ value: LogValue) -> Int {
    let text = if case .text(let text) = value { min(text.utf8.count, longestText) } else { 32 }
    return (name.utf8.count + text) * 6 + 8
  }
}

/// Texts of other people's making, made safe to show: no control character reaches a terminal.
enum LogText {
  static let ellipsis = "…"

  /// Control characters as escapes; quotes and backslashes too where `quotes` are around it.
  static func escaped(_ text: String, quotes: Bool = false) -> String {
    guard text.unicodeScalars.contains(where: { isUnsafe($0) || quotes && isQuote($0) }) else { return text }
    var safe = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": safe += "\\n"
      case "\r": safe += "\\r"
      case "\t": safe += "\\t"
      case _ where isUnsafe(scalar): safe += "\\u{\(String(scalar.value, radix: 16))}"
      default:
        if quotes, isQuote(scalar) { safe += "\\" }
        safe.unicodeScalars.append(scalar)
      }
    }
    return safe
  }

  static func quotedIfNeeded(_ text: String) -> String {
    let isWord = !text.isEmpty && !text.unicodeScalars.contains { isUnsafe($0) || isQuote($0) || $0 == " " || $0 == "=" }
    return isWord ? text : "\"\(escaped(text, quotes: true))\""
  }

  static func cut(_ text: String) -> String {
    guard text.utf8.count > LogLine.longestText else { return text }
    var end = text.utf8.index(text.startIndex, offsetBy: LogLine.longestText)
    while end > text.startIndex, end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
    return text[..<end] + ellipsis
  }

  private static func isQuote(_ scalar: Unicode.Scalar) -> Bool { scalar == "\"" || scalar == "\\" }

  /// Control characters, and the marks that turn the direction of writing around.
  private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0, 0x2028, 0x2029, 0x202a...0x202e, 0x2066...0x2069, 0x200e, 0x200f: true
    default: false
    }
  }
}
