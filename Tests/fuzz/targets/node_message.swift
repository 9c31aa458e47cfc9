// rooms: Wire
// with: Tests/Wire/MessageSource.swift
// max_len: 2048
import Core
import Wire

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant {
    var source = MessageSource(seed: 1)
    return source.everyForm().compactMap { message in try? encoded(message) }
  }
  return 0
}

/// Where the records of a push and the entries of an append begin.
private let pushAt = 21
private let appendAt = 52

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var bytes = copied(start, count)
  var at = 0
  frames: while true {
    switch WireFrame.next(in: bytes.span.bytes.extracting(at..<bytes.count), limit: 4096) {
    case .needMore(let more):
      insist(more > 0, "more is needed, and yet none")
      break frames
    case .refused: break frames
    case .frame(let frame):
      insist(frame.length > 0 && frame.length <= bytes.count - at, "a frame that is not there")
      read(Array(bytes[at..<at + frame.length]))
      at += frame.length
    }
  }
  guard bytes.count >= WireFrame.headerSize else { return 0 }
  withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { for place in 0..<4 { bytes[place] = $0[place] } }
  read(bytes)
  switch bytes[4] {
  case WireKind.reply.rawValue: seal(&bytes, from: pushAt)
  case WireKind.replica.rawValue: seal(&bytes, from: appendAt)
  default: return 0
  }
  read(bytes)
  return 0
}

private func read(_ bytes: [UInt8]) {
  guard let message = try? NodeMessage(decoding: Bytes(bytes)) else { return }
  insist((try? encoded(message)) == bytes, "\(message) is written otherwise")
}
