/// Times as RFC 3339 and HTTP write them, in UTC.
///
/// Days become dates by counting 400-year eras of 146,097 days from 1 March, so that the leap day is the
/// last of its year: a dozen integer operations, no table, no allocation.
struct CivilTime {
  var year: Int
  var month: Int
  var day: Int
  /// 0 is Sunday.
  var weekday: Int
  var millisecondOfDay: Int

  static let millisecondsPerDay = 86_400_000
  /// 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what four digits of a year can say.
  static let earliest = -62_167_219_200_000
  static let latest = 253_402_300_799_999

  /// A time outside the years 0 to 9999 becomes the nearest one inside.
  init(_ time: WallTime) {
    let milliseconds = min(max(Int(time.milliseconds), CivilTime.earliest), CivilTime.latest)
    var days = milliseconds / CivilTime.millisecondsPerDay
    millisecondOfDay = milliseconds - days * CivilTime.millisecondsPerDay
    if millisecondOfDay < 0 {
      days -= 1
      millisecondOfDay += CivilTime.millisecondsPerDay
    }
    let weekdayFromThursday = (days + 4) % 7
    weekday = weekdayFromThursday < 0 ? weekdayFromThursday + 7 : weekdayFromThursday

    // 719,468 days lie between 0000-03-01 and 1970-01-01; the result is never below -60.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Days since 1970-01-01 of a date that exists.
  static func days(year: Int, month: Int, day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  static func daysInMonth(_ month: Int, of year: Int) -> Int {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    default: 31
    }
  }
}

extension ByteBuffer {
  /// Appends `time` as RFC 3339 in UTC with milliseconds, always 24 bytes: `2026-11-21T02:56:10.123Z`.
  public mutating func append(timestamp time: WallTime) {
    let civil = CivilTime(time)
    let start = reserve(24)
    start.write(civil.year, digits: 4, at: 0)
    start.write(UInt8(ascii: "-"), at: 4)
    start.write(civil.month, digits: 2, at: 5)
    start.write(UInt8(ascii: "-"), at: 7)
    start.write(civil.day, digits: 2, at: 8)
    start.write(UInt8(ascii: "T"), at: 10)
    start.writeClock(civil.millisecondOfDay, at: 11)
    start.write(UInt8(ascii: "."), at: 19)
    start.write(civil.millisecondOfDay % 1000, digits: 3, at: 20)
    start.write(UInt8(ascii: "Z"), at: 23)
    advance(24)
  }

  /// Appends `time` as HTTP's fixed-length date, always 29 bytes: `Sun, 06 Nov 1994 08:49:37 GMT`.
  public mutating func append(httpDate time: WallTime) {
    let civil = CivilTime(time)
    let start = reserve(29)
    start.writeName(civil.weekday, of: "SunMonTueWedThuFriSat", at: 0)
    start.write(UInt8(ascii: ","), at: 3)
    start.write(UInt8(ascii: " "), at: 4)
    start.write(civil.day, digits: 2, at: 5)
    start.write(UInt8(ascii: " "), at: 7)
    start.writeName(civil.month - 1, of: "JanFebMarAprMayJunJulAugSepOctNovDec", at: 8)
    start.write(UInt8(ascii: " "), at: 11)
    start.write(civil.year, digits: 4, at: 12)
    start.write(UInt8(ascii: " "), at: 16)
    start.writeClock(civil.millisecondOfDay, at: 17)
    start.write(UInt8(ascii: " "), at: 25)
    start.writeName(0, of: "GMT", at: 26)
    advance(29)
  }
}

extension UnsafeMutableRawPointer {
  @inline(__always) fileprivate func write(_ byte: UInt8, at offset: Int) {
    storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
  }

  @inline(__always) fileprivate func write(_ value: Int, digits: Int, at offset: Int) {
    var rest = value
    var place = offset + digits - 1
    while place >= offset {
      write(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10), at: place)
      rest /= 10
      place -= 1
    }
  }

