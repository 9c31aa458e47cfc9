import Core

/// The head of an HTTP answer, as far as a generator of load needs it.
///
/// It is read here and not by the HTTP module: what is being measured should not be the judge of itself.
struct AnswerHead: Equatable {
  /// A head that is longer than this is none.
  static let longest = 65_536

  enum Outcome: Equatable {
    case needMore
    case malformed
    /// The head, and how many bytes it has with the empty line.
    case head(AnswerHead, length: Int)
  }

  var status = 0
  var contentLength: Int?
  var isChunked = false
  var closes = false
  /// Where the value of `Tidings-Cursor` stands in the bytes read.
  var cursor: Range<Int>?

  static func read(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    let lineFeed = UInt8(ascii: "\n")
    var head = AnswerHead()
    var lineStart = 0
    var at = 0
    while at < bytes.count {
      guard bytes[at] == lineFeed else {
        at += 1
        continue
      }
      guard at > lineStart, bytes[at - 1] == UInt8(ascii: "\r") else { return .malformed }
      let line = lineStart..<at - 1
      at += 1
      if lineStart == 0 {
        guard head.readStatus(bytes, line) else { return .malformed }
      } else if line.isEmpty {
        return .head(head, length: at)
      } else {
        head.readField(bytes, line)
      }
      lineStart = at
    }
    return bytes.count > longest ? .malformed : .needMore
  }

  private mutating func readStatus(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) -> Bool {
    guard line.count >= 12, bytes[0] == UInt8(ascii: "H"), bytes[5] == UInt8(ascii: "1"), bytes[8] == UInt8(ascii: " ") else {
      return false
    }
    for place in 9..<12 {
      guard bytes[place].isDigit else { return false }
      status = status * 10 + Int(bytes[place] - UInt8(ascii: "0"))
    }
    return true
  }

  private mutating func readField(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) {
    guard let colon = bytes[line].firstIndex(of: UInt8(ascii: ":")) else { return }
    var value = colon + 1..<line.upperBound
    while let first = value.first, bytes[first] == UInt8(ascii: " ") { value = first + 1..<value.upperBound }
    let name = line.lowerBound..<colon
    switch name.count {
    case 14 where AnswerHead.matches(bytes, name, "content-length"):
      var length = 0
      for place in value where bytes[place].isDigit && length < 1 << 40 {
        length = length * 10 + Int(bytes[place] - UInt8(ascii: "0"))
      }
      contentLength = length
    case 17 where AnswerHead.matches(bytes, name, "transfer-encoding"): isChunked = AnswerHead.matches(bytes, value, "chunked")
    case 10 where AnswerHead.matches(bytes, name, "connection"): closes = AnswerHead.matches(bytes, value, "close")
    case 14 where AnswerHead.matches(bytes, name, "tidings-cursor"): cursor = value
    default: break
    }
  }

  /// Whether the bytes are `word`, which is in lower case.
  private static func matches(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ word: StaticString) -> Bool {
    guard range.count == word.utf8CodeUnitCount else { return false }
    for (place, index) in range.enumerated() {
      let byte = bytes[index]
      let lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
      guard lower == word.utf8Start[place] else { return false }
    }
    return true
  }
}

/// A whole answer, head and body.
enum WholeAnswer {
  case needMore
  case malformed
  /// The head, where its body stands (no longer in chunks), and how many bytes the answer had.
  case answer(AnswerHead, body: Range<Int>, length: Int)

  /// Reads the answer at the start of `bytes`; a body in chunks is put together where it stands once it is whole.
  static func read(_ bytes: UnsafeMutableRawBufferPointer) -> WholeAnswer {
    switch AnswerHead.read(UnsafeRawBufferPointer(bytes)) {
    case .needMore: return .needMore
    case .malformed: return .malformed
    case .head(let head, let start):
      if head.status == 204 || head.status == 304 || head.status < 200 {
        return .answer(head, body: start..<start, length: start)
      }
      if head.isChunked {
        guard let length = Dechunker.wholeLength(UnsafeRawBufferPointer(rebasing: bytes[start...])) else { return .needMore }
        var dechunker = Dechunker()
        let count = dechunker.join(UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + length]))
        return .answer(head, body: start..<start + count, length: start + length)
      }
      guard let length = head.contentLength else { return .malformed }
      return bytes.count - start < length ? .needMore : .answer(head, body: start..<start + length, length: start + length)
    }
  }
}

/// Takes the chunk sizes out of a body that arrives in pieces.
struct Dechunker {
  private enum Place {
    case size
    case sizeRest
    case data
    case end
  }

  private var place = Place.size
  private var left = 0
  private var hasDigits = false
  /// The body is over.
  var isAtEnd: Bool { place == .end }

  /// Moves the body's bytes to the front; the result is how many there are.
  mutating func join(_ bytes: UnsafeMutableRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    var from = 0
    var to = 0
    while from < bytes.count {
      switch place {
      case .size, .sizeRest:
        let byte = bytes[from]
        from += 1
        if byte == UInt8(ascii: "\n") {
          // The end of the data before it is an empty line.
          guard hasDigits else { continue }
          place = left > 0 ? .data : .end
          hasDigits = false
        } else if place == .size, let digit = Dechunker.digit(byte) {
          left = left << 4 | digit
          hasDigits = true
        } else if byte == UInt8(ascii: ";") {
          place = .sizeRest
        }
      case .data:
        let count = min(left, bytes.count - from)
        if from != to { (base + to).copyMemory(from: base + from, byteCount: count) }
        from += count
        to += count
        left -= count
        if left == 0 { place = .size }
      case .end: return to
      }
    }
    return to
  }

  /// How many bytes a body in chunks has up to its end; nil if that has not come.
  static func wholeLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var at = 0
    while at < bytes.count {
      guard let lineEnd = bytes[at...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
      var size = 0
      for byte in bytes[at..<lineEnd] {
        guard let digit = Dechunker.digit(byte) else { break }
        size = size << 4 | digit
        guard size < 1 << 32 else { return nil }
      }
      at = lineEnd + 1
      if size == 0 { return bytes.count - at < 2 ? nil : at + 2 }
      at += size + 2
    }
    return nil
  }

  @inline(__always) private static func digit(_ byte: UInt8) -> Int? {
    switch byte {
    case 0x30...0x39: Int(byte) - 0x30
    case 0x41...0x46: Int(byte) - 0x37
    case 0x61...0x66: Int(byte) - 0x57
    default: nil
    }
  }
}
