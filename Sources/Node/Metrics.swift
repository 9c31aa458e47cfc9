public import Core

/// What a metric is, for whoever reads `/metrics`.
public struct Metric: Sendable, Hashable {
  public enum Kind: String, Sendable {
    case counter
    case gauge
    case histogram
  }

  public let name: String
  public let kind: Kind
  public let help: String

  private init(_ name: String, _ kind: Kind, _ help: String) {
    precondition(Metric.isName(name), "'\(name)' is not the name of a metric")
    self.name = name
    self.kind = kind
    self.help = help
  }

  /// Only grows; its name ends with `_total`, in base units before it (`_bytes_total`).
  public static func counter(_ name: String, _ help: String) -> Metric {
    precondition(name.hasSuffix("_total"), "a counter's name ends with _total")
    return Metric(name, .counter, help)
  }

  public static func gauge(_ name: String, _ help: String) -> Metric {
    precondition(!name.hasSuffix("_total"), "only a counter's name ends with _total")
    return Metric(name, .gauge, help)
  }

  /// Its name ends with the base unit: `_seconds`, `_bytes`.
  public static func histogram(_ name: String, _ help: String) -> Metric { Metric(name, .histogram, help) }

  static func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first, !first.isDigit else { return false }
    return text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "_"):
        true
      default: false
      }
    }
  }
}

/// How a histogram's numbers become base units, and which of its powers of two become bounds.
public struct HistogramScale: Sendable {
  let unit: Double
  let exponents: ClosedRange<Int>

  public init(unit: Double, exponents: ClosedRange<Int>) {
    self.unit = unit
    self.exponents = exponents
  }

  /// Nanoseconds become seconds: bounds from 33 µs to 69 s.
  public static let nanoseconds = HistogramScale(unit: 1e-9, exponents: 15...36)
  /// Bytes stay: bounds from 64 B to 64 MiB.
  public static let bytes = HistogramScale(unit: 1, exponents: 6...26)
}

/// Writes metrics as Prometheus' text format, version 0.0.4.
///
/// All samples of one metric are written after one another, as the format wants it; what was recorded in parts,
/// one per reactor, is merged or summed before.
public struct MetricsWriter: ~Copyable {
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  public typealias Labels = KeyValuePairs<String, String>

  private var buffer: ByteBuffer
  private var current: Metric?
  private var written: Set<String> = []

  public init(capacity: Int = 16 << 10) { buffer = ByteBuffer(capacity: capacity) }

  public mutating func write(_ metric: Metric, _ value: Int, _ labels: Labels = [:]) {
    precondition(metric.kind != .histogram, "a histogram is written from a histogram")
    begin(metric)
    sample(metric.name, "", labels, bound: nil)
    buffer.append(decimal: value)
    buffer.append(UInt8(ascii: "\n"))
  }

  public mutating func write(_ metric: Metric, _ value: Double, _ labels: Labels = [:]) {
    precondition(metric.kind != .histogram, "a histogram is written from a histogram")
    begin(metric)
    sample(metric.name, "", labels, bound: nil)
    append(value)
    buffer.append(UInt8(ascii: "\n"))
  }

  public mutating func write(_ metric: Metric, _ histogram: Histogram, _ scale: HistogramScale, _ labels: Labels = [:]) {
    precondition(metric.kind == .histogram, "'\(metric.name)' is not a histogram")
    begin(metric)
    for exponent in scale.exponents {
      sample(metric.name, "_bucket", labels, bound: Double(UInt64(1) << UInt64(exponent)) * scale.unit)
      buffer.append(decimal: histogram.count(atMostTwoToThe: exponent))
      buffer.append(UInt8(ascii: "\n"))
    }
    sample(metric.name, "_bucket", labels, bound: .infinity)
    buffer.append(decimal: histogram.count)
    buffer.append(UInt8(ascii: "\n"))
    sample(metric.name, "_sum", labels, bound: nil)
    append(Double(histogram.sum) * scale.unit)
    buffer.append(UInt8(ascii: "\n"))
    sample(metric.name, "_count", labels, bound: nil)
    buffer.append(decimal: histogram.count)
    buffer.append(UInt8(ascii: "\n"))
  }

  /// A histogram counted by fixed bounds in milliseconds, written in seconds.
  mutating func write(_ metric: Metric, millisecondBounds: [Int64], counts: [UInt64], sum: Double, _ labels: Labels = [:]) {
    precondition(metric.kind == .histogram, "'\(metric.name)' is not a histogram")
    begin(metric)
    var total: UInt64 = 0
    for (index, count) in counts.enumerated() {
      total += count
      sample(metric.name, "_bucket", labels, bound: index < millisecondBounds.count ? Double(millisecondBounds[index]) / 1000 : .infinity)
      buffer.append(decimal: total)
      buffer.append(UInt8(ascii: "\n"))
    }
    sample(metric.name, "_sum", labels, bound: nil)
    append(sum)
    buffer.append(UInt8(ascii: "\n"))
    sample(metric.name, "_count", labels, bound: nil)
    buffer.append(decimal: total)
    buffer.append(UInt8(ascii: "\n"))
  }

  /// The whole text.
  public consuming func finish() -> Bytes { buffer.freeze() }

  private mutating func begin(_ metric: Metric) {
    guard current != metric else { return }
    precondition(written.insert(metric.name).inserted, "the samples of '\(metric.name)' are not written in one go")
    current = metric
    buffer.append("# HELP ")
    buffer.append(text: metric.name)
    buffer.append(UInt8(ascii: " "))
    append(escaping: metric.help, quotes: false)
    buffer.append("\n# TYPE ")
    buffer.append(text: metric.name)
    buffer.append(UInt8(ascii: " "))
    buffer.append(text: metric.kind.rawValue)
    buffer.append(UInt8(ascii: "\n"))
  }

  private mutating func sample(_ name: String, _ suffix: StaticString, _ labels: Labels, bound: Double?) {
    buffer.append(text: name)
    buffer.append(suffix)
    if !labels.isEmpty || bound != nil {
      var separator = UInt8(ascii: "{")
      for (name, value) in labels {
        precondition(Metric.isName(name) && name != "le", "'\(name)' is not the name of a label")
        buffer.append(separator)
        buffer.append(text: name)
        buffer.append("=\"")
        append(escaping: value, quotes: true)
        buffer.append(UInt8(ascii: "\""))
        separator = UInt8(ascii: ",")
      }
      if let bound {
        buffer.append(separator)
        buffer.append("le=\"")
        append(bound)
        buffer.append(UInt8(ascii: "\""))
      }
      buffer.append(UInt8(ascii: "}"))
    }
    buffer.append(UInt8(ascii: " "))
  }

  private mutating func append(_ value: Double) {
    if value == .infinity {
      buffer.append("+Inf")
    } else if value == -.infinity {
      buffer.append("-Inf")
    } else if value.isNaN {
      buffer.append("NaN")
    } else if let whole = Int(exactly: value), whole.magnitude < 1 << 53 {
      buffer.append(decimal: whole)
    } else {
      buffer.append(text: "\(value)")
    }
  }

  private mutating func append(escaping text: String, quotes: Bool) {
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): buffer.append("\\\\")
      case UInt8(ascii: "\n"): buffer.append("\\n")
      case UInt8(ascii: "\"") where quotes: buffer.append("\\\"")
      default: buffer.append(byte)
      }
    }
  }
}
