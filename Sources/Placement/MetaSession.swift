public import Core

/// One node's view of what the cluster agrees on, and its way to change it: reads, and publishes on condition, one thing at
/// a time. Knows no clock and no socket.
///
/// ```
///   tick ─▶ read ─▶ took ─┬─ nothing to change: answers
///     ▲                   └─ write, if nobody else did ─▶ wrote ─▶ answers, or reads again
///     └── every 2 s, or when somebody asks
/// ```
public struct MetaSession: Sendable {
  public static let readEvery = TimeSpan.seconds(2)
  /// Others may be first so often before one who asks is told to try again.
  static let tries = 8
  /// Who asks past it is told to try again.
  static let waitingLimit = 256

  public enum Want: Sendable, Equatable {
    case read
    /// Publishes this as the current value, if the newest message of the topic still is that one.
    case write(Bytes, over: Offset)
  }

  public enum Written: Sendable, Equatable {
    case accepted(Offset)
    case overtaken
    /// It may have been written, or not.
    case failed(String)
  }

  public enum Answer: Sendable, Equatable {
    case done
    case refused(MetaRefusal)
    /// Nothing is known of the outcome, or nobody can be asked; the text says why.
    case failed(String)
  }

  private struct Waiting: Sendable {
    let command: MetaCommand
    let tag: UInt64
    var triesLeft = MetaSession.tries
  }

  public private(set) var state = MetaState()
  /// Whether the state was read at all.
  public var isKnown: Bool { knownAsOf != nil }
  /// When the newest read that was answered was begun: what was agreed on before is in the state.
  public private(set) var knownAsOf: Instant?
  private var askedAt = Instant.zero
  private var head = Offset.zero
  private var waiting: [Waiting] = []
  private var writing: MetaState?
  private var isAsking = false
  private var nextReadAt = Instant.zero

  public init() {}

  /// Asks for a change; the answer comes with `tag`. False when too many wait.
  public mutating func ask(_ command: MetaCommand, tag: UInt64) -> Bool {
    guard waiting.count < Self.waitingLimit else { return false }
    waiting.append(Waiting(command: command, tag: tag))
    return true
  }

  public mutating func tick(at now: Instant) -> Want? {
    guard !isAsking, !waiting.isEmpty || now >= nextReadAt else { return nil }
    isAsking = true
    askedAt = now
    nextReadAt = now + Self.readEvery
    return .read
  }

  /// What the topic holds, nil for nothing; or why that is not known.
  public mutating func took(_ value: Result<(offset: Offset, bytes: Bytes)?, MetaFailure>) -> (want: Want?, answers: [(tag: UInt64, answer: Answer)]) {
    isAsking = false
    switch value {
    case .failure(let why): return (nil, failAll(why.text))
    case .success(let value):
      guard let value else {
        (state, head, knownAsOf) = (MetaState(), .zero, askedAt)
        return goOn()
      }
      do throws(PlacementRefusal) {
        state = try MetaState(decoding: value.bytes.bytes)
      } catch {
        return (nil, failAll("what the cluster agreed on cannot be read by this version: \(error)"))
      }
      (head, knownAsOf) = (value.offset, askedAt)
      return goOn()
    }
  }

  public mutating func wrote(_ outcome: Written) -> (want: Want?, answers: [(tag: UInt64, answer: Answer)]) {
    isAsking = false
    guard let written = writing else { return (nil, []) }
    writing = nil
    switch outcome {
    case .accepted(let offset):
      (state, head) = (written, offset)
      // It is in effect now; what is asked for again changes nothing, and is answered.
      return goOn()
    case .overtaken:
      waiting[0].triesLeft -= 1
      guard waiting[0].triesLeft == 0 else { return (nil, []) }
      return (nil, [(waiting.removeFirst().tag, .failed("others change the same thing all the time"))])
    case .failed(let why): return (nil, [(waiting.removeFirst().tag, .failed(why))])
    }
  }

  /// Answers what needs no change, up to the first that does.
  private mutating func goOn() -> (want: Want?, answers: [(tag: UInt64, answer: Answer)]) {
    var answers: [(tag: UInt64, answer: Answer)] = []
    while let first = waiting.first {
      var changed = state
      do throws(MetaRefusal) {
        try changed.apply(first.command)
      } catch {
        answers.append((waiting.removeFirst().tag, .refused(error)))
        continue
      }
      guard changed != state else {
        answers.append((waiting.removeFirst().tag, .done))
        continue
      }
      writing = changed
      isAsking = true
      var buffer = ByteBuffer()
      changed.encode(into: &buffer)
      return (.write(buffer.freeze(), over: head), answers)
    }
    return (nil, answers)
  }

  private mutating func failAll(_ why: String) -> [(tag: UInt64, answer: Answer)] {
    defer { waiting = [] }
    return waiting.map { ($0.tag, .failed(why)) }
  }
}

/// Why what the cluster agreed on cannot be read now, for people.
public struct MetaFailure: Error, Sendable, Equatable {
  public let text: String
  public init(_ text: String) { self.text = text }
}
