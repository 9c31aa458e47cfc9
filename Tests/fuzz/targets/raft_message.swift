// rooms: Raft Wire
// with: Tests/Wire/MessageSource.swift
// max_len: 2048
import Core
import Raft

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant {
    var source = MessageSource(seed: 1)
    return source.rafts().map { message in written { message.encode(into: &$0) } }
  }
  return 0
}

private let entriesAt = 39

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var bytes = copied(start, count)
  read(bytes)
  if bytes.count > entriesAt, bytes[1] == 5 {
    seal(&bytes, from: entriesAt)
    read(bytes)
  }
  return 0
}

private func read(_ bytes: [UInt8]) {
  guard let message = try? RaftMessage(decoding: Bytes(bytes)) else { return }
  insist(written { message.encode(into: &$0) } == bytes, "\(message) is written otherwise")
}
