import Core

/// Hands out the body of one message, whichever way it is delimited.
struct HTTPBodyDecoder {
  /// Bytes left of a sized body or of the chunk under way.
  private var remaining: Int
  /// Bytes of chunk data so far, the chunk under way included.
  private var received = 0
  private var extensionBytes: UInt32 = 0
  private var trailers = HeadScanner(hasStartLine: true)
  private var stage: Stage

  enum Framing {
    case none
    case sized(Int)
    case chunked
    /// Everything until the peer closes.
    case untilClose
  }

  private enum Stage: UInt8 {
    case sized, untilClose
    /// Before a chunk size line; before the line end of a chunk; within a chunk.
    case chunkSize, chunkEnd, chunkData
  }

  init(_ framing: Framing) {
    switch framing {
    case .none: (stage, remaining) = (.sized, 0)
    case .sized(let count): (stage, remaining) = (.sized, count)
    case .chunked: (stage, remaining) = (.chunkSize, 0)
    case .untilClose: (stage, remaining) = (.untilClose, 0)
    }
  }

  /// Whether the end of the connection is the end of this body.
  var endsWithConnection: Bool { stage == .untilClose }

  mutating func next(_ input: RawSpan, limits: HTTPLimits) throws(HTTPDecodeFailure) -> HTTPDecodeStep {
    switch stage {
    case .sized:
      guard remaining > 0 else { return .end(consumed: 0) }
      return piece(input, from: 0)
    case .untilClose:
      guard input.byteCount > 0 else { return .needMore }
      guard input.byteCount <= limits.body - received else { throw .bodyTooLarge }
      received += input.byteCount
      return .body(0..<input.byteCount, consumed: input.byteCount)
    case .chunkData: return piece(input, from: 0)
    case .chunkSize: return try nextChunk(input, from: 0, limits)
    case .chunkEnd:
      if input.byteCount > 0, input.byte(at: 0) != .carriageReturn { throw .unterminatedChunk }
      guard input.byteCount > 1 else { return .needMore }
      guard input.byte(at: 1) == .lineFeed else { throw .unterminatedChunk }
      return try nextChunk(input, from: 2, limits)
    }
  }

  /// As much of what remains as there is.
  private mutating func piece(_ input: RawSpan, from start: Int) -> HTTPDecodeStep {
    let count = min(remaining, input.byteCount - start)
    guard count > 0 else { return .needMore }
    remaining -= count
    if stage != .sized { stage = remaining == 0 ? .chunkEnd : .chunkData }
    return .body(start..<start + count, consumed: start + count)
  }

  /// The size line stays with the caller until a byte of its chunk, or the whole trailer section, has come.
  private mutating func nextChunk(_ input: RawSpan, from start: Int, _ limits: HTTPLimits) throws(HTTPDecodeFailure) -> HTTPDecodeStep {
    guard let line = try ChunkSizeLine.read(input, from: start, limit: limits.chunkLine) else { return .needMore }
    guard line.extensionBytes <= limits.chunkExtensions - Int(extensionBytes) else { throw .tooManyChunkExtensions }
    guard line.size > 0 else { return try readTrailers(input, from: line.end, limits) }
    guard line.size <= limits.body - received else { throw .bodyTooLarge }
    guard input.byteCount > line.end else { return .needMore }
    extensionBytes += UInt32(line.extensionBytes)
    received += line.size
    remaining = line.size
    stage = .chunkData
    return piece(input, from: line.end)
  }

  /// Trailers are judged like any field and then dropped: nothing here may change what the head said.
  private mutating func readTrailers(_ input: RawSpan, from start: Int, _ limits: HTTPLimits) throws(HTTPDecodeFailure) -> HTTPDecodeStep {
    switch trailers.scan(input, base: start, startLineLimit: 0, limit: limits.trailers) {
    case .needMore: return .needMore
    case .tooLong: throw .trailersTooLarge
    case .failure(let failure): throw failure
    case .complete(let end):
      var at = start
      while at < end - 2 { _ = try FieldLine.read(input, at: &at, end: end) }
      return .end(consumed: end)
    }
  }
}
