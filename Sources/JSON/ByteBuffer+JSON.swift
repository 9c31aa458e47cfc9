public import Core

extension ByteBuffer {
  /// Appends `text`, which must be valid UTF-8, as a JSON string: quotes around it, quotes, backslashes and
  /// control characters escaped, everything else as it is.
  public mutating func append(jsonString text: UnsafeRawBufferPointer) {
    append(UInt8(ascii: "\""))
    append(jsonEscaping: text)
    append(UInt8(ascii: "\""))
  }

  public mutating func append(jsonText text: String) {
    var text = text
    text.withUTF8 { append(jsonString: UnsafeRawBufferPointer($0)) }
  }

  /// What stands between the quotes; a string may be appended in parts.
  public mutating func append(jsonEscaping text: UnsafeRawBufferPointer) {
    let count = text.count
    var runStart = 0
    var at = 0
    while at < count {
      if at &+ 8 <= count {
        let word = UInt64(littleEndian: text.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        let marks = JSONWord.escapes(in: word)
        if marks == 0 {
          at &+= 8
          continue
        }
        at &+= marks.trailingZeroBitCount &>> 3
      }
      let byte = text[at]
      if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        append(UnsafeRawBufferPointer(rebasing: text[runStart..<at]))
        append(jsonEscapeOf: byte)
        runStart = at + 1
      }
      at &+= 1
    }
    append(UnsafeRawBufferPointer(rebasing: text[runStart..<count]))
  }

  private mutating func append(jsonEscapeOf byte: UInt8) {
    append(UInt8(ascii: "\\"))
    switch byte {
    case 0x08: append(UInt8(ascii: "b"))
    case 0x09: append(UInt8(ascii: "t"))
    case 0x0A: append(UInt8(ascii: "n"))
    case 0x0C: append(UInt8(ascii: "f"))
    case 0x0D: append(UInt8(ascii: "r"))
    case 0..<0x20:
      let low = byte & 0x0F
      append(byte < 0x10 ? "u000" : "u001")
      append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
    default: append(byte)
    }
  }

  /// Appends the shortest decimal that reads back as `number`; `null` for what JSON cannot say.
  public mutating func append(jsonNumber number: Double) {
    guard number.isFinite else { return append("null") }
    let start = count
    append(text: number.description)
    let hasZeroFraction = withUnsafeBytes { bytes in
      bytes.count - start > 2 && bytes[bytes.count - 1] == UInt8(ascii: "0") && bytes[bytes.count - 2] == UInt8(ascii: ".")
    }
    if hasZeroFraction { truncate(to: count - 2) }
  }

  /// Appends a valid JSON value so that it fits on one line: line ends, tabs and the indentation after them
  /// are left out.
  ///
  /// In valid JSON no string holds a raw control character, so any that is met stands between tokens, and
  /// no two tokens need white space between them.
  public mutating func append(compacting json: RawSpan) {
    json.withUnsafeBytes { json in
      var runStart = 0
      var at = 0
      while at < json.count {
        if at &+ 8 <= json.count {
          let word = UInt64(littleEndian: json.loadUnaligned(fromByteOffset: at, as: UInt64.self))
          if (word &- 0x2020_2020_2020_2020) & ~word & 0x8080_8080_8080_8080 == 0 {
            at &+= 8
            continue
          }
        }
        if json[at] < 0x20 {
          append(UnsafeRawBufferPointer(rebasing: json[runStart..<at]))
          while at < json.count, json[at] <= 0x20 { at &+= 1 }
          runStart = at
        } else {
          at &+= 1
        }
      }
      append(UnsafeRawBufferPointer(rebasing: json[runStart..<json.count]))
    }
  }
}
