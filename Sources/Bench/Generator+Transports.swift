import Core
import Glibc

/// How each transport asks to follow, and what arrives over it. A reading function returns the part of the bytes to
/// keep for the next time; nil when the connection is gone.
extension Generator {
  // A word is looked for in few places of few messages; there it may take its time.
  private static let cursorName = Array(#""cursor":""#.utf8)
  private static let positionName = Array(#""position":""#.utf8)
  private static let subscribedName = Array(#""subscribed""#.utf8)

  /// Whether cursors are kept: only a storm resumes, and keeping them costs.
  private var keepsCursors: Bool { plan.scenario == .storm }

  /// The request that makes the server follow.
  func ask(_ subscriber: Subscriber, into buffer: inout ByteBuffer) {
    switch plan.transport {
    case .mqtt: return askMQTT(subscriber, into: &buffer)
    case .sse:
      beginRequest("/v1/events?topic=", subscriber, into: &buffer)
      endRequest(into: &buffer)
      buffer.append("Accept: text/event-stream\r\n")
      if !subscriber.cursor.isEmpty {
        buffer.append("Last-Event-ID: ")
        buffer.append(subscriber.cursor)
        buffer.append("\r\n")
      }
    case .websocket:
      buffer.append("GET /v1/ws")
      endRequest(into: &buffer)
      buffer.append("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n")
      buffer.append("Sec-WebSocket-Key: dGlkaW5ncy1iZW5jaC0wMQ==\r\nSec-WebSocket-Protocol: tidings.v1\r\n")
    case .longPoll:
      beginRequest("/v1/events?topic=", subscriber, into: &buffer)
      // The first answer comes at once and says where now is.
      if subscriber.cursor.isEmpty {
        buffer.append("&since=latest")
      } else {
        buffer.append("&wait=30&cursor=")
        buffer.append(subscriber.cursor)
      }
      endRequest(into: &buffer)
    }
    buffer.append("\r\n")
  }

  private func beginRequest(_ path: StaticString, _ subscriber: Subscriber, into buffer: inout ByteBuffer) {
    buffer.append("GET ")
    buffer.append(path)
    buffer.append(text: topicPrefix)
    buffer.append(decimal: subscriber.topic)
  }

  private func endRequest(into buffer: inout ByteBuffer) {
    buffer.append(" HTTP/1.1\r\nHost: ")
    buffer.append(text: address.text)
    buffer.append("\r\n")
  }

  private func refused(_ subscriber: Subscriber, _ what: String, _ bytes: UnsafeMutableRawBufferPointer) -> Range<Int>? {
    tally.badAnswers += 1
    complain("\(what): \(String(decoding: bytes.prefix(200), as: UTF8.self))")
    lost(subscriber, nil)
    return nil
  }

  // MARK: SSE

  func readEvents(_ subscriber: Subscriber, _ bytes: UnsafeMutableRawBufferPointer, fresh: Int, now: UInt64) -> Range<Int>? {
    var start = 0
    var firstFresh = bytes.count - fresh
    if subscriber.state == .asking {
      switch AnswerHead.read(UnsafeRawBufferPointer(bytes)) {
      case .needMore: return 0..<bytes.count
      case .malformed: return refused(subscriber, "an answer that is not HTTP", bytes)
      case .head(let head, let length):
        guard head.status == 200 else { return refused(subscriber, "the server does not follow", bytes) }
        subscriber.isChunked = head.isChunked
        subscriber.dechunker = Dechunker()
        start = length
        firstFresh = length
        follows(subscriber)
      }
    }
    var end = bytes.count
    if subscriber.isChunked {
      end = firstFresh + subscriber.dechunker.join(UnsafeMutableRawBufferPointer(rebasing: bytes[firstFresh...]))
    }
    let body = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    let used = keepsCursors ? takeWholeEvents(subscriber, body, now: now) : scan(subscriber, body, now: now)
    if subscriber.dechunker.isAtEnd {
      lost(subscriber, "the stream ended")
      return nil
    }
    return start + used..<end
  }

  /// Takes events only whole, so that the cursor and what was counted agree; the result is how many bytes they had.
  private func takeWholeEvents(_ subscriber: Subscriber, _ bytes: UnsafeRawBufferPointer, now: UInt64) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    var eventStart = 0
    var lineStart = 0
    var id: Range<Int>?
    while lineStart < bytes.count, let place = memchr(base + lineStart, 10, bytes.count - lineStart) {
      let lineFeed = UnsafeRawPointer(place) - base
      let line = lineStart..<(lineFeed > lineStart && bytes[lineFeed - 1] == 13 ? lineFeed - 1 : lineFeed)
      lineStart = lineFeed + 1
      if line.isEmpty {
        _ = scan(subscriber, UnsafeRawBufferPointer(rebasing: bytes[eventStart..<lineFeed]), now: now)
        if let id { subscriber.cursor = Array(bytes[id]) }
        id = nil
        eventStart = lineStart
      } else if line.count >= 3, bytes[line.lowerBound] == UInt8(ascii: "i"), bytes[line.lowerBound + 1] == UInt8(ascii: "d"),
        bytes[line.lowerBound + 2] == UInt8(ascii: ":")
      {
        let skipped = line.count > 3 && bytes[line.lowerBound + 3] == UInt8(ascii: " ") ? 4 : 3
        id = line.lowerBound + skipped..<line.upperBound
      }
    }
    return eventStart
  }

  // MARK: WebSocket

  func readFrames(_ subscriber: Subscriber, _ bytes: UnsafeMutableRawBufferPointer, now: UInt64) -> Range<Int>? {
    var at = 0
    if subscriber.state == .asking {
      switch AnswerHead.read(UnsafeRawBufferPointer(bytes)) {
      case .needMore: return 0..<bytes.count
      case .malformed: return refused(subscriber, "an answer that is not HTTP", bytes)
      case .head(let head, let length):
        guard head.status == 101 else { return refused(subscriber, "the server does not speak WebSocket", bytes) }
        at = length
        subscriber.state = .waiting
        guard subscribe(subscriber) else { return nil }
      }
    }
    while true {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
      switch WebSocketFrame.read(rest) {
      case .needMore: return at..<bytes.count
      case .malformed: return refused(subscriber, "a frame that is none", UnsafeMutableRawBufferPointer(rebasing: bytes[at...]))
      case .frame(let frame):
        let payload = UnsafeRawBufferPointer(rebasing: rest[frame.payload])
        guard take(frame.kind, payload, subscriber, now: now) else { return nil }
        at += frame.length
      }
    }
  }

  private func subscribe(_ subscriber: Subscriber) -> Bool {
    var message = ByteBuffer(capacity: 128)
    message.append(#"{"op":"subscribe","id":"s","topics":[""#)
    message.append(text: topicPrefix)
    message.append(decimal: subscriber.topic)
    message.append(#""]"#)
    if let folded = subscriber.folded {
      message.append(#","cursor":""#)
      folded.write(into: &message)
      message.append(UInt8(ascii: "\""))
    }
    message.append("}")
    subscriber.socket.queue { buffer in message.withUnsafeBytes { WebSocketFrame.write(.text, $0, into: &buffer) } }
    return flush(subscriber)
  }

  private func take(_ kind: WebSocketFrame.Kind, _ payload: UnsafeRawBufferPointer, _ subscriber: Subscriber, now: UInt64) -> Bool
  {
    switch kind {
    case .text, .binary, .continuation:
      if subscriber.state == .waiting, payload.position(after: Generator.subscribedName) != nil {
        if keepsCursors { keepCursor(subscriber, payload) }
        follows(subscriber)
      } else if keepsCursors, let position = value(of: Generator.positionName, in: payload), let folded = subscriber.folded {
        subscriber.folded = fold(position, into: folded)
      }
      _ = scan(subscriber, payload, now: now)
    case .ping:
      subscriber.socket.queue { WebSocketFrame.write(.pong, payload, into: &$0) }
      return flush(subscriber)
    case .pong: break
    case .close:
      lost(subscriber, "the server closed the WebSocket")
      return false
    }
    return true
  }

  private func keepCursor(_ subscriber: Subscriber, _ payload: UnsafeRawBufferPointer) {
    // A resumed one goes on from where it asked to.
    guard subscriber.folded == nil, let text = value(of: Generator.cursorName, in: payload) else { return }
    do throws(CursorError) {
      subscriber.folded = try Cursor(parsing: text)
    } catch {
      complain("'\(text)': \(error)")
    }
  }

  private func fold(_ position: String, into cursor: Cursor) -> Cursor {
    let numbers = position.split(separator: ".")
    guard numbers.count == 2, let shard = UInt16(numbers[0]), let offset = UInt64(numbers[1]) else { return cursor }
    var cursor = cursor
    cursor.fold(Position(ShardID(shard), Offset(offset)))
    return cursor
  }

  private func value(of name: [UInt8], in payload: UnsafeRawBufferPointer) -> String? {
    guard let start = payload.position(after: name), let end = payload[start...].firstIndex(of: UInt8(ascii: "\"")) else {
      return nil
    }
    return String(decoding: payload[start..<end], as: UTF8.self)
  }

  // MARK: Long-polling

  func readAnswers(_ subscriber: Subscriber, _ bytes: UnsafeMutableRawBufferPointer, now: UInt64) -> Range<Int>? {
    switch WholeAnswer.read(bytes) {
    case .needMore: return 0..<bytes.count
    case .malformed: return refused(subscriber, "an answer that is not HTTP", bytes)
    case .answer(let head, let body, let length):
      guard head.status == 200 || head.status == 204, let cursor = head.cursor else {
        return refused(subscriber, "the server does not follow", bytes)
      }
      subscriber.cursor = Array(bytes[cursor])
      follows(subscriber)
      _ = scan(subscriber, UnsafeRawBufferPointer(rebasing: bytes[body]), now: now)
      guard !head.closes else {
        lost(subscriber, "the server closed after an answer")
        return nil
      }
      subscriber.socket.queue { ask(subscriber, into: &$0) }
      return flush(subscriber) ? length..<bytes.count : nil
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Where what follows the first `name` begins.
  fileprivate func position(after name: [UInt8]) -> Int? {
    guard let base = baseAddress, let first = name.first else { return nil }
    var at = 0
    while at + name.count <= count, let place = memchr(base + at, Int32(first), count - at - name.count + 1) {
      at = UnsafeRawPointer(place) - base
      if memcmp(base + at, name, name.count) == 0 { return at + name.count }
      at += 1
    }
    return nil
  }
}
