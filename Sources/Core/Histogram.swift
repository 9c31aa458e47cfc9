/// How often which sizes occurred: buckets of exponential width, so that a microsecond and a minute fit side by side.
///
/// A power of two is cut into `2^precision` buckets of equal width: an estimate read from it is off by at most
/// one part in `2^precision`. Recording is a shift, a count of leading zeros and an increment. Whoever records owns
/// the value; owners merge when someone asks.
public struct Histogram: Sendable {
  /// Bits of a value below its highest one that choose the bucket.
  public let precision: Int
  public private(set) var count: UInt64 = 0
  public private(set) var sum: UInt64 = 0
  public private(set) var maximum: UInt64 = 0
  @usableFromInline var buckets: [UInt64]

  /// The coarsest and the finest cut there is; at 6 a histogram takes 30 KiB.
  public static let precisions = 0...6

  public init(precision: Int = 2) {
    precondition(Histogram.precisions.contains(precision), "a histogram's precision is 0 to 6")
    self.precision = precision
    buckets = [UInt64](repeating: 0, count: (65 - precision) << precision)
  }

  public var isEmpty: Bool { count == 0 }

  /// The mean; zero when nothing was recorded.
  public var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

  public mutating func record(_ value: UInt64) {
    buckets[bucket(of: value)] &+= 1
    count &+= 1
    sum &+= value
    if value > maximum { maximum = value }
  }

  /// Records a length of time in nanoseconds; a negative one, which only a moved clock makes, counts as none.
  @inlinable public mutating func record(_ span: TimeSpan) {
    record(UInt64(max(0, span.nanoseconds)))
  }

  public mutating func merge(_ other: Histogram) {
    precondition(other.precision == precision, "only histograms of one precision merge")
    for index in buckets.indices { buckets[index] &+= other.buckets[index] }
    count &+= other.count
    sum &+= other.sum
    maximum = max(maximum, other.maximum)
  }

  public mutating func removeAll() {
    for index in buckets.indices { buckets[index] = 0 }
    count = 0
    sum = 0
    maximum = 0
  }

  /// The value below or at which `fraction` of what was recorded lies, as the middle of its bucket; zero when nothing
  /// was recorded.
  public func percentile(_ fraction: Double) -> Double {
    guard count > 0 else { return 0 }
    let wanted = max(1, UInt64((fraction * Double(count)).rounded(.up)))
    guard wanted < count else { return Double(maximum) }
    var seen: UInt64 = 0
    for index in buckets.indices where buckets[index] > 0 {
      seen += buckets[index]
      guard seen >= wanted else { continue }
      let range = values(of: index)
      let middle = (Double(range.lowerBound) + Double(range.upperBound)) / 2
      return min(middle, Double(maximum))
    }
    return Double(maximum)
  }

  /// How many recorded values are at most `2^exponent`; exact, because no bucket lies across a power of two.
  public func count(atMostTwoToThe exponent: Int) -> UInt64 {
    let last = bucket(of: 1 << UInt64(exponent))
    var total: UInt64 = 0
    for index in 0...last { total &+= buckets[index] }
    return total
  }

  /// Buckets include their upper bound, as Prometheus counts: hence the step down by one.
  @inline(__always) private func bucket(of value: UInt64) -> Int {
    let below = value == 0 ? 0 : value - 1
    let width = UInt64.bitWidth - below.leadingZeroBitCount
    guard width > precision else { return Int(below) }
    let shift = width - precision - 1
    return (shift + 1) << precision + Int(truncatingIfNeeded: below >> UInt64(shift)) - 1 << precision
  }

  /// The smallest and the largest value that a bucket counts.
  private func values(of index: Int) -> ClosedRange<UInt64> {
    let step = UInt64(index & (1 << precision - 1))
    let octave = index >> precision
    if octave == 0 { return step == 0 ? 0...1 : (step + 1)...(step + 1) }
    let shift = UInt64(octave - 1)
    let start = (1 << UInt64(precision) + step) << shift
    let width: UInt64 = 1 << shift
    let end = start.addingReportingOverflow(width)
    return (start + 1)...(end.overflow ? UInt64.max : end.partialValue)
  }
}
