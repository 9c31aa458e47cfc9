import Core
import SSE

/// What came out of a stream, as values that can be compared.
enum Outcome: Equatable {
  case event(id: String, type: String, data: String)
  case retry(Int)
  case tooBig

  static func message(_ data: String, id: String = "") -> Outcome { .event(id: id, type: "message", data: data) }
}

/// Feeds pieces as a connection would, and says what came out and the last id.
func read(
  _ pieces: [[UInt8]], limit: Int = SSEDecoder.defaultMaximumEventSize, from lastEventID: Bytes = Bytes()
) -> (outcomes: [Outcome], lastEventID: String) {
  var decoder = SSEDecoder(lastEventID: lastEventID, maximumEventSize: limit)
  var outcomes: [Outcome] = []
  for piece in pieces {
    piece.withUnsafeBytes { bytes in
      var offset = 0
      while true {
        switch decoder.next(bytes, &offset) {
        case .needMore:
          precondition(offset == bytes.count, "bytes were left")
          return
        case .event:
          let event = decoder.event
          outcomes.append(.event(id: event.lastEventID.text, type: event.type.text, data: event.data.text))
        case .retry(let milliseconds): outcomes.append(.retry(milliseconds))
        case .tooBig:
          if outcomes.last != .tooBig { outcomes.append(.tooBig) }
          return
        }
      }
    }
  }
  return (outcomes, decoder.lastEventID.text)
}

func read(_ text: String) -> [Outcome] { read([Array(text.utf8)]).outcomes }

/// One encoded event.
func encoded(id: String? = nil, type: String? = nil, data: [UInt8]) -> [UInt8] {
  var buffer = ByteBuffer()
  append(id.map { Array($0.utf8) }, type.map { Array($0.utf8) }, data, into: &buffer)
  return buffer.freeze().array
}

private func append(_ id: [UInt8]?, _ type: [UInt8]?, _ data: [UInt8], into buffer: inout ByteBuffer) {
  (id ?? []).withUnsafeBytes { idBytes in
    (type ?? []).withUnsafeBytes { typeBytes in
      data.withUnsafeBytes {
        SSEEncoder.append(id: id == nil ? nil : idBytes, type: type == nil ? nil : typeBytes, data: $0, into: &buffer)
      }
    }
  }
}

func encoded(id: String? = nil, type: String? = nil, _ data: String) -> String {
  String(decoding: encoded(id: id, type: type, data: Array(data.utf8)), as: UTF8.self)
}
