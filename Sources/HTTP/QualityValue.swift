import Core

/// The weight of an alternative in thousandths, as `q=` writes it.
enum QualityValue {
  static let full = 1000

  /// The weight among the parameters after `from`; full without one, nil when it is malformed.
  static func read(_ element: Range<Int>, from start: Int, in input: RawSpan) -> Int? {
    var at = start
    while at < element.upperBound {
      let stop = HTTPList.separator(UInt8(ascii: ";"), in: input, from: at + 1, to: element.upperBound)
      let parameter = input.trimmed(at + 1..<stop)
      at = stop
      if parameter.count >= 2, input.byte(at: parameter.lowerBound).folded == UInt8(ascii: "q"),
        input.byte(at: parameter.lowerBound + 1) == UInt8(ascii: "=")
      {
        return thousandths(parameter.lowerBound + 2..<parameter.upperBound, in: input)
      }
    }
    return full
  }

  /// `0`, `1` or a number between with at most three decimals.
  private static func thousandths(_ range: Range<Int>, in input: RawSpan) -> Int? {
    guard (1...5).contains(range.count), input.byte(at: range.lowerBound) <= UInt8(ascii: "1"),
      input.byte(at: range.lowerBound).isDigit
    else { return nil }
    var value = Int(input.byte(at: range.lowerBound) - UInt8(ascii: "0")) * full
    guard range.count > 1 else { return value }
    guard input.byte(at: range.lowerBound + 1) == UInt8(ascii: ".") else { return nil }
    var unit = 100
    for at in range.lowerBound + 2..<range.upperBound {
      guard input.byte(at: at).isDigit else { return nil }
      value += Int(input.byte(at: at) - UInt8(ascii: "0")) * unit
      unit /= 10
    }
    return value <= full ? value : nil
  }
}
