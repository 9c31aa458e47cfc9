import Core

/// Finds where a head ends and refuses stray control characters on the way, each byte looked at once
/// however the bytes arrive.
struct HeadScanner {
  /// Bytes after the base that need not be looked at again.
  private var scanned: UInt32 = 0
  private(set) var hasStartLine: Bool
  /// Set by the owner of a start line that was judged before the rest of its head arrived.
  var isStartLineJudged = false

  /// A section without a start line, a trailer section, begins right after a line end.
  init(hasStartLine: Bool = false) { self.hasStartLine = hasStartLine }

  enum Outcome {
    case needMore
    /// The offset after the empty line.
    case complete(end: Int)
    case tooLong
    case failure(HTTPDecodeFailure)
  }

  @inline(__always)
  mutating func scan(_ input: RawSpan, base: Int, startLineLimit: Int, limit: Int) -> Outcome {
    var at = base + Int(scanned)
    while true {
      let bound = base + (hasStartLine ? limit : min(limit, startLineLimit))
      let end = min(input.byteCount, bound)
      at = input.firstControl(from: at, to: end)
      guard at < end else {
        scanned = UInt32(end - base)
        return end == bound ? .tooLong : .needMore
      }
      switch input.byte(at: at) {
      case .carriageReturn:
        if at + 1 >= bound { return .tooLong }
        guard at + 1 < input.byteCount else {
          scanned = UInt32(at - base)
          return .needMore
        }
        guard input.byte(at: at + 1) == .lineFeed else { return .failure(.bareCarriageReturn) }
        // Line feeds stand only at line ends, so one before this line end means that the line is empty.
        if hasStartLine && input.byte(at: at - 1) == .lineFeed { return .complete(end: at + 2) }
        hasStartLine = true
        at += 2
      case .tab: at += 1
      case .lineFeed: return .failure(.bareLineFeed)
      default: return .failure(.controlCharacter)
      }
    }
  }
}
