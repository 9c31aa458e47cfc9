import Core

/// One field line, by where its parts stand in the input.
public struct HTTPField: Equatable, Sendable {
  public let known: HTTPFieldName
  private let nameStart: UInt32
  private let nameEnd: UInt32
  private let valueStart: UInt32
  private let valueEnd: UInt32

  init(known: HTTPFieldName, name: Range<Int>, value: Range<Int>) {
    self.known = known
    nameStart = UInt32(name.lowerBound)
    nameEnd = UInt32(name.upperBound)
    valueStart = UInt32(value.lowerBound)
    valueEnd = UInt32(value.upperBound)
  }

  public var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
  /// The value without the white space around it.
  public var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
}

/// The field lines of one head, in order; the same name may stand on several lines.
public struct HTTPFields: Sendable {
  public private(set) var lines: [HTTPField] = []
  /// Which known names occur, so that most questions are answered by one bit.
  private var present: UInt64 = 0

  public init() {}

  public var count: Int { lines.count }

  public func contains(_ name: HTTPFieldName) -> Bool { present & name.bit != 0 }

  /// The value of the first line with this name.
  public func first(_ name: HTTPFieldName) -> Range<Int>? {
    guard contains(name) else { return nil }
    for line in lines where line.known == name { return line.value }
    return nil
  }

  /// The values of every line with this name, in order.
  public func all(_ name: HTTPFieldName) -> Values {
    Values(lines: contains(name) ? lines : [], name: name)
  }

  /// The value of the first line with a name that is not in `HTTPFieldName`; `name` in lower case.
  public func first(named name: StaticString, in input: RawSpan) -> Range<Int>? {
    for line in lines where input.equalsIgnoringCase(line.name, name) { return line.value }
    return nil
  }

  mutating func append(_ line: HTTPField) {
    lines.append(line)
    present |= line.known.bit
  }

  mutating func removeAll() {
    lines.removeAll(keepingCapacity: true)
    present = 0
  }

  /// Walks the values of one name.
  public struct Values: Sequence, IteratorProtocol {
    let lines: [HTTPField]
    let name: HTTPFieldName
    var index = 0

    init(lines: [HTTPField], name: HTTPFieldName) {
      self.lines = lines
      self.name = name
    }

    public mutating func next() -> Range<Int>? {
      while index < lines.count {
        let line = lines[index]
        index += 1
        if line.known == name { return line.value }
      }
      return nil
    }
  }
}
