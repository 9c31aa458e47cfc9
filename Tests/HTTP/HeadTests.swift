import Core
import HTTP
import Testing

@testable import struct HTTP.CharacterClass

@Suite("A head")
struct HeadTests {
  @Test("finds every known name in any case of letters", arguments: HTTPFieldName.allCases)
  func knownNames(_ name: HTTPFieldName) throws {
    guard name != .other else { return }
    for spelling in [name.name.description, name.name.description.uppercased(), capitalised(name.name.description)] {
      let bytes = Array(spelling.utf8)
      #expect(HTTPFieldName.recognise(0..<bytes.count, in: bytes.span.bytes) == name)
    }
    // One letter changed, at every place, is another name.
    for index in name.name.description.utf8.indices {
      var bytes = Array(name.name.description.utf8)
      let offset = name.name.description.utf8.distance(from: name.name.description.utf8.startIndex, to: index)
      bytes[offset] = UInt8(ascii: "_")
      #expect(HTTPFieldName.recognise(0..<bytes.count, in: bytes.span.bytes) == .other)
    }
  }

  private func capitalised(_ text: String) -> String {
    text.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined(separator: "-")
  }

  @Test("answers for a name that stands on several lines, on none, and for one that is not known")
  func lookups() throws {
    try withFields("Accept: a/b\r\nX-Mine: 1\r\nAccept: c/d\r\nx-mine: 2\r\n") { fields, input in
      #expect(fields.first(.accept).map { input.text($0) } == "a/b")
      #expect(fields.all(.accept).map { input.text($0) } == ["a/b", "c/d"])
      #expect(fields.first(.cookie) == nil)
      #expect(fields.all(.cookie).map { $0 } == [])
      #expect(fields.contains(.accept))
      #expect(!fields.contains(.cookie))
      #expect(fields.first(named: "x-mine", in: input).map { input.text($0) } == "1")
      #expect(fields.first(named: "x-other", in: input) == nil)
      #expect(fields.count == 5)
    }
  }

  @Test("forgets the request before")
  func reset() throws {
    var decoder = HTTPRequestDecoder()
    var head = HTTPRequestHead()
    let first = latin(
      "POST http://b/?q HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    let second = latin("OPTIONS * HTTP/1.0\r\n\r\n")
    let firstStep = decoder.next(first.span.bytes, head: &head)
    #expect(firstStep == .head(consumed: first.count))
    #expect(head.expectsContinue && head.asksForWebSocket && head.isChunked && !head.keepAlive && head.hasBody)
    #expect(head.targetForm == .absolute)
    decoder = HTTPRequestDecoder()
    let secondStep = decoder.next(second.span.bytes, head: &head)
    #expect(secondStep == .head(consumed: second.count))
    #expect(!head.expectsContinue && !head.asksForWebSocket && !head.isChunked && !head.hasBody)
    #expect(head.query == nil && head.authority == nil && head.fields.count == 0 && head.targetForm == .asterisk)
  }

  @Test("has character classes that hold exactly what their words say")
  func classes() {
    let alphanumeric = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
    let visible = Set(UInt8(0x21)...0x7e)
    let expected: [(CharacterClass, Set<UInt8>)] = [
      (.token, alphanumeric.union("!#$%&'*+-.^_`|~".utf8)),
      (.path, visible.subtracting("#\"<>\\?".utf8)),
      (.query, visible.subtracting("#\"<>".utf8)),
      (.hostName, alphanumeric.union("-._~%!$&'()*+;=".utf8)),
      (.addressLiteral, Set("0123456789abcdefABCDEF:.".utf8)),
      (.unreserved, alphanumeric.union("-._~".utf8)),
      (.barePath, alphanumeric.union("-._~!$&'()*+,;=:@/".utf8)),
    ]
    for (set, members) in expected {
      for byte in UInt8.min...UInt8.max { #expect(set.contains(byte) == members.contains(byte)) }
    }
  }
}
