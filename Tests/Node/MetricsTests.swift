import Core
import Testing

@testable import Node

@Suite("Metrics as Prometheus reads them")
struct MetricsTests {
  @Test("each metric has its help and type once, before its samples")
  func families() {
    let published = Metric.counter("tidings_published_total", "Messages acknowledged.")
    let connections = Metric.gauge("tidings_connections", "Open connections\nby transport.")
    var writer = MetricsWriter()
    writer.write(published, 7)
    writer.write(connections, 3, ["transport": "sse"])
    writer.write(connections, 4, ["transport": "web\"so\\ck\net"])
    #expect(
      writer.finish().text == #"""
        # HELP tidings_published_total Messages acknowledged.
        # TYPE tidings_published_total counter
        tidings_published_total 7
        # HELP tidings_connections Open connections\nby transport.
        # TYPE tidings_connections gauge
        tidings_connections{transport="sse"} 3
        tidings_connections{transport="web\"so\\ck\net"} 4

        """#)
  }

  @Test("a histogram has cumulative buckets, a sum and a count, in base units")
  func histogram() {
    let metric = Metric.histogram("tidings_delivery_seconds", "Publish to delivery.")
    var histogram = Histogram()
    for nanoseconds: UInt64 in [1_048_576, 1_048_577, 2_097_152, 1_099_511_627_776] { histogram.record(nanoseconds) }
    var writer = MetricsWriter()
    writer.write(metric, histogram, HistogramScale(unit: 1e-9, exponents: 19...21), ["transport": "sse"])
    let sum = Double(histogram.sum) * 1e-9
    #expect(
      writer.finish().text == """
        # HELP tidings_delivery_seconds Publish to delivery.
        # TYPE tidings_delivery_seconds histogram
        tidings_delivery_seconds_bucket{transport="sse",le="\(524288.0 * 1e-9)"} 0
        tidings_delivery_seconds_bucket{transport="sse",le="\(1048576.0 * 1e-9)"} 1
        tidings_delivery_seconds_bucket{transport="sse",le="\(2097152.0 * 1e-9)"} 3
        tidings_delivery_seconds_bucket{transport="sse",le="+Inf"} 4
        tidings_delivery_seconds_sum{transport="sse"} \(sum)
        tidings_delivery_seconds_count{transport="sse"} 4

        """)
  }

  @Test(
    "numbers are written so that they are read back the same",
    arguments: [
      (0.0, "0"), (1.5, "1.5"), (-2.0, "-2"), (1e-9, "1e-09"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
      (1e300, "1e+300"),
    ])
  func numbers(value: Double, text: String) {
    var writer = MetricsWriter()
    writer.write(.gauge("g", "h"), value)
    #expect(writer.finish().text.hasSuffix("g \(text)\n"))
  }
}
