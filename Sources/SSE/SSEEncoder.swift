public import Core

/// Writes an event stream as the WHATWG HTML standard, section 9.2, has clients read it.
public enum SSEEncoder {
  /// Appends one event. `id` and `type` must be acceptable; an absent or empty type is the client's `message`.
  ///
  /// Every CR LF, CR or LF in `data` is a line break, which the client will see as one LF. Empty data is an event too.
  public static func append(
    id: UnsafeRawBufferPointer? = nil, type: UnsafeRawBufferPointer? = nil, data: UnsafeRawBufferPointer,
    into buffer: inout ByteBuffer
  ) {
    if let id { append(field: "id: ", id, into: &buffer) }
    if let type, !type.isEmpty { append(field: "event: ", type, into: &buffer) }
    append(lines: data, each: "data: ", into: &buffer)
    buffer.append(LineBreaks.lineFeed)
  }

  /// Appends an id alone: the client fires nothing, but remembers where it stands.
  public static func append(idAlone id: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    append(field: "id: ", id, into: &buffer)
    buffer.append(LineBreaks.lineFeed)
  }

  /// Appends how long a client should wait before it connects again.
  public static func append(retryMilliseconds: Int, into buffer: inout ByteBuffer) {
    precondition(retryMilliseconds >= 0, "a time to wait is not negative")
    buffer.append("retry: ")
    buffer.append(decimal: retryMilliseconds)
    buffer.append("\n\n")
  }

  /// Appends a comment, which clients skip; an empty one keeps an idle connection alive.
  public static func append(comment: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    append(lines: comment, each: comment.isEmpty ? ":" : ": ", into: &buffer)
    buffer.append(LineBreaks.lineFeed)
  }

  /// What an event of these sizes takes at most: every byte of its data could be a line break.
  public static func maximumSize(idCount: Int, typeCount: Int, dataCount: Int) -> Int {
    let prefixSize = 6
    let idSize = "id: \n".utf8.count + idCount
    let typeSize = "event: \n".utf8.count + typeCount
    return idSize + typeSize + (dataCount + 1) * (prefixSize + 1) + 1
  }

  /// Whether `type` may be an event's type: text that stays on its line.
  public static func isAcceptableType(_ type: UnsafeRawBufferPointer) -> Bool { staysOnItsLine(type) }

  /// Whether `id` may be an event's id: text that stays on its line. A client ignores an id with a NUL.
  public static func isAcceptableID(_ id: UnsafeRawBufferPointer) -> Bool { staysOnItsLine(id) }

  private static func staysOnItsLine(_ text: UnsafeRawBufferPointer) -> Bool {
    LineBreaks.first(in: text) == text.count && !text.contains(0) && UTF8Validator.isValid(text)
  }

  private static func append(field name: StaticString, _ value: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    assert(staysOnItsLine(value), "a value that was not checked would end its field")
    buffer.append(name)
    buffer.append(value)
    buffer.append(LineBreaks.lineFeed)
  }

  private static func append(
    lines text: UnsafeRawBufferPointer, each prefix: StaticString, into buffer: inout ByteBuffer
  ) {
    var at = 0
    while true {
      let end = LineBreaks.first(in: text, from: at)
      buffer.append(prefix)
      buffer.append(UnsafeRawBufferPointer(rebasing: text[at..<end]))
      buffer.append(LineBreaks.lineFeed)
      guard end < text.count else { return }
      at = end + 1
      if text[end] == LineBreaks.carriageReturn, at < text.count, text[at] == LineBreaks.lineFeed { at += 1 }
    }
  }
}
