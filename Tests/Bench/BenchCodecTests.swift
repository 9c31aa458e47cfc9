import Core
import Testing

@testable import Bench

@Suite("Markers")
struct MarkerTests {
  func bytes(_ marker: Marker) -> [UInt8] {
    var buffer = ByteBuffer()
    marker.write(into: &buffer)
    return buffer.freeze().array
  }

  func scan(_ bytes: [UInt8]) -> (found: [Marker], used: Int) {
    var found: [Marker] = []
    let used = bytes.withUnsafeBytes { Marker.scan($0) { found.append($0) } }
    return (found, used)
  }

  @Test("what was written is found, whatever stands around it")
  func roundTrip() {
    let first = Marker(nanoseconds: 1_234_567_890_123_456_789, run: 0xdead_beef, publisher: 1023, sequence: UInt32.max)
    let second = Marker(nanoseconds: 0, run: 0, publisher: 0, sequence: 1)
    let text = Array("data: @@".utf8) + bytes(first) + Array("\n@not a marker but as long as one would be@".utf8) + bytes(second)
    #expect(bytes(first).count == Marker.length)
    #expect(scan(text).found == [first, second])
    #expect(scan(text).used == text.count)
  }

  @Test("a marker cut at any byte is found once the rest is there")
  func everySplit() {
    let marker = Marker(nanoseconds: 77, run: 5, publisher: 3, sequence: 9)
    let text = Array("x@y".utf8) + bytes(marker) + Array("tail".utf8)
    for split in 0...text.count {
      let before = scan(Array(text[..<split]))
      let after = scan(Array(text[before.used...]))
      #expect(before.found + after.found == [marker], "split at \(split)")
    }
  }
}

@Suite("Numbers seen")
struct SequenceWindowTests {
  @Test("gaps, latecomers and repetitions are told apart")
  func verdicts() {
    var window = SequenceWindow()
    let verdicts = [1, 2, 5, 3, 3, 5, 4, 6].map { window.take($0) }
    #expect(
      verdicts == [.new(skipped: 0), .new(skipped: 0), .new(skipped: 2), .late, .duplicate, .duplicate, .late, .new(skipped: 0)])
  }

  @Test("a leap past the window forgets what was before")
  func leap() {
    var window = SequenceWindow()
    let verdicts = [1, 200, 137, 136, 200].map { window.take($0) }
    #expect(verdicts == [.new(skipped: 0), .new(skipped: 198), .late, .duplicate, .duplicate])
  }
}

@Suite("Answers as the generator reads them")
struct AnswerTests {
  func read(_ text: String) -> AnswerHead.Outcome {
    Array(text.utf8).withUnsafeBytes { AnswerHead.read($0) }
  }

  @Test("a head is read at its last byte and not before")
  func everyPrefix() {
    let text = "HTTP/1.1 204 No Content\r\nContent-Length: 12\r\nTIDINGS-cursor:  v1~x\r\nConnection: close\r\n\r\n"
    for length in 0..<text.utf8.count { #expect(read(String(decoding: text.utf8.prefix(length), as: UTF8.self)) == .needMore) }
    guard case .head(let head, let length) = read(text + "rest") else {
      Issue.record("no head in \(text)")
      return
    }
    #expect(length == text.utf8.count)
    #expect(head.status == 204)
    #expect(head.contentLength == 12)
    #expect(head.closes && !head.isChunked)
    #expect(head.cursor.map { Array(text.utf8)[$0] }.map { String(decoding: $0, as: UTF8.self) } == "v1~x")
  }

  @Test("what is not HTTP is refused", arguments: ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\n\n"])
  func malformed(text: String) {
    #expect(read(text) == .malformed)
  }

  @Test("a body in chunks is put together, wherever it is cut")
  func chunks() {
    let text = Array("5\r\nhello\r\n1;x=y\r\n \r\nA\r\n0123456789\r\n0\r\n\r\n".utf8)
    for split in 0...text.count {
      var dechunker = Dechunker()
      var body: [UInt8] = []
      for part in [text[..<split], text[split...]] {
        var bytes = Array(part)
        let count = bytes.withUnsafeMutableBytes { dechunker.join($0) }
        body += bytes[..<count]
      }
      #expect(String(decoding: body, as: UTF8.self) == "hello 0123456789", "split at \(split)")
      #expect(dechunker.isAtEnd)
    }
  }

  @Test("a whole answer knows its length, in chunks or counted")
  func whole() {
    for text in [
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
      for length in 0...text.utf8.count {
        var bytes = Array(text.utf8.prefix(length))
        let answer = bytes.withUnsafeMutableBytes { WholeAnswer.read($0) }
        switch answer {
        case .needMore: #expect(length < text.utf8.count)
        case .malformed: Issue.record("malformed after \(length) bytes of \(text)")
        case .answer(let head, let body, let used):
          #expect(head.status == 200 && used == text.utf8.count)
          #expect(String(decoding: bytes[body], as: UTF8.self) == "abc")
        }
      }
    }
  }
}

@Suite("Frames as the generator reads them")
struct FrameTests {
  @Test("a frame is read at its last byte and not before", arguments: [0, 1, 125, 126, 65_535, 65_536])
  func lengths(count: Int) {
    var frame: [UInt8] = [0x81]
    if count < 126 {
      frame.append(UInt8(count))
    } else if count < 65_536 {
      frame += [126, UInt8(count >> 8), UInt8(count & 255)]
    } else {
      frame += [127, 0, 0, 0, 0, 0, UInt8(count >> 16), UInt8(count >> 8 & 255), UInt8(count & 255)]
    }
    let head = frame.count
    frame += [UInt8](repeating: 7, count: count)
    let whole = frame.withUnsafeBytes { WebSocketFrame.read($0) }
    let cut = frame.dropLast().withUnsafeBytes { WebSocketFrame.read($0) }
    #expect(whole == .frame(WebSocketFrame(kind: .text, payload: head..<head + count, length: head + count)))
    #expect(cut == .needMore)
  }

  @Test("what a client sends is masked and comes back whole")
  func masking() {
    var buffer = ByteBuffer()
    Array("{\"op\":\"subscribe\"}".utf8).withUnsafeBytes { WebSocketFrame.write(.text, $0, into: &buffer) }
    let bytes = buffer.freeze().array
    #expect(bytes[0] == 0x81 && bytes[1] == 0x80 | 18)
    let plain = bytes[6...].enumerated().map { $1 ^ bytes[2 + $0 & 3] }
    #expect(String(decoding: plain, as: UTF8.self) == "{\"op\":\"subscribe\"}")
    #expect(bytes.withUnsafeBytes { WebSocketFrame.read($0) } == .malformed)
  }
}
