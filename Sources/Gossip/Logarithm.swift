/// Logarithms without a C library, the same to the last bit on every machine.
enum Logarithm {
  private static let ofTwo = 0.693147180559945309417232121458
  private static let ofTen = 2.302585092994045684017991454684

  /// The natural logarithm of a positive number.
  static func natural(_ number: Double) -> Double {
    precondition(number > 0, "only positive numbers have a logarithm")
    // number = m · 2^e with m in 1..<2; ln m = 2 · artanh((m − 1) / (m + 1)), whose series has terms below 3^-(2k+1).
    let x = (number.significand - 1) / (number.significand + 1)
    var power = x
    var sum = 0.0
    for k in 0..<18 {
      sum += power / Double(2 * k + 1)
      power *= x * x
    }
    return Double(number.exponent) * ofTwo + 2 * sum
  }

  static func decimal(_ number: Double) -> Double { natural(number) / ofTen }
}
