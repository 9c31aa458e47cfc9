// rooms: Core
// max_len: 256
import Core

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant {
    ["v1~0123456789ab", "v1~0123456789ab~3.1042", "v1~ffffffffffff~0.0~1.18446744073709551615~65535.1", "v1~0~1.2"].map { Array($0.utf8) }
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  guard let cursor = try? Cursor(parsing: text) else { return 0 }
  insist((try? Cursor(parsing: cursor.description)) == cursor, "\(cursor) comes back otherwise")
  for position in cursor.positions { insist(cursor[position.shard] == position.offset, "a place that is not found") }
  return 0
}
