import CLinux
import Core
import Glibc

/// What arrives, taken apart and counted.
extension Generator {

  enum Received {
    case bytes(UnsafeMutableRawBufferPointer, fresh: Int, isAll: Bool)
    case nothing
    case failed(String)
  }

  func receive(_ socket: inout ClientSocket) -> Received {
    let carried = socket.carried.count
    guard carried <= Generator.carryRoom else { return .failed("a frame of more than \(Generator.carryRoom) bytes") }
    let target = memory + Generator.carryRoom
    let count = tidings_receive(socket.descriptor, target, UInt(Generator.readSize))
    if count == -Int(EAGAIN) || count == -Int(EINTR) { return .nothing }
    if count == 0 { return .failed("closed by the server") }
    if count < 0 { return .failed(String(cString: strerror(Int32(-count)))) }
    let start = target - carried
    if carried > 0 { start.copyMemory(from: socket.carried.readPointer, byteCount: carried) }
    socket.carried.removeAll()
    return .bytes(
      UnsafeMutableRawBufferPointer(start: start, count: carried + count), fresh: count, isAll: count < Generator.readSize)
  }

  func read(_ subscriber: Subscriber) {
    while true {
      switch receive(&subscriber.socket) {
      case .nothing: return
      case .failed(let why): return lost(subscriber, why)
      case .bytes(let bytes, let fresh, let isAll):
        let now = Generator.now()
        let rest: Range<Int>? =
          switch plan.transport {
          case .sse: readEvents(subscriber, bytes, fresh: fresh, now: now)
          case .websocket: readFrames(subscriber, bytes, now: now)
          case .longPoll: readAnswers(subscriber, bytes, now: now)
          case .mqtt: readPackets(subscriber, bytes, now: now)
          }
        guard let rest else { return }
        if !rest.isEmpty { subscriber.socket.carried.append(UnsafeRawBufferPointer(rebasing: bytes[rest])) }
        if isAll { return }
      }
    }
  }

  func read(_ publisher: Publisher) {
    while true {
      switch receive(&publisher.socket) {
      case .nothing: return
      case .failed(let why): return lost(publisher, why)
      case .bytes(let bytes, _, let isAll):
        let isMQTT = plan.transport == .mqtt
        guard let used = isMQTT ? readPublisherPackets(publisher, UnsafeRawBufferPointer(bytes)) : readAcknowledgements(publisher, bytes)
        else { return }
        if used < bytes.count { publisher.socket.carried.append(UnsafeRawBufferPointer(rebasing: bytes[used...])) }
        if isAll { return }
      }
    }
  }

  func readAcknowledgements(_ publisher: Publisher, _ bytes: UnsafeMutableRawBufferPointer) -> Int? {
    let now = Generator.now()
    var at = 0
    while at < bytes.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[at...])
      switch WholeAnswer.read(rest) {
      case .needMore: return at
      case .malformed:
        tally.badAnswers += 1
        lost(publisher, "an answer that is not HTTP")
        return nil
      case .answer(let head, let body, let length):
        if head.status / 100 != 2 {
          tally.refusedPublishes += 1
          let text = String(decoding: rest[body].prefix(200), as: UTF8.self)
          complain("a publish was answered with \(head.status): \(text)")
        } else {
          tally.acknowledged += 1
        }
        if let sentAt = publisher.answered(), isMeasuring { tally.acknowledgement.record(now - sentAt) }
        at += length
        if head.closes {
          lost(publisher, "the server closed after an answer")
          return nil
        }
      }
    }
    return at
  }

  @inline(__always) func scan(_ subscriber: Subscriber, _ bytes: UnsafeRawBufferPointer, now: UInt64) -> Int {
    Marker.scan(bytes) { deliver($0, to: subscriber, now: now) }
  }

  func deliver(_ marker: Marker, to subscriber: Subscriber, now: UInt64) {
    guard marker.run == run, marker.publisher < publishers.count else {
      tally.foreign += 1
      return
    }
    if subscriber.windows.isEmpty { subscriber.windows = [SequenceWindow](repeating: SequenceWindow(), count: publishers.count) }
    switch subscriber.windows[Int(marker.publisher)].take(marker.sequence) {
    case .duplicate:
      tally.duplicates += 1
      return
    case .late:
      tally.late += 1
      tally.missing -= 1
    case .new(let skipped): tally.missing += Int(skipped)
    }
    tally.delivered += 1
    tally.lastDelivery = now
    if isMeasuring { tally.delivery.record(now > marker.nanoseconds ? now - marker.nanoseconds : 0) }
    if !subscriber.isCaughtUp, subscriber.state == .following, subscriber.windows[0].last >= subscriber.target {
      hasCaughtUp(subscriber, at: now)
    }
  }
}
