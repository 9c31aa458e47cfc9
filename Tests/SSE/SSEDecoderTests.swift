import Core
import SSE
import TestSupport
import Testing

@Suite struct SSEDecoderTests {
  @Test("The examples of the HTML standard")
  func examples() {
    #expect(
      read("data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\ndata: This is the third message.\n\n")
        == [
          .message("This is the first message."), .message("This is the second message, it\nhas two lines."),
          .message("This is the third message."),
        ])
    #expect(
      read("event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n") == [
        .event(id: "", type: "add", data: "73857293"), .event(id: "", type: "remove", data: "2153"),
        .event(id: "", type: "add", data: "113411"),
      ])
    #expect(read("data: YHOO\ndata: +2\ndata: 10\n\n") == [.message("YHOO\n+2\n10")])
    let ids = read([Array(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n".utf8)])
    #expect(ids.outcomes == [.message("first event", id: "1"), .message("second event"), .message(" third event")])
    #expect(ids.lastEventID == "")
    // The last block has no empty line after it and is not dispatched.
    #expect(read("data\n\ndata\ndata\n\ndata:") == [.message(""), .message("\n")])
    #expect(read("data:test\n\ndata: test\n\n") == [.message("test"), .message("test")])
  }

  @Test("Lines end with CR LF, LF or CR, mixed as they like")
  func lineEnds() {
    for end in ["\n", "\r", "\r\n"] {
      #expect(read("id: 1\(end)data: a\(end)data: b\(end)\(end)data: c\(end)\(end)") == [.message("a\nb", id: "1"), .message("c", id: "1")])
    }
    #expect(read("data: a\r\ndata: b\rdata: c\n\r\n") == [.message("a\nb\nc")])
    #expect(read("data: a\r\r\ndata: b\n\n") == [.message("a"), .message("b")])
  }

  @Test("A CR ends an event at once, without waiting for what follows")
  func carriageReturnEnds() {
    #expect(read("data: a\r\r") == [.message("a")])
  }

  @Test("One byte order mark is skipped, at the beginning only")
  func byteOrderMark() {
    #expect(read("\u{feff}data: a\n\n") == [.message("a")])
    #expect(read("\u{feff}\u{feff}data: a\n\n") == [])
    #expect(read("data: a\n\n\u{feff}data: b\n\n") == [.message("a")])
    #expect(read([[0xef], [0xbb], [0xbf], Array("data: a\n\n".utf8)]).outcomes == [.message("a")])
    #expect(read([[0xef, 0xbb], Array("data: a\n\n".utf8)]).outcomes == [])
    #expect(read("\u{feff}\ndata: a\n\n") == [.message("a")])
  }

  @Test("An id stays until it is changed, may be emptied, and is ignored with a NUL in it")
  func ids() {
    #expect(
      read("id: 1\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\nid:\ndata: d\n\nid: 5\n\ndata: e\n\n") == [
        .message("a", id: "1"), .message("b", id: "1"), .message("c", id: "1"), .message("d"), .message("e", id: "5"),
      ])
    #expect(read([Array("id: 9\n".utf8)], from: Bytes("8")).lastEventID == "8")
    #expect(read([Array("id: 9\n\n".utf8)], from: Bytes("8")).lastEventID == "9")
    #expect(read([Array("data: a\n\n".utf8)], from: Bytes("8")).outcomes == [.message("a", id: "8")])
  }

  @Test("A type lasts for one event, also for one without data")
  func types() {
    #expect(read("event: a\n\ndata: x\n\n") == [.message("x")])
    #expect(read("event: a\ndata: x\n\ndata: y\n\n") == [.event(id: "", type: "a", data: "x"), .message("y")])
    #expect(read("event: a\nevent: b\ndata: x\n\n") == [.event(id: "", type: "b", data: "x")])
    #expect(read("event: a\nevent\ndata: x\n\n") == [.message("x")])
  }

  @Test("A delay is digits only")
  func retries() {
    #expect(read("retry: 1500\n\nretry:20\n") == [.retry(1500), .retry(20)])
    for bad in ["", "-1", "1.5", "1 ", " 1", "0x1", "1e3", "１"] { #expect(read("retry: \(bad)\n") == []) }
    #expect(read("retry: 99999999999999999999\n") == [.retry(.max)])
  }

  @Test("Comments, unknown fields and names in other case are ignored")
  func ignored() {
    #expect(read(":\n: comment\n:data: x\nother: x\nData: x\n data: x\ndata : x\ndata: kept\nidx: 4\n\n") == [.message("kept")])
  }

  @Test("One space after the colon goes, other space stays")
  func spaces() {
    #expect(read("data:  a \ndata:\tb\ndata:c:d\n\n") == [.message(" a \n\tb\nc:d")])
  }

  @Test("A line or an event beyond the limit is refused, and memory with it")
  func limits() {
    let line = Array("data: 0123456789\n".utf8)
    #expect(read([line + [0x0a]], limit: 16).outcomes == [.message("0123456789")])
    #expect(read([line + [0x0a]], limit: 15).outcomes == [.tooBig])
    #expect(read([line + line + [0x0a]], limit: 30).outcomes.isEmpty == false)
    #expect(read([line + line + [0x0a]], limit: 26).outcomes == [.tooBig])
    #expect(read((0..<100).map { _ in [0x61] }, limit: 50).outcomes == [.tooBig])
    #expect(read([[UInt8]](repeating: Array("data\n".utf8), count: 100), limit: 50).outcomes == [.tooBig])
  }

  @Test("A stream means the same however it is cut, and damage too")
  func verified() throws {
    let stream =
      "\u{feff}: hi\r\nretry: 100\r\rid: 7\nevent: größe\ndata: a\r\ndata\n\ndata: b\r\n\r\nid: x\n\nevent: none\r\n\r\ndata: c\n\n"
    let outcomes = try CodecVerifier.verify(Array(stream.utf8)) { read($0).outcomes }
    #expect(
      outcomes == [
        .retry(100), .event(id: "7", type: "größe", data: "a\n"), .message("b", id: "7"), .message("c", id: "x"),
      ])
    try CodecVerifier.verify(Array("id: 1\ndata: a\n\n".utf8), followedBy: Array("id: 2\ndata: b\n\n".utf8)) { read($0).outcomes }
  }

  @Test("What an encoder writes, a decoder reads back, with every line break as LF")
  func roundTrip() {
    let alphabet: [UInt8] = [0x0a, 0x0d, 0x20, 0x3a, 0x61, 0x00]
    // Every string of up to five of the bytes that matter.
    for length in 0...5 {
      var digits = [Int](repeating: 0, count: length)
      while true {
        let data = digits.map { alphabet[$0] }
        let text = String(decoding: data, as: UTF8.self)
        let plain = String(text.map { $0 == "\r\n" || $0 == "\r" ? "\n" : $0 })
        #expect(read([encoded(id: "i", type: "t", data: data)]).outcomes == [.event(id: "i", type: "t", data: plain)])
        guard let place = digits.lastIndex(where: { $0 < alphabet.count - 1 }) else { break }
        digits[place] += 1
        for later in (place + 1)..<length { digits[later] = 0 }
      }
    }
  }

  @Test("An event can be read where it lies")
  func inPlace() {
    var decoder = SSEDecoder()
    Array("id: 3\nevent: t\ndata: x\n\n".utf8).withUnsafeBytes { bytes in
      var offset = 0
      #expect(decoder.next(bytes, &offset) == .event)
      let parts = decoder.withEvent { id, type, data in [id, type, data].map { String(decoding: $0, as: UTF8.self) } }
      #expect(parts == ["3", "t", "x"])
      #expect(decoder.next(bytes, &offset) == .needMore)
    }
  }
}
