public import Core

/// What a command line said: options by name, and the plain arguments in order.
public struct Arguments: Sendable {
  /// Each option's values in the order they were given; a switch has the value "on" or "off".
  public private(set) var values: [String: [String]] = [:]
  public private(set) var operands: [String] = []

  /// Reads `words` (without the program's and the command's names) as `command` describes them.
  ///
  /// `--name value` and `--name=value` are the same, `--` ends the options, a lone `-` is a plain argument.
  public init(reading words: [String], for command: CommandDescription) throws(UsageError) {
    var mistakes: [UsageError] = []
    self.init(reading: words, for: command, mistakes: &mistakes)
    if let first = mistakes.first { throw first }
  }

  /// The same, but reads on past what is wrong and says all of it.
  init(reading words: [String], for command: CommandDescription, mistakes: inout [UsageError]) {
    let hint = "run '\(command.name) --help' to see what there is"
    let options = command.options + [CommandDescription.help]
    var rest = words[...]
    while let word = rest.popFirst() {
      guard word.hasPrefix("-"), word != "-" else {
        operands.append(word)
        continue
      }
      if word == "--" {
        operands += rest
        break
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let attached = parts.count > 1 ? String(parts[1]) : nil
      guard let option = options.first(where: { parts[0] == "--\($0.name)" || $0.letter.map { parts[0] == "-\($0)" } ?? false })
      else {
        let name = String(parts[0].drop { $0 == "-" })
        let near = NearestName.of(name, among: options.map(\.name))
        mistakes.append(UsageError("there is no option \(parts[0])", hint: near.map { "did you mean --\($0)?" } ?? hint))
        if attached == nil, let value = rest.first, !value.hasPrefix("-") { rest.removeFirst() }
        continue
      }
      if option.isSwitch {
        let value = attached ?? "on"
        guard let state = Switch.read(value) else {
          mistakes.append(
            UsageError("--\(option.name) is a switch and cannot be '\(value)'", hint: "write --\(option.name) alone, or =on or =off"))
          continue
        }
        values[option.name, default: []].append(state ? "on" : "off")
      } else if let value = attached ?? rest.popFirst() {
        values[option.name, default: []].append(value)
      } else {
        mistakes.append(
          UsageError("--\(option.name) needs a value", hint: "--\(option.name) \(option.placeholder ?? ""): \(option.help)"))
      }
    }
    // Whoever asks for help is not told what else is wrong.
    guard !has("help") else { return }
    if operands.count > command.operands.upperBound {
      mistakes.append(
        UsageError(
          "'\(operands[command.operands.upperBound])' is one argument too many", hint: "usage: \(command.name) \(command.synopsis)"))
    }
    if operands.count < command.operands.lowerBound {
      mistakes.append(UsageError("an argument is missing", hint: "usage: \(command.name) \(command.synopsis)"))
    }
  }

  /// The option's value; the last one if it was given several times.
  public func text(_ name: String) -> String? { values[name]?.last }

  /// Every value of an option that may be repeated.
  public func texts(_ name: String) -> [String] { values[name] ?? [] }

  /// Whether a switch is on.
  public func has(_ name: String) -> Bool { text(name) == "on" }
}

/// A word that says yes or no.
enum Switch {
  static func read(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "on", "true", "yes", "1": true
    case "off", "false", "no", "0": false
    default: nil
    }
  }
}

extension Arguments {
  /// The option as a whole number within `range`.
  public func number(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
    guard let text = text(name) else { return nil }
    return try OptionValue.number(text, in: range, of: "--\(name)")
  }

  /// The option as a number that may have a fraction.
  public func decimal(_ name: String, in range: ClosedRange<Double>) throws(UsageError) -> Double? {
    guard let text = text(name) else { return nil }
    guard let value = Double(text), range.contains(value) else {
      throw UsageError("--\(name) cannot be '\(text)'", hint: "it is a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// The option as a length of time, `30s`.
  public func duration(_ name: String, in range: ClosedRange<TimeSpan>) throws(UsageError) -> TimeSpan? {
    guard let text = text(name) else { return nil }
    return try OptionValue.duration(text, in: range, of: "--\(name)")
  }

  /// The option as a size in bytes, `256KiB`.
  public func size(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
    guard let text = text(name) else { return nil }
    return try OptionValue.size(text, in: range, of: "--\(name)")
  }

  /// The option as one of a few words.
  public func choice(_ name: String, of words: [String]) throws(UsageError) -> String? {
    guard let text = text(name) else { return nil }
    return try OptionValue.choice(text, of: words, for: "--\(name)")
  }
}
