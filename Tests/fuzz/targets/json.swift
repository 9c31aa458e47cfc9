// rooms: JSON
// max_len: 512
import Core
import JSON

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant {
    [
      #"{"a":[1,-2.5e3,true,null,"\u00e4\n\ud83d\ude00"],"b":{}}"#, #"[[[]]]"#, "\"ä\"", " 12 ", "{\"topic\":\"a\"}\n{\"topic\":\"b\"}\r\n\n",
      "{ /* c */ a: 'b\\\n', +1e3: 0x1F, \"c\": [Infinity, -NaN, .5, 5.,], } // end",
    ].map { Array($0.utf8) }
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = copied(start, count)
  let isValid = JSONValidator.validate(bytes.span.bytes) == nil
  if (try? JSONValue(parsing: bytes.span.bytes)) != nil {
    insist(isValid, "parsed and not valid")
    insist((try? JSONValue(parsing: bytes.span.bytes, as: .json5)) != nil, "JSON, and not JSON5")
  }
  _ = try? JSONValue(parsing: bytes.span.bytes, as: .json5)
  var lines = JSONLinesReader(bytes.span.bytes)
  while let line = lines.next() { members(bytes.span.bytes, in: line.range) }
  return 0
}

private func members(_ bytes: RawSpan, in range: Range<Int>) {
  var reader = JSONObjectReader(bytes, in: range)
  var text = ByteBuffer()
  do {
    while let member = try reader.next() {
      if member.kind == .string { try JSONText.decodeString(bytes, member.value, into: &text) }
    }
  } catch {}
}
