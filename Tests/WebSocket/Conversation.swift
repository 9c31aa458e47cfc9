import Core
import WebSocket

/// What came out of a connection, as values that can be compared.
enum Outcome: Equatable, CustomStringConvertible {
  case text([UInt8])
  case binary([UInt8])
  case ping([UInt8])
  case pong([UInt8])
  case close(UInt16?, [UInt8])
  case failed(WebSocketFailure)

  static func text(_ text: String) -> Outcome { .text(Array(text.utf8)) }
  static func binary(_ text: String) -> Outcome { .binary(Array(text.utf8)) }
  static func ping(_ text: String) -> Outcome { .ping(Array(text.utf8)) }
  static func pong(_ text: String) -> Outcome { .pong(Array(text.utf8)) }
  static func close(_ code: UInt16?, _ text: String) -> Outcome { .close(code, Array(text.utf8)) }

  var description: String {
    switch self {
    case .text(let bytes): return "text(\(String(decoding: bytes, as: UTF8.self)))"
    case .binary(let bytes): return "binary(\(bytes))"
    case .ping(let bytes): return "ping(\(bytes))"
    case .pong(let bytes): return "pong(\(bytes))"
    case .close(let code, let reason): return "close(\(code.map { "\($0)" } ?? "none"), \(reason))"
    case .failed(let failure): return "failed(\(failure))"
    }
  }
}

/// How a connection is set up in a test.
struct Setting {
  var role = WebSocketRole.server
  var compression = false
  var limit = WebSocketDecoder.defaultMaximumMessageSize

  static let compressing = Setting(compression: true)
  static let client = Setting(role: .client)
}

/// Feeds pieces as a connection would: what was not taken is shown again, as it was left, with the next piece behind it.
func receive(_ pieces: [[UInt8]], _ setting: Setting = Setting()) -> [Outcome] {
  var receiver = WebSocketReceiver(
    role: setting.role, allowsCompression: setting.compression, maximumMessageSize: setting.limit)
  let inflater = Inflater()
  var outcomes: [Outcome] = []
  var pending: [UInt8] = []
  for piece in pieces {
    pending += piece
    var offset = 0
    pending.withUnsafeMutableBytes { bytes in
      func copy(_ range: Range<Int>) -> [UInt8] { [UInt8](bytes[range]) }
      while true {
        let before = offset
        let event = receiver.next(bytes, &offset, inflater: inflater)
        precondition(offset >= before && offset <= bytes.count, "took bytes that were not there")
        switch event {
        case .needMore:
          precondition(bytes.count - offset <= 138, "kept more than a control frame")
          return
        case .finished: return
        case .message(let message):
          outcomes.append(message.kind == .text ? .text([UInt8](message.bytes)) : .binary([UInt8](message.bytes)))
        case .ping(let range): outcomes.append(.ping(copy(range)))
        case .pong(let range): outcomes.append(.pong(copy(range)))
        case .close(let close): outcomes.append(.close(close.code?.rawValue, copy(close.reason)))
        case .failed(let failure): outcomes.append(.failed(failure))
        }
      }
    }
    pending.removeFirst(offset)
  }
  return outcomes
}

func receive(_ bytes: [UInt8], _ setting: Setting = Setting()) -> [Outcome] { receive([bytes], setting) }

/// How many bytes, one at a time, a connection takes before it fails; nil when it does not.
func failurePosition(_ bytes: [UInt8], _ setting: Setting = Setting()) -> Int? {
  for count in 1...bytes.count {
    if case .failed? = receive([Array(bytes[..<count])], setting).last { return count - 1 }
  }
  return nil
}

/// Bytes written by an encoder.
func written(_ body: (inout ByteBuffer) -> Void) -> [UInt8] {
  var buffer = ByteBuffer()
  body(&buffer)
  return buffer.freeze().array
}

let testMask = WebSocketMask(littleEndian: 0x3d21_fa37)

/// A client's frame.
func frame(
  _ opcode: WebSocketOpcode, _ payload: [UInt8], final: Bool = true, compressed: Bool = false,
  mask: WebSocketMask = testMask
) -> [UInt8] {
  written { buffer in
    payload.withUnsafeBytes {
      WebSocketEncoder.append(masked: opcode, $0, mask: mask, isFinal: final, isCompressed: compressed, into: &buffer)
    }
  }
}

func frame(_ opcode: WebSocketOpcode, _ payload: String, final: Bool = true) -> [UInt8] {
  frame(opcode, Array(payload.utf8), final: final)
}

/// A server's frame.
func serverFrame(
  _ opcode: WebSocketOpcode, _ payload: [UInt8], final: Bool = true, compressed: Bool = false
) -> [UInt8] {
  written { buffer in
    payload.withUnsafeBytes {
      WebSocketEncoder.append(opcode, $0, isFinal: final, isCompressed: compressed, into: &buffer)
    }
  }
}

/// A client's close frame with any two bytes for a code.
func closeFrame(_ code: UInt16, _ reason: [UInt8] = []) -> [UInt8] {
  frame(.close, [UInt8(code >> 8), UInt8(code & 0xff)] + reason)
}

/// The same frame with other bits in its first byte.
func with(firstByte: UInt8, _ frame: [UInt8]) -> [UInt8] { [firstByte] + frame.dropFirst() }

/// Bytes that repeat themselves a little, the same for every run.
func sample(_ count: Int, seed: UInt64 = 7) -> [UInt8] {
  var state = seed
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count)
  while bytes.count < count {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let word = UInt8(truncatingIfNeeded: state >> 56)
    bytes += [word & 0x0f, 0x20, word, word & 0x1f, 0x61].prefix(count - bytes.count)
  }
  return bytes
}
