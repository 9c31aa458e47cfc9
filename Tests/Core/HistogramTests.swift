import Core
import Testing

@Suite("Histogram")
struct HistogramTests {
  @Test("percentiles are within one bucket's width of the exact ones", arguments: Histogram.precisions)
  func percentiles(precision: Int) {
    var histogram = Histogram(precision: precision)
    for value in 1...10_000 { histogram.record(UInt64(value)) }
    let tolerance = 1 / Double(1 << precision)
    for fraction in [0.01, 0.25, 0.5, 0.9, 0.99] {
      let exact = fraction * 10_000
      #expect(abs(histogram.percentile(fraction) - exact) <= exact * tolerance + 1)
    }
    #expect(histogram.percentile(1) == 10_000)
    #expect(histogram.mean == 5000.5)
    #expect(histogram.maximum == 10_000)
  }

  @Test("counts up to a power of two are exact and include it")
  func powersOfTwo() {
    var histogram = Histogram()
    for value in 0...5000 { histogram.record(UInt64(value)) }
    for exponent in 0...12 {
      let counted = histogram.count(atMostTwoToThe: exponent)
      #expect(counted == UInt64(1 << exponent) + 1)
    }
    #expect(histogram.count(atMostTwoToThe: 13) == 5001)
  }

  @Test("the smallest and the largest value have a bucket", arguments: Histogram.precisions)
  func extremes(precision: Int) {
    var histogram = Histogram(precision: precision)
    histogram.record(0)
    histogram.record(UInt64.max)
    #expect(histogram.count == 2)
    #expect(histogram.count(atMostTwoToThe: 0) == 1)
    #expect(histogram.percentile(0.5) <= 1)
    #expect(histogram.percentile(1) == Double(UInt64.max))
  }

  @Test("merging is the same as recording everything in one")
  func merging() {
    var odd = Histogram()
    var even = Histogram()
    var all = Histogram()
    var generator = SeededGenerator(seed: 7)
    for index in 0..<2000 {
      let value = generator.next() % 1_000_000
      all.record(value)
      if index % 2 == 0 { even.record(value) } else { odd.record(value) }
    }
    odd.merge(even)
    #expect(odd.count == all.count)
    #expect(odd.sum == all.sum)
    #expect(odd.maximum == all.maximum)
    #expect(odd.percentile(0.99) == all.percentile(0.99))
  }

  @Test("an empty histogram answers zero")
  func empty() {
    let histogram = Histogram()
    #expect(histogram.percentile(0.99) == 0)
    #expect(histogram.mean == 0)
    #expect(histogram.isEmpty)
  }
}

@Suite("Latency histogram")
struct LatencyHistogramTests {
  @Test("what came after an older state is what was recorded since")
  func since() {
    var generator = SeededGenerator(seed: 3)
    var all = LatencyHistogram()
    var later = LatencyHistogram()
    for _ in 0..<500 { all.record(milliseconds: Int64(generator.next() % 40_000)) }
    let earlier = all
    for _ in 0..<200 {
      let value = Int64(generator.next() % 40_000)
      all.record(milliseconds: value)
      later.record(milliseconds: value)
    }
    let since = all.since(earlier)
    #expect(since.counts == later.counts && since.total == 200 && since.sumMilliseconds == later.sumMilliseconds)
    #expect(all.since(all).percentile(0.5) == nil)
    #expect(earlier.since(all).total == 0, "nothing is less than nothing")
  }

  @Test("counts that were told by others are taken as they are, as far as there are buckets")
  func counts() {
    let told = LatencyHistogram(counts: [1, 0, 5] + [UInt32](repeating: .max, count: 60))
    #expect(told.counts.prefix(3) == [1, 0, 5] && told.counts.count == LatencyHistogram.bounds.count + 1)
    #expect(told.total == told.counts.reduce(0, +))
    #expect(LatencyHistogram(counts: []).percentile(0.99) == nil)
  }
}
