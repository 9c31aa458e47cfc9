public import Core

/// Reads an event stream as the WHATWG HTML standard, section 9.2.6, says, whatever its line ends and however it is cut.
///
/// Bytes stay bytes: text that is not UTF-8 is for the reader of the event to replace. An event that the stream's end
/// cuts short is dropped, as the standard wants: drop the decoder.
public struct SSEDecoder: ~Copyable {
  /// What the line under way and the event's data may take together, unless the caller says otherwise.
  public static let defaultMaximumEventSize = 16 << 20

  private let maximumEventSize: Int
  private var line = ByteBuffer()
  private var data = ByteBuffer()
  private var type = ByteBuffer()
  private var nextID = ByteBuffer()
  private var id = ByteBuffer()
  private var isFirstLine = true
  private var endedWithCarriageReturn = false
  private var isDelivered = false
  private var isTooBig = false

  /// `lastEventID` is what an earlier connection of the same client remembered.
  public init(lastEventID: Bytes = Bytes(), maximumEventSize: Int = SSEDecoder.defaultMaximumEventSize) {
    self.maximumEventSize = maximumEventSize
    nextID.append(lastEventID)
    id.append(lastEventID)
  }

  /// Where the client stands: what to send as `Last-Event-ID` when it reconnects. Set by an id without data too.
  public var lastEventID: Bytes { Bytes(copying: id.bytes) }

  /// The event of the last step, as a value.
  public var event: SSEEvent {
    SSEEvent(
      lastEventID: Bytes(copying: id.bytes), type: type.isEmpty ? Bytes("message") : Bytes(copying: type.bytes),
      data: Bytes(copying: data.bytes))
  }

  /// The event of the last step where it lies, without a copy. The type is empty when the stream named none.
  public func withEvent<R>(
    _ body: (_ id: UnsafeRawBufferPointer, _ type: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer) -> R
  ) -> R {
    id.withUnsafeBytes { id in type.withUnsafeBytes { type in data.withUnsafeBytes { body(id, type, $0) } } }
  }

  /// Decodes from `offset` on and moves it past what was taken. Taken bytes are never needed again.
  public mutating func next(_ input: UnsafeRawBufferPointer, _ offset: inout Int) -> SSEStep {
    if isDelivered { startEvent() }
    while !isTooBig, offset < input.count {
      if endedWithCarriageReturn {
        endedWithCarriageReturn = false
        if input[offset] == LineBreaks.lineFeed {
          offset += 1
          continue
        }
      }
      let end = LineBreaks.first(in: input, from: offset)
      let part = UnsafeRawBufferPointer(rebasing: input[offset..<end])
      guard part.count <= maximumEventSize - line.count - data.count else {
        isTooBig = true
        break
      }
      guard end < input.count else {
        line.append(part)
        offset = end
        return .needMore
      }
      endedWithCarriageReturn = input[end] == LineBreaks.carriageReturn
      offset = end + 1
      if let step = endLine(part) { return step }
    }
    guard isTooBig else { return .needMore }
    offset = input.count
    return .tooBig
  }

  private mutating func startEvent() {
    data.removeAll()
    type.removeAll()
    isDelivered = false
  }

  /// Takes a whole line: what was kept of it, and its last part.
  private mutating func endLine(_ part: UnsafeRawBufferPointer) -> SSEStep? {
    if line.isEmpty, !isFirstLine { return take(part) }
    line.append(part)
    if isFirstLine, line.withUnsafeBytes({ $0.starts(with: SSEDecoder.byteOrderMark) }) {
      line.removeFirst(SSEDecoder.byteOrderMark.count)
    }
    isFirstLine = false
    // Taken out for the call, so that the line is not part of what the call changes.
    var whole = ByteBuffer()
    swap(&whole, &line)
    let step = whole.withUnsafeBytes { take($0) }
    whole.removeAll()
    swap(&whole, &line)
    return step
  }

  private static var byteOrderMark: [UInt8] { [0xef, 0xbb, 0xbf] }

  private mutating func take(_ line: UnsafeRawBufferPointer) -> SSEStep? {
    guard !line.isEmpty else { return dispatch() }
    let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.count
    let name = UnsafeRawBufferPointer(rebasing: line[..<colon])
    var valueStart = min(colon + 1, line.count)
    if valueStart < line.count, line[valueStart] == UInt8(ascii: " ") { valueStart += 1 }
    let value = UnsafeRawBufferPointer(rebasing: line[valueStart...])
    if SSEDecoder.spells(name, "data") {
      data.append(value)
      data.append(LineBreaks.lineFeed)
    } else if SSEDecoder.spells(name, "id") {
      if !value.contains(0) { SSEDecoder.set(&nextID, value) }
    } else if SSEDecoder.spells(name, "event") {
      SSEDecoder.set(&type, value)
    } else if SSEDecoder.spells(name, "retry") {
      return SSEDecoder.retry(value)
    }
    return nil
  }

  private mutating func dispatch() -> SSEStep? {
    nextID.withUnsafeBytes { SSEDecoder.set(&id, $0) }
    guard !data.isEmpty else {
      type.removeAll()
      return nil
    }
    data.truncate(to: data.count - 1)
    isDelivered = true
    return .event
  }

  private static func set(_ buffer: inout ByteBuffer, _ value: UnsafeRawBufferPointer) {
    buffer.removeAll()
    buffer.append(value)
  }

  private static func spells(_ name: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
    name.count == word.utf8CodeUnitCount && name.indices.allSatisfy { name[$0] == word.utf8Start[$0] }
  }

  /// A delay of digits only; anything else is ignored, and what does not fit is the longest there is.
  private static func retry(_ value: UnsafeRawBufferPointer) -> SSEStep? {
    guard !value.isEmpty, value.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else { return nil }
    var milliseconds = 0
    for digit in value {
      let (tens, overflows) = milliseconds.multipliedReportingOverflow(by: 10)
      let (sum, overflowsToo) = tens.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
      guard !overflows, !overflowsToo else { return .retry(milliseconds: .max) }
      milliseconds = sum
    }
    return .retry(milliseconds: milliseconds)
  }
}
