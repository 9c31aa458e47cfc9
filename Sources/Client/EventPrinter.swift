internal import Core
internal import Glibc
internal import JSON

/// Prints what a follower sees: payloads, or whole events, one a line.
public final class EventPrinter: FollowSink {
  public enum Style: Sendable {
    /// The payload alone: strings as their text, binary data as its bytes, other JSON as JSON.
    case payload
    /// The whole event; a gap as `{"gap":{…}}`.
    case json
  }

  /// How much is gathered before it is written even though more events are at hand.
  static let flushSize = 256 << 10

  private let style: Style
  private let output: Int32
  private let onNotice: (String) -> Void
  private var buffer = ByteBuffer()

  /// `output` is a descriptor that stays open; standard output unless said otherwise.
  public init(style: Style, output: Int32 = 1, onNotice: @escaping (String) -> Void) {
    self.style = style
    self.output = output
    self.onNotice = onNotice
  }

  public func event(_ json: UnsafeRawBufferPointer) throws(ClientFailure) {
    switch style {
    case .json: buffer.append(compacting: json.bytes)
    case .payload:
      do throws(JSONError) {
        try EventPayload.append(of: json.bytes, into: &buffer)
      } catch {
        throw .malformedAnswer("an event is not what it should be: \(error)")
      }
    }
    buffer.append(UInt8(ascii: "\n"))
    if buffer.count >= EventPrinter.flushSize { try flush() }
  }

  public func gap(_ json: UnsafeRawBufferPointer) throws(ClientFailure) {
    onNotice(EventGap.sentence(json.bytes))
    guard style == .json else { return }
    buffer.append("{\"gap\":")
    buffer.append(compacting: json.bytes)
    buffer.append("}\n")
  }

  public func flush() throws(ClientFailure) {
    guard !buffer.isEmpty else { return }
    let isWritten = buffer.withUnsafeBytes { Descriptor.writeAll($0, to: output) }
    guard isWritten else { throw .output(reason: systemReason(errno)) }
    buffer.removeAll()
  }

  public func notice(_ text: String) { onNotice(text) }
}
