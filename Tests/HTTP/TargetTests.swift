import Core
import HTTP
import Testing

@Suite("Targets")
struct TargetTests {
  private func decoded(_ text: String, plus: Bool = false) -> String? {
    let bytes = Array(text.utf8)
    var buffer = ByteBuffer()
    buffer.append(UInt8(ascii: ">"))
    let isWell = PercentCoding.decode(0..<bytes.count, in: bytes.span.bytes, plusIsSpace: plus, into: &buffer)
    let text = buffer.freeze().text
    return isWell ? text : (text == ">" ? nil : "left behind")
  }

  @Test("are decoded, and refused where an escape is not one")
  func decoding() {
    #expect(decoded("a%2Fb%c3%a9+") == ">a/b\u{e9}+")
    #expect(decoded("a+b%2B", plus: true) == ">a b+")
    #expect(decoded("%00") == ">\0")
    for bad in ["%", "%2", "a%", "%zz", "%2g", "%g2", "%%20", "ab%2", "% 1", "%+1"] { #expect(decoded(bad) == nil) }
  }

  @Test("survive encoding and decoding byte for byte")
  func roundTrip() {
    let every = [UInt8](0...255)
    for isPath in [true, false] {
      var buffer = ByteBuffer()
      if isPath {
        PercentCoding.encode(path: every.span.bytes, into: &buffer)
      } else {
        PercentCoding.encode(queryPart: every.span.bytes, into: &buffer)
      }
      let encoded = buffer.freeze().array
      #expect(encoded.allSatisfy { $0 > 0x20 && $0 < 0x7f })
      var back = ByteBuffer()
      let isWell = PercentCoding.decode(0..<encoded.count, in: encoded.span.bytes, plusIsSpace: !isPath, into: &back)
      #expect(isWell)
      #expect(back.freeze().array == every)
    }
  }

  @Test("give their query pair by pair, decoded only when asked")
  func query() throws {
    try withHead("GET /e?topic=a%2F%23&&x&=v&to%70ic=b+c&e=&f=g=h&bad=%z HTTP/1.1\r\nHost: a\r\n\r\n") { head, input in
      var pairs = HTTPQuery(head.query)
      var seen: [String] = []
      while let pair = pairs.next(in: input) {
        var buffer = ByteBuffer()
        let isWell = pair.decodeValue(in: input, into: &buffer)
        seen.append("\(input.text(pair.name))|\(pair.value == nil ? "-" : "=")|\(isWell ? buffer.freeze().text : "!")")
      }
      #expect(seen == ["topic|=|a/#", "x|-|", "|=|v", "to%70ic|=|b c", "e|=|", "f|=|g=h", "bad|=|!"])
      let found = HTTPQuery.first("topic", of: head.query, in: input)
      let topic = try #require(found)
      #expect(topic.hasValue("a/#", in: input) == true)
      #expect(topic.hasValue("a/", in: input) == false)
      #expect(HTTPQuery.first("x", of: head.query, in: input)?.hasValue("", in: input) == true)
      #expect(HTTPQuery.first("bad", of: head.query, in: input)?.hasValue("z", in: input) == false)
      let nothing = HTTPQuery.first("nothing", of: head.query, in: input)
      #expect(nothing == nil)
    }
    var none = HTTPQuery(nil)
    let first = none.next(in: [UInt8]().span.bytes)
    #expect(first == nil)
  }

  @Test("are routed by what their path begins with")
  func paths() throws {
    try withHead("GET /v1/topics/a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n") { head, input in
      #expect(HTTPPath.rest(of: head.path, in: input, after: "/v1/topics/").map { input.text($0) } == "a%2Fb")
      #expect(HTTPPath.rest(of: head.path, in: input, after: "/v1/topics/a%2Fb") == head.path.upperBound..<head.path.upperBound)
      #expect(HTTPPath.rest(of: head.path, in: input, after: "/v1/publish") == nil)
      #expect(HTTPPath.rest(of: head.path, in: input, after: "/v1/topics/a%2Fb/and/more") == nil)
      #expect(HTTPPath.equals(head.path, in: input, "/v1/topics/a%2Fb") == true)
      #expect(HTTPPath.equals(head.path, in: input, "/v1/topics/a%2F") == false)
    }
  }
}
