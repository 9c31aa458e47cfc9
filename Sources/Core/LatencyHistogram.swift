/// Counts of durations by bucket, cheap to record into, mergeable, good for percentiles within a bucket's width.
public struct LatencyHistogram: Sendable {
  /// Upper bounds in milliseconds; the last bucket has none.
  public static let bounds: [Int64] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000]

  public private(set) var counts = [UInt64](repeating: 0, count: LatencyHistogram.bounds.count + 1)
  public private(set) var sumMilliseconds: Int64 = 0
  public private(set) var total: UInt64 = 0

  public init() {}

  /// Of counts by bucket that somebody else took; what came to none of the known buckets is left out.
  public init(counts: [UInt32]) {
    for (bucket, count) in counts.prefix(self.counts.count).enumerated() {
      self.counts[bucket] = UInt64(count)
      total += UInt64(count)
    }
  }

  /// What was recorded after `earlier`, an older state of the same histogram.
  public func since(_ earlier: LatencyHistogram) -> LatencyHistogram {
    var difference = LatencyHistogram()
    for index in counts.indices { difference.counts[index] = counts[index] - min(earlier.counts[index], counts[index]) }
    difference.total = difference.counts.reduce(0, +)
    difference.sumMilliseconds = sumMilliseconds - min(earlier.sumMilliseconds, sumMilliseconds)
    return difference
  }

  public mutating func record(milliseconds: Int64, times: Int = 1) {
    let value = max(0, milliseconds)
    var bucket = 0
    while bucket < Self.bounds.count, value >= Self.bounds[bucket] { bucket += 1 }
    counts[bucket] += UInt64(times)
    total += UInt64(times)
    sumMilliseconds += value * Int64(times)
  }

  public mutating func merge(_ other: LatencyHistogram) {
    for index in counts.indices { counts[index] += other.counts[index] }
    total += other.total
    sumMilliseconds += other.sumMilliseconds
  }

  /// The upper bound of the bucket in which `share` of all values are reached; nil while nothing was recorded.
  public func percentile(_ share: Double) -> Int64? {
    guard total > 0 else { return nil }
    let wanted = UInt64((Double(total) * share).rounded(.up))
    var seen: UInt64 = 0
    for index in counts.indices {
      seen += counts[index]
      if seen >= wanted { return index < Self.bounds.count ? Self.bounds[index] : Self.bounds[Self.bounds.count - 1] }
    }
    return nil
  }
}
