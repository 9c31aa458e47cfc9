// rooms: WebSocket
// max_len: 1024
import Core
import WebSocket

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant {
    let mask: [UInt8] = [1, 2, 3, 4]
    func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
      [first, 0x80 | UInt8(payload.count)] + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }
    let deflated: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
    return [
      [0] + frame(0x81, Array("hällo".utf8)) + frame(0x89, [1]) + frame(0x88, [3, 0xe8]),
      [0] + frame(0x01, [0x68]) + frame(0x8a, []) + frame(0x80, [0x69]), [1] + frame(0xc1, deflated),
      [1] + frame(0x42, Array(deflated[..<3])) + frame(0x80, Array(deflated[3...])), [2, 0x81, 2, 0x68, 0x69], [0, 0x82, 0xfe, 0, 126] + mask,
    ]
  }
  return 0
}

// One thread.
private nonisolated(unsafe) let inflater = Inflater()

/// The first byte says who decodes, and with what.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = copied(start, count)
  guard let form = input.first else { return 0 }
  let bytes = Array(input.dropFirst())
  let whole = outcomes(bytes, form, step: bytes.count)
  if bytes.count <= 256 { insist(outcomes(bytes, form, step: 1) == whole, "where the bytes are cut changes what they mean") }
  insist(outcomes(bytes, form, step: 5 + bytes.count / 8) == whole, "where the bytes are cut changes what they mean")
  return 0
}

private func outcomes(_ bytes: [UInt8], _ form: UInt8, step: Int) -> [[UInt8]] {
  var receiver = WebSocketReceiver(role: form & 2 == 0 ? .server : .client, allowsCompression: form & 1 == 1, maximumMessageSize: 2000)
  var outcomes: [[UInt8]] = []
  var kept: [UInt8] = []
  var shown = 0
  while shown < bytes.count {
    let next = min(bytes.count, shown + max(1, step))
    kept += bytes[shown..<next]
    shown = next
    var input = kept
    let taken = input.withUnsafeMutableBytes { memory -> Int? in
      var offset = 0
      while true {
        let event = receiver.next(memory, &offset, inflater: inflater)
        insist(offset <= memory.count, "more taken than there was")
        switch event {
        case .needMore: return offset
        case .message(let message): outcomes.append([1] + [UInt8](message.bytes))
        case .ping(let range): outcomes.append([2] + memory[range])
        case .pong(let range): outcomes.append([3] + memory[range])
        case .close(let close): outcomes.append(Array("close \(String(describing: close.code))".utf8))
        case .failed(let failure): outcomes.append(Array("failed \(failure)".utf8))
        case .finished: return nil
        }
      }
    }
    insist(receiver.heldBytes <= 1 << 16, "\(receiver.heldBytes) bytes are held")
    guard let taken else { return outcomes }
    kept.removeFirst(taken)
    insist(kept.count <= 139, "\(kept.count) bytes are left lying")
  }
  return outcomes
}
