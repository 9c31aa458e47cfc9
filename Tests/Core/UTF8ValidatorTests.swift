import Core
import Testing

@Suite struct UTF8ValidatorTests {
  /// How many bytes a validator accepts, one at a time, before it refuses.
  private func accepted(_ bytes: [UInt8]) -> Int {
    var validator = UTF8Validator()
    for (index, byte) in bytes.enumerated() {
      guard [byte].withUnsafeBytes({ validator.consume($0) }) else { return index }
    }
    return bytes.count
  }

  /// The verdict on `bytes`, which must be the same alone and with other text behind them.
  private func isValid(_ bytes: [UInt8]) -> Bool {
    let alone = bytes.withUnsafeBytes { UTF8Validator.isValid($0) }
    let followed = (bytes + Array("more".utf8)).withUnsafeBytes { UTF8Validator.isValid($0) }
    #expect(alone == followed, "\(bytes)")
    return alone
  }

  @Test("Every sequence of one, two and three bytes is judged as the standard library judges it")
  func agreesWithTheStandardLibrary() {
    func expected(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }
    for first in UInt8.min...UInt8.max {
      #expect(isValid([first]) == expected([first]))
      for second in UInt8.min...UInt8.max { #expect(isValid([first, second]) == expected([first, second])) }
    }
    for first in UInt8(0xe0)...0xef {
      for second in UInt8(0x7f)...0xc0 {
        for third: UInt8 in [0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff] {
          #expect(isValid([first, second, third]) == expected([first, second, third]))
        }
      }
    }
    for first in UInt8(0xef)...0xff {
      for second in UInt8(0x7f)...0xc0 {
        let bytes = [first, second, 0x80, 0xbf]
        #expect(isValid(bytes) == expected(bytes))
      }
    }
  }

  @Test(
    "The first impossible byte is refused, not the end of the sequence",
    arguments: [
      ([0xc0, 0xaf], 0), ([0xc1, 0xbf], 0), ([0xf5, 0x80, 0x80, 0x80], 0), ([0xff], 0), ([0x80], 0),
      ([0xe0, 0x9f, 0xbf], 1), ([0xed, 0xa0, 0x80], 1), ([0xf0, 0x8f, 0xbf, 0xbf], 1), ([0xf4, 0x90, 0x80, 0x80], 1),
      ([0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xce, 0xbc, 0xce, 0xb5, 0xf4, 0x90, 0x80, 0x80], 12),
      ([0x41, 0xe2, 0x82, 0x41], 3), ([0xf0, 0x9f, 0x98, 0xc0], 3),
    ] as [([UInt8], Int)])
  func failsEarly(bytes: [UInt8], position: Int) {
    #expect(accepted(bytes) == position)
    #expect(!isValid(bytes))
  }

  @Test("Text is accepted however it is cut, and is complete only between characters")
  func cuts() {
    let text = Array("plain ascii that is longer than one word, κόσμε, €, 😀 and \u{10ffff} then more plain ascii to end it".utf8)
    for cut in 0...text.count {
      var validator = UTF8Validator()
      #expect(text[..<cut].withUnsafeBytes { validator.consume($0) })
      #expect(validator.isComplete == (String(validating: text[..<cut], as: UTF8.self) != nil))
      #expect(text[cut...].withUnsafeBytes { validator.consume($0) })
      #expect(validator.isComplete)
    }
  }

  @Test("A bad byte is found wherever it stands among ASCII")
  func everyPosition() {
    for length in 1...70 {
      for position in 0..<length {
        var bytes = [UInt8](repeating: 0x61, count: length)
        bytes[position] = 0xff
        #expect(!isValid(bytes))
        #expect(accepted(bytes) == position)
      }
    }
  }

  @Test("A failure is remembered")
  func staysFailed() {
    var validator = UTF8Validator()
    #expect(![UInt8(0xff)].withUnsafeBytes { validator.consume($0) })
    #expect(!Array("a".utf8).withUnsafeBytes { validator.consume($0) })
    let afterNothing = validator.consume(UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(!afterNothing)
    #expect(!validator.isComplete)
  }
}