  /// `HH:MM:SS`
  fileprivate func writeClock(_ millisecondOfDay: Int, at offset: Int) {
    let seconds = millisecondOfDay / 1000
    write(seconds / 3600, digits: 2, at: offset)
    write(UInt8(ascii: ":"), at: offset + 2)
    write(seconds / 60 % 60, digits: 2, at: offset + 3)
    write(UInt8(ascii: ":"), at: offset + 5)
    write(seconds % 60, digits: 2, at: offset + 6)
  }

  /// The three letters that stand at `index` in `names`.
  fileprivate func writeName(_ index: Int, of names: StaticString, at offset: Int) {
    (self + offset).copyMemory(from: names.utf8Start + index * 3, byteCount: 3)
  }
}

extension WallTime {
  /// This time as RFC 3339 in UTC with milliseconds.
  public var timestamp: String {
    var buffer = ByteBuffer(capacity: 24)
    buffer.append(timestamp: self)
    return buffer.bytes.text(0..<24)
  }

  /// Reads an RFC 3339 time: any offset, any number of fraction digits (those past milliseconds are
  /// dropped), and a second 60 where one can be inserted, which counts as the second that follows it.
  public init?(timestamp bytes: RawSpan) {
    let shortest = 20
    let count = bytes.byteCount
    guard count >= shortest,
      let year = bytes.digits(at: 0, count: 4), bytes.byte(at: 4) == UInt8(ascii: "-"),
      let month = bytes.digits(at: 5, count: 2), bytes.byte(at: 7) == UInt8(ascii: "-"),
      let day = bytes.digits(at: 8, count: 2), bytes.byte(at: 10) | 0x20 == UInt8(ascii: "t"),
      let hour = bytes.digits(at: 11, count: 2), bytes.byte(at: 13) == UInt8(ascii: ":"),
      let minute = bytes.digits(at: 14, count: 2), bytes.byte(at: 16) == UInt8(ascii: ":"),
      let second = bytes.digits(at: 17, count: 2),
      (1...12).contains(month), day >= 1, day <= CivilTime.daysInMonth(month, of: year),
      hour <= 23, minute <= 59, second <= 60
    else { return nil }

    var at = 19
    var milliseconds = 0
    if bytes.byte(at: at) == UInt8(ascii: ".") {
      at += 1
      let firstDigit = at
      var scale = 100
      while at < count, bytes.byte(at: at).isDigit {
        milliseconds += Int(bytes.byte(at: at) - UInt8(ascii: "0")) * scale
        scale /= 10
        at += 1
      }
      guard at > firstDigit else { return nil }
    }
    guard let offsetMinutes = bytes.zone(at: at) else { return nil }

    let minutes = (CivilTime.days(year: year, month: month, day: day) * 24 + hour) * 60 + minute - offsetMinutes
    if second == 60 {
      // Leap seconds are inserted at the end of a UTC day and nowhere else.
      guard (minutes + 1) % (24 * 60) == 0 else { return nil }
    }
    self.init(milliseconds: Int64((minutes * 60 + second) * 1000 + milliseconds))
  }

  public init?(timestamp text: String) {
    self.init(timestamp: text.utf8.span.bytes)
  }
}

extension RawSpan {
  fileprivate func digits(at start: Int, count: Int) -> Int? {
    var value = 0
    for place in start..<start + count {
      let digit = byte(at: place) &- UInt8(ascii: "0")
      guard digit <= 9 else { return nil }
      value = value * 10 + Int(digit)
    }
    return value
  }

  /// The minutes east of UTC that the rest of the bytes, from `start`, say and nothing but they say.
  fileprivate func zone(at start: Int) -> Int? {
    if byteCount == start + 1 { return byte(at: start) | 0x20 == UInt8(ascii: "z") ? 0 : nil }
    guard byteCount == start + 6, byte(at: start + 3) == UInt8(ascii: ":"),
      let hours = digits(at: start + 1, count: 2), let minutes = digits(at: start + 4, count: 2),
      hours <= 23, minutes <= 59
    else { return nil }
    switch byte(at: start) {
    case UInt8(ascii: "+"): return hours * 60 + minutes
    case UInt8(ascii: "-"): return -(hours * 60 + minutes)
    default: return nil
    }
  }
}
