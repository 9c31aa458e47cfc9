/// A number as it was written; what it becomes is for the reader to choose.
public struct JSONNumber: Hashable, Sendable {
  public let text: String

  /// `text` must be a number of JSON or JSON5.
  init(_ text: String) { self.text = text }

  /// The number as an integer; nil when it has a fraction or does not fit. `1e3` and `2.0` are integers.
  public var integer: Int? {
    if let hexadecimal = Hexadecimal(text) { return hexadecimal.integer }
    if let exact = Int(text) { return exact }
    guard let double, double.magnitude <= JSONNumber.largestExactDouble else { return nil }
    let whole = Int(double)
    return Double(whole) == double ? whole : nil
  }

  /// Beyond 2^53 a double no longer tells neighbouring integers apart.
  private static let largestExactDouble = 9_007_199_254_740_992.0

  /// The nearest double; nil when it is too large for one, while JSON5's `Infinity` and `NaN` are themselves.
  public var double: Double? {
    if let hexadecimal = Hexadecimal(text) { return hexadecimal.double }
    var digits = Substring(text)
    let isNegative = digits.first == "-"
    if isNegative || digits.first == "+" { digits = digits.dropFirst() }
    if digits == "Infinity" { return isNegative ? -.infinity : .infinity }
    if digits == "NaN" { return .nan }
    if digits.first == "." { digits = "0" + digits }
    if digits.last == "." { digits = digits.dropLast() }
    guard let magnitude = Double(digits.replacingLoneDot()), magnitude.isFinite else { return nil }
    return isNegative ? -magnitude : magnitude
  }
}

/// `0x1F`, with or without a sign.
private struct Hexadecimal {
  var isNegative: Bool
  var digits: Substring

  init?(_ text: String) {
    var rest = Substring(text)
    isNegative = rest.first == "-"
    if isNegative || rest.first == "+" { rest = rest.dropFirst() }
    guard rest.hasPrefix("0x") || rest.hasPrefix("0X") else { return nil }
    digits = rest.dropFirst(2)
  }

  var integer: Int? { Int((isNegative ? "-" : "") + digits, radix: 16) }

  var double: Double {
    var value = 0.0
    for digit in digits { value = value * 16 + Double(digit.hexDigitValue ?? 0) }
    return isNegative ? -value : value
  }
}

extension Substring {
  /// `5.e3` as `5e3`: JSON5 lets a point stand without digits after it.
  fileprivate func replacingLoneDot() -> String {
    var result = ""
    var previous: Character = "0"
    for character in self {
      if previous == ".", !character.isNumber { result.removeLast() }
      result.append(character)
      previous = character
    }
    return result
  }
}
