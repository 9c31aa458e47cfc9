/// Holds a codec to what every codec here promises: where the bytes are cut never changes what they mean.
///
/// A test hands over one input and a closure that decodes a list of pieces with a **fresh** decoder and
/// returns what came out, failures included as a last outcome. Data that a decoder hands out in pieces
/// (bodies, payloads) should be one outcome per byte, or be joined by the closure and compared with
/// `isPart`, because the size of a piece rightly depends on the cuts.
public enum CodecVerifier {
  /// Checks `input` whole, byte by byte, at every 2-way split, at every truncation, and with every bit flipped.
  ///
  /// - `isPart` says whether the last outcome of a truncated input may stand where a whole one would.
  /// - Returns the outcomes of the whole input, so that the test can say what they should have been.
  @discardableResult
  public static func verify<Outcome: Equatable>(
    _ input: [UInt8],
    isPart: (_ partial: Outcome, _ whole: Outcome) -> Bool = { $0 == $1 },
    decode: (_ pieces: [[UInt8]]) -> [Outcome]
  ) throws(CodecFault) -> [Outcome] {
    let whole = decode([input])
    try expect(decode(input.map { [$0] }), equals: whole, "byte by byte")
    try expect(decode([[]] + input.flatMap { [[$0], []] }), equals: whole, "byte by byte with empty reads between")
    for cut in 0...input.count {
      let head = Array(input[..<cut])
      try expect(decode([head, Array(input[cut...])]), equals: whole, "split at \(cut)")
      try expect(decode([head]), isPrefixOf: whole, isPart, "truncated to \(cut)")
    }
    try verifyFlippedBits(input, decode: decode)
    return whole
  }

  /// Checks that two inputs one after the other mean what each means alone, wherever the seam is cut.
  public static func verify<Outcome: Equatable>(
    _ first: [UInt8], followedBy second: [UInt8], decode: (_ pieces: [[UInt8]]) -> [Outcome]
  ) throws(CodecFault) {
    let both = decode([first]) + decode([second])
    try expect(decode([first + second]), equals: both, "joined")
    try expect(decode([first, second]), equals: both, "one after the other")
    try expect(decode((first + second).map { [$0] }), equals: both, "joined, byte by byte")
  }

  /// Damage may change what comes out, but not make it depend on where the bytes were cut, and never crash.
  public static func verifyFlippedBits<Outcome: Equatable>(
    _ input: [UInt8], decode: (_ pieces: [[UInt8]]) -> [Outcome]
  ) throws(CodecFault) {
    var damaged = input
    for position in input.indices {
      for bit in 0..<8 {
        damaged[position] ^= 1 << UInt8(bit)
        try expect(decode(damaged.map { [$0] }), equals: decode([damaged]), "bit \(bit) of byte \(position) flipped")
        damaged[position] = input[position]
      }
    }
  }

  /// What one step of a decoder did with the bytes it was shown.
  public enum Step: Sendable {
    /// Took this many bytes (none is fine: an outcome may need no bytes of its own); call again.
    case took(Int)
    /// Wants more bytes than there are.
    case needMore
    /// Will decode nothing further.
    case stop
  }

  /// Feeds `pieces` as a connection would: what a step did not take is shown again, with the next piece behind it.
  public static func feed(_ pieces: [[UInt8]], step: (RawSpan) -> Step) {
    var pending: [UInt8] = []
    for piece in pieces {
      pending += piece
      var start = 0
      decoding: while true {
        // A copy of exactly these bytes, so that a sanitizer sees a decoder that reads past them.
        let shown = Array(pending[start...])
        switch step(shown.span.bytes) {
        case .took(let count):
          precondition(count >= 0 && count <= shown.count, "the decoder took bytes that were not there")
          start += count
        case .needMore: break decoding
        case .stop: return
        }
      }
      pending.removeFirst(start)
    }
  }

  static func expect<Outcome: Equatable>(
    _ outcomes: [Outcome], equals whole: [Outcome], _ manner: String
  ) throws(CodecFault) {
    guard outcomes != whole else { return }
    throw CodecFault(manner: manner, expected: "\(whole)", actual: "\(outcomes)")
  }

  static func expect<Outcome: Equatable>(
    _ outcomes: [Outcome], isPrefixOf whole: [Outcome], _ isPart: (Outcome, Outcome) -> Bool, _ manner: String
  ) throws(CodecFault) {
    let fits =
      outcomes.count <= whole.count
      && zip(outcomes, whole).enumerated().allSatisfy { index, pair in
        pair.0 == pair.1 || (index == outcomes.count - 1 && isPart(pair.0, pair.1))
      }
    guard !fits else { return }
    throw CodecFault(manner: manner, expected: "a beginning of \(whole)", actual: "\(outcomes)")
  }
}

/// One way of cutting or harming an input that changed what a codec made of it.
public struct CodecFault: Error, Equatable, CustomStringConvertible {
  public let manner: String
  public let expected: String
  public let actual: String

  public var description: String { "\(manner): expected \(expected), got \(actual)" }
}
