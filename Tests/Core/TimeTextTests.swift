import Core
import Testing

@Suite("Durations and sizes as people type them")
struct TimeTextTests {
  @Test("durations are read, and written in the largest exact unit")
  func durations() throws {
    let known: [(String, Int, String)] = [
      ("30s", 30_000, "30s"), ("5m", 300_000, "5m"), ("24h", 86_400_000, "1d"), ("250ms", 250, "250ms"),
      ("7d", 604_800_000, "7d"), ("1h30m", 5_400_000, "90m"), ("0s", 0, "0s"), ("1s500ms", 1500, "1500ms"),
    ]
    for (text, milliseconds, canonical) in known {
      let span = try TimeSpan(reading: text)
      #expect(span.milliseconds == milliseconds)
      #expect(span.text == canonical)
      #expect(try TimeSpan(reading: span.text) == span)
    }
  }

  @Test("a number without a unit is refused and told what to write")
  func plainNumber() {
    #expect(throws: UnreadableText("“30” has no unit; write 30s for seconds or 30ms for milliseconds")) {
      try TimeSpan(reading: "30")
    }
  }

  @Test(
    "what is not a duration is refused",
    arguments: ["", "s", "-5s", "1.5h", "5 m", "5y", "5M", "30m1h", "1h1h", "5m3", "٣s", "106752d", "99999999999999999999s"])
  func refusedDurations(text: String) {
    #expect(throws: UnreadableText.self) { try TimeSpan(reading: text) }
  }

  @Test("sizes are read, and written in the largest exact unit")
  func sizes() throws {
    let known: [(String, Int, String)] = [
      ("1GiB", 1 << 30, "1GiB"), ("256KiB", 256 << 10, "256KiB"), ("10MB", 10_000_000, "10MB"), ("1024", 1024, "1KiB"),
      ("0", 0, "0B"), ("1500", 1500, "1500B"), ("2gib", 2 << 30, "2GiB"), ("12B", 12, "12B"), ("3kb", 3000, "3kB"),
    ]
    for (text, bytes, canonical) in known {
      #expect(try ByteSize.read(text) == bytes)
      #expect(ByteSize.text(bytes) == canonical)
      #expect(try ByteSize.read(ByteSize.text(bytes)) == bytes)
    }
  }

  @Test("what is not a size is refused", arguments: ["", "GiB", "-1", "1.5GiB", "1G", "1GiBs", "1GiB2", "9999999TiB", "99999999999999999999"])
  func refusedSizes(text: String) {
    #expect(throws: UnreadableText.self) { try ByteSize.read(text) }
  }

  @Test("sizes for people have three digits")
  func rounded() {
    #expect(ByteSize.rounded(0) == "0 B")
    #expect(ByteSize.rounded(1023) == "1023 B")
    #expect(ByteSize.rounded(1024) == "1.00 KiB")
    #expect(ByteSize.rounded(1_530_000) == "1.46 MiB")
    #expect(ByteSize.rounded(123 << 30) == "123 GiB")
    #expect(ByteSize.rounded(123_456) == "121 KiB")
    #expect(ByteSize.rounded(12_345_678) == "11.7 MiB")
  }
}
