/// One option of a command: what is read from the command line, and what `--help` says about it.
public struct OptionDescription: Sendable {
  /// Without the dashes.
  public let name: String
  /// What stands for the value in help; nil for a switch.
  public let placeholder: String?
  /// One letter that means the same.
  public let letter: Character?
  /// What holds when the option is not given, as help shows it; empty when there is nothing to show.
  public let defaultText: String
  public let help: String

  public init(_ name: String, _ placeholder: String?, letter: Character? = nil, default defaultText: String = "", _ help: String)
  {
    self.name = name
    self.placeholder = placeholder
    self.letter = letter
    self.defaultText = defaultText
    self.help = help
  }

  /// A switch: an option without a value.
  public init(switch name: String, letter: Character? = nil, _ help: String) {
    self.init(name, nil, letter: letter, help)
  }

  public var isSwitch: Bool { placeholder == nil }
}

/// A command as help shows it and as its arguments are read.
public struct CommandDescription: Sendable {
  /// `tidings sub`
  public let name: String
  /// What follows the name: `[OPTION…] FILTER…`.
  public let synopsis: String
  public let summary: String
  public let options: [OptionDescription]
  /// Paragraphs below the options.
  public let notes: [String]
  /// Example lines, each a command to type.
  public let examples: [String]
  /// How many plain arguments are taken.
  public let operands: ClosedRange<Int>

  public init(
    name: String, synopsis: String, summary: String, options: [OptionDescription], operands: ClosedRange<Int> = 0...0,
    notes: [String] = [], examples: [String] = []
  ) {
    self.name = name
    self.synopsis = synopsis
    self.summary = summary
    self.options = options
    self.operands = operands
    self.notes = notes
    self.examples = examples
  }

  public static let help = OptionDescription(switch: "help", letter: "h", "show this and exit")
}

extension CommandDescription {
  /// Lines are folded at this column.
  private static let helpWidth = 100
  /// Where help sentences begin, unless an option is too long for it.
  private static let helpColumn = 30

  /// The text of `--help`.
  public var helpText: String {
    var text = "\(summary)\n\nUsage: \(name) \(synopsis)\n"
    if !options.isEmpty { text += "\nOptions:\n" }
    for option in options + [CommandDescription.help] { text += CommandDescription.helpLines(option) }
    for note in notes { text += "\n" + CommandDescription.fold(note, indentation: 0, column: 0) }
    if !examples.isEmpty { text += "\nExamples:\n" + examples.map { "  \($0)\n" }.joined() }
    return text
  }

  private static func helpLines(_ option: OptionDescription) -> String {
    var head = option.letter.map { "  -\($0), " } ?? "      "
    head += "--\(option.name)"
    if let placeholder = option.placeholder { head += " \(placeholder)" }
    var sentence = option.help
    if !option.defaultText.isEmpty { sentence += " (default: \(option.defaultText))" }
    if head.count + 2 > helpColumn { return head + "\n" + fold(sentence, indentation: helpColumn, column: 0) }
    return head + fold(sentence, indentation: helpColumn, column: head.count)
  }

  /// Words of `text` in lines of at most `helpWidth`, each indented; the first begins at `column`.
  private static func fold(_ text: String, indentation: Int, column: Int) -> String {
    var lines = String(repeating: " ", count: max(0, indentation - column))
    var width = max(indentation, column)
    var isFirstWord = true
    for word in text.split(separator: " ") {
      if !isFirstWord, width + 1 + word.count > helpWidth {
        lines += "\n" + String(repeating: " ", count: indentation)
        width = indentation
        isFirstWord = true
      }
      if !isFirstWord { lines += " " }
      width += word.count + (isFirstWord ? 0 : 1)
      lines += word
      isFirstWord = false
    }
    return lines + "\n"
  }
}
