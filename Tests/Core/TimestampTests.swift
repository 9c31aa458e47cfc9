import Core
import Testing

@Suite("Timestamps")
struct TimestampTests {
  static let known: [(Int64, String)] = [
    (0, "1970-01-01T00:00:00.000Z"),
    (-1, "1969-12-31T23:59:59.999Z"),
    (1_795_229_770_123, "2026-11-21T02:56:10.123Z"),
    (951_782_400_000, "2000-02-29T00:00:00.000Z"),
    (951_868_800_000, "2000-03-01T00:00:00.000Z"),
    (-2_203_977_600_000, "1900-02-28T00:00:00.000Z"),
    (-2_203_891_200_000, "1900-03-01T00:00:00.000Z"),
    (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
    (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
    (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
  ]

  @Test("known times are written and read back", arguments: known)
  func roundTrip(milliseconds: Int64, text: String) {
    #expect(WallTime(milliseconds: milliseconds).timestamp == text)
    #expect(WallTime(timestamp: text)?.milliseconds == milliseconds)
  }

  @Test("every day of nine centuries is written and read back, one after another")
  func everyDay() {
    var previous = ""
    for day in -146_097...182_500 {
      let time = WallTime(milliseconds: Int64(day) * 86_400_000 + 43_200_000)
      let text = time.timestamp
      #expect(text > previous)
      #expect(WallTime(timestamp: text) == time)
      previous = text
    }
  }

  @Test("offsets and fractions of any length are understood")
  func offsets() {
    let base = WallTime(timestamp: "2026-11-21T02:56:10Z")
    #expect(base == WallTime(milliseconds: 1_795_229_770_000))
    #expect(WallTime(timestamp: "2026-11-21T03:56:10+01:00") == base)
    #expect(WallTime(timestamp: "2026-11-20T21:26:10-05:30") == base)
    #expect(WallTime(timestamp: "2026-11-21t02:56:10z") == base)
    #expect(WallTime(timestamp: "2026-11-21T02:56:10-00:00") == base)
    #expect(WallTime(timestamp: "2026-11-21T02:56:10.5Z")?.milliseconds == 1_795_229_770_500)
    #expect(WallTime(timestamp: "2026-11-21T02:56:10.12399999999999999999Z")?.milliseconds == 1_795_229_770_123)
  }

  @Test("a leap second counts as the second after it, and is only read where one can be")
  func leapSeconds() {
    #expect(WallTime(timestamp: "2016-12-31T23:59:60Z") == WallTime(timestamp: "2017-01-01T00:00:00Z"))
    #expect(WallTime(timestamp: "1990-12-31T15:59:60-08:00") == WallTime(timestamp: "1991-01-01T00:00:00Z"))
    #expect(WallTime(timestamp: "2016-12-31T22:59:60Z") == nil)
    #expect(WallTime(timestamp: "2016-12-31T23:59:61Z") == nil)
  }

  @Test(
    "what is not RFC 3339 is refused",
    arguments: [
      "", "2026", "2026-11-21", "2026-11-21T02:56Z", "2026-11-21T02:56:10", "2026-11-21 02:56:10Z",
      "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
      "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T23:60:00Z",
      "2026-11-21T02:56:10.Z", "2026-11-21T02:56:10,5Z", "2026-11-21T02:56:10+0100", "2026-11-21T02:56:10+24:00",
      "2026-11-21T02:56:10+01:60", "2026-11-21T02:56:10Zx", "2026-11-21T02:56:10.5", "+026-11-21T02:56:10Z",
      "2026-11-21T02:56:1٣Z",
    ])
  func refused(text: String) {
    #expect(WallTime(timestamp: text) == nil)
  }

  @Test("times beyond four digits of a year are written as the nearest that fits")
  func clamped() {
    #expect(WallTime(milliseconds: .max).timestamp == "9999-12-31T23:59:59.999Z")
    #expect(WallTime(milliseconds: .min).timestamp == "0000-01-01T00:00:00.000Z")
  }

  @Test("HTTP dates name the weekday and the month")
  func httpDates() {
    let known: [(Int64, String)] = [
      (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
      (-86_400_000, "Wed, 31 Dec 1969 00:00:00 GMT"), (-5 * 86_400_000, "Sat, 27 Dec 1969 00:00:00 GMT"),
      (1_795_229_770_999, "Sat, 21 Nov 2026 02:56:10 GMT"),
    ]
    for (milliseconds, text) in known {
      var buffer = ByteBuffer()
      buffer.append(httpDate: WallTime(milliseconds: milliseconds))
      #expect(buffer.bytes.text(0..<buffer.count) == text)
    }
  }
}
