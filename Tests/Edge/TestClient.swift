import Core
import Glibc
import HTTP
import SSE
import Testing
import WebSocket

@testable import Reactor

/// The other end of a connection: sends what it is told to and keeps what it received.
final class TestClient {
  /// Handed to the edge, which closes it.
  let serverEnd: FileDescriptor
  private let descriptor: FileDescriptor
  private(set) var received: [UInt8] = []
  /// Where the next look at what was received begins.
  private var looked = 0
  private(set) var hasEnded = false
  /// Reads nothing while set.
  var isStalled = false
  private var isOpen = true
  private var masks: UInt32 = 0x0102_0304

  init(buffer: Int?) throws {
    var ends: [Int32] = [0, 0]
    let result = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends)
    try #require(result == 0)
    serverEnd = FileDescriptor(ends[0])
    descriptor = FileDescriptor(ends[1])
    if let buffer { try SystemCalls.setOption(serverEnd, SOL_SOCKET, SO_SNDBUF, buffer) }
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) {
    let sent = bytes.withUnsafeBytes { descriptor.send($0.baseAddress.unsafelyUnwrapped, count: $0.count) }
    #expect(sent == .bytes(bytes.count), "the harness sends less than the kernel takes")
  }

  /// True if anything came.
  @discardableResult func receive() -> Bool {
    guard isOpen, !hasEnded else { return false }
    let before = received.count
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      switch chunk.withUnsafeMutableBytes({ descriptor.receive(into: $0.baseAddress.unsafelyUnwrapped, count: $0.count) }) {
      case .bytes(let count): received += chunk[..<count]
      case .wouldBlock: return received.count > before
      case .closed, .failed:
        hasEnded = true
        return true
      }
    }
  }

  /// Reads what is there and keeps none of it.
  func forget() {
    withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { chunk in
      while case .bytes = descriptor.receive(into: chunk.baseAddress.unsafelyUnwrapped, count: chunk.count) {}
    }
  }

  /// Sends nothing more and goes on reading.
  func finishSending() { descriptor.finishSending() }

  func close() {
    guard isOpen else { return }
    isOpen = false
    descriptor.close()
  }

  /// What came since the last look, as text.
  func take() -> String {
    defer { looked = received.count }
    return String(decoding: received[looked...], as: UTF8.self)
  }

  func takeBytes() -> [UInt8] {
    defer { looked = received.count }
    return fresh
  }

  /// What came since the last look, without looking.
  var fresh: [UInt8] { Array(received[looked...]) }

  // MARK: HTTP

  struct Answer {
    var status: Int
    var headers: [(name: String, value: String)]
    var body: String

    subscript(name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
  }

  /// The whole answers that came since the last look.
  func answers(to methods: [HTTPMethod] = []) -> [Answer] {
    var decoder = HTTPResponseDecoder()
    var head = HTTPResponseHead()
    var found: [Answer] = []
    var body: [UInt8] = []
    var at = looked
    var methods = methods[...]
    if let method = methods.popFirst() { decoder.expect(answerTo: method) }
    while true {
      let rest = Array(received[at...])
      let step = rest.withUnsafeBytes { decoder.next($0.bytes, head: &head) }
      switch step {
      case .needMore: return found
      case .failure(let failure):
        Issue.record("the edge's answer is broken: \(failure)")
        return found
      case .head(let consumed):
        let text = rest.withUnsafeBytes { bytes in
          head.fields.lines.map { (bytes.bytes.text($0.name), bytes.bytes.text($0.value)) }
        }
        if !head.isInterim { found.append(Answer(status: head.status, headers: text, body: "")) }
        body = []
        at += consumed
      case .body(let range, let consumed):
        body += rest[range]
        at += consumed
      case .end(let consumed):
        at += consumed
        looked = at
        guard !head.isInterim else { continue }
        found[found.count - 1].body = String(decoding: body, as: UTF8.self)
        if let method = methods.popFirst() { decoder.expect(answerTo: method) }
      }
    }
  }

  // MARK: Server-sent events

  /// The events of the stream so far, from its beginning.
  func events() -> [(id: String, type: String, data: String)] {
    var decoder = SSEDecoder()
    var found: [(String, String, String)] = []
    guard let start = bodyStart else { return [] }
    received[start...].withUnsafeBytes { bytes in
      var offset = 0
      while true {
        switch decoder.next(bytes, &offset) {
        case .event:
          let event = decoder.event
          found.append((event.lastEventID.text, event.type.text, event.data.text))
        case .retry: continue
        case .needMore: return
        case .tooBig: return
        }
      }
    }
    return found
  }

  /// What an EventSource would send as Last-Event-ID now.
  var lastEventID: String {
    var decoder = SSEDecoder()
    guard let start = bodyStart else { return "" }
    received[start...].withUnsafeBytes { bytes in
      var offset = 0
      while offset < bytes.count { if case .needMore = decoder.next(bytes, &offset) { break } }
    }
    return decoder.lastEventID.text
  }

  /// Where the body of the first answer begins.
  var bodyStart: Int? {
    let end = Array("\r\n\r\n".utf8)
    guard received.count >= end.count else { return nil }
    return (0...(received.count - end.count)).first { Array(received[$0..<$0 + 4]) == end }.map { $0 + 4 }
  }

  /// The lines of a stream so far.
  var lines: [String] {
    guard let start = bodyStart else { return [] }
    return String(decoding: received[start...], as: UTF8.self).split(separator: "\n").map(String.init)
  }

  // MARK: WebSocket

  static let upgrade =
    "GET /v1/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

  func sendFrame(_ text: String, _ opcode: WebSocketOpcode = .text) {
    var buffer = ByteBuffer()
    masks = masks &* 1_664_525 &+ 1_013_904_223
    Array(text.utf8).withUnsafeBytes {
      WebSocketEncoder.append(masked: opcode, $0, mask: WebSocketMask(littleEndian: masks), into: &buffer)
    }
    send(buffer.withUnsafeBytes { Array($0) })
  }

  /// Everything that came over the socket since it was opened; control frames as `ping` and `close CODE`.
  func messages() -> [String] {
    guard let start = bodyStart else { return [] }
    var receiver = WebSocketReceiver(role: .client, maximumMessageSize: 16 << 20)
    var bytes = Array(received[start...])
    var found: [String] = []
    bytes.withUnsafeMutableBytes { bytes in
      var offset = 0
      while true {
        switch receiver.next(bytes, &offset) {
        case .needMore, .finished: return
        case .message(let message): found.append(String(decoding: message.bytes, as: UTF8.self))
        case .ping: found.append("ping")
        case .pong: found.append("pong")
        case .close(let close): found.append("close \(close.code.map { Int($0.rawValue) } ?? 0)")
        case .failed(let failure):
          Issue.record("the edge's frames are broken: \(failure)")
          return
        }
      }
    }
    return found
  }
}

/// A GET, or another request without a body.
func request(_ target: String, method: String = "GET", _ headers: String...) -> String {
  "\(method) \(target) HTTP/1.1\r\nHost: h\r\n" + headers.map { $0 + "\r\n" }.joined() + "\r\n"
}

/// A request with a body.
func post(_ target: String, _ body: String, method: String = "POST", _ headers: String...) -> String {
  "\(method) \(target) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n" + headers.map { $0 + "\r\n" }.joined()
    + "\r\n" + body
}

let eventStream = "Accept: text/event-stream"
