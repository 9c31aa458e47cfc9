import Core
import SSE
import Testing

@Suite struct SSEEncoderTests {
  @Test("An event's fields stand on lines of their own")
  func fields() {
    #expect(encoded("hello") == "data: hello\n\n")
    #expect(encoded(id: "v1~a~7.42", type: "order", "x") == "id: v1~a~7.42\nevent: order\ndata: x\n\n")
    #expect(encoded(id: "", type: "", "x") == "id: \ndata: x\n\n")
  }

  @Test("Every kind of line break begins a new data line, and empty data is a line")
  func lines() {
    #expect(encoded("a\nb\rc\r\nd") == "data: a\ndata: b\ndata: c\ndata: d\n\n")
    #expect(encoded("") == "data: \n\n")
    #expect(encoded("\n") == "data: \ndata: \n\n")
    #expect(encoded("\r\r\n\n") == "data: \ndata: \ndata: \ndata: \n\n")
    #expect(encoded("a\r") == "data: a\ndata: \n\n")
  }

  @Test("A line break is found at every place of every length")
  func everyPlace() {
    for length in 1...40 {
      for place in 0..<length {
        for lineBreak in [0x0a, 0x0d] as [UInt8] {
          // Bytes next to CR and LF, and with the high bit set, are where a word-wise search would go wrong.
          for other in [0x0b, 0x0c, 0x0e, 0x09, 0x8a, 0x8d, 0x00, 0xff, 0x61] as [UInt8] {
            var data = [UInt8](repeating: other, count: length)
            data[place] = lineBreak
            let expected =
              Array("data: ".utf8) + data[..<place] + Array("\ndata: ".utf8) + data[(place + 1)...] + Array("\n\n".utf8)
            #expect(encoded(data: data) == expected)
          }
        }
      }
    }
  }

  @Test("Comments, delays and ids without an event")
  func others() {
    func written(_ body: (inout ByteBuffer) -> Void) -> String {
      var buffer = ByteBuffer()
      body(&buffer)
      return buffer.freeze().text
    }
    func comment(_ text: String) -> String {
      written { buffer in Array(text.utf8).withUnsafeBytes { SSEEncoder.append(comment: $0, into: &buffer) } }
    }
    #expect(comment("") == ":\n\n")
    #expect(comment("still here") == ": still here\n\n")
    #expect(comment("a\ndata: b") == ": a\n: data: b\n\n")
    #expect(written { SSEEncoder.append(retryMilliseconds: 2750, into: &$0) } == "retry: 2750\n\n")
    let alone = written { buffer in Array("7".utf8).withUnsafeBytes { SSEEncoder.append(idAlone: $0, into: &buffer) } }
    #expect(alone == "id: 7\n\n")
    let result = read([Array((comment("x") + alone).utf8)])
    #expect(result.outcomes.isEmpty && result.lastEventID == "7")
  }

  @Test("What would break its line is not acceptable")
  func acceptable() {
    func isAcceptable(_ bytes: [UInt8]) -> Bool {
      let verdicts = bytes.withUnsafeBytes { (SSEEncoder.isAcceptableType($0), SSEEncoder.isAcceptableID($0)) }
      #expect(verdicts.0 == verdicts.1)
      return verdicts.0
    }
    for good in ["", "order", "order:created", " spaced ", "größer 😀", String(repeating: "x", count: 100)] {
      #expect(isAcceptable(Array(good.utf8)))
    }
    for bad in ["a\nb", "a\r", "\r\n", "a\0", "12345678\n"] { #expect(!isAcceptable(Array(bad.utf8))) }
    #expect(!isAcceptable([0xff]))
  }

  @Test("No event is larger than its maximum")
  func maximum() {
    for data in ["", "a", "\n", "\n\n\n\n", "\r\r\r", "a\nb\nc\n", String(repeating: "\r", count: 100)] {
      let maximum = SSEEncoder.maximumSize(idCount: 2, typeCount: 3, dataCount: data.utf8.count)
      #expect(encoded(id: "id", type: "typ", data: Array(data.utf8)).count <= maximum)
    }
    #expect(encoded(id: "id", type: "typ", data: Array("\n\n".utf8)).count == SSEEncoder.maximumSize(idCount: 2, typeCount: 3, dataCount: 2))
  }
}
