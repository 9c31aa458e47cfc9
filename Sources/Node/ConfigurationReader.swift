import Core

/// One setting of the configuration file.
public struct FileSetting: Sendable, Equatable {
  public let key: String
  public let value: Value
  public let line: Int

  public enum Value: Sendable, Equatable {
    case text(String)
    case number(String)
    case flag(Bool)
    case list([String])
    /// What no option takes: an object, null, a list of those.
    case other(String)
  }

  public init(key: String, value: Value, line: Int) {
    self.key = key
    self.value = value
    self.line = line
  }
}

/// A configuration file as read: its name for messages, and what it says.
public struct ConfigurationFile: Sendable {
  public let name: String
  public let settings: [FileSetting]

  public init(name: String, settings: [FileSetting]) {
    self.name = name
    self.settings = settings
  }
}

/// Makes one configuration of flags, environment and file: a flag beats the environment, the environment beats the file.
///
/// What stands in the outside world comes in as values: nothing here reads a file or a variable.
public struct ConfigurationReader: Sendable {
  /// A value and where it was written, for messages.
  private struct Written {
    let option: ServeOption
    let text: String
    let place: String
    /// The same place in short, for tables.
    let source: String
  }

  private var written: [String: Written] = [:]
  /// Places that said something else and were beaten.
  private var beaten: [String: [String]] = [:]
  private var notices: [String] = []
  private var mistakes: [UsageError] = []

  /// The file that flags or environment name; nil if none.
  public static func fileName(arguments: Arguments, environment: [String: String]) -> String? {
    let variable = ServeOption.variablePrefix + ServeOption.configName.uppercased()
    return arguments.text(ServeOption.configName) ?? environment[variable].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Reads the words after `tidings serve`; an option of a later version is refused by name.
  public static func arguments(_ words: [String]) throws(UsageError) -> Arguments {
    var mistakes: [UsageError] = []
    let arguments = arguments(words, for: ServeOption.command, mistakes: &mistakes)
    if let first = mistakes.first { throw first }
    return arguments
  }

  /// The same for a command that takes these options and more; reads on past what is wrong and says all of it.
  public static func arguments(_ words: [String], for command: CommandDescription, mistakes: inout [UsageError]) -> Arguments {
    var rest = words[...]
    var known: [String] = []
    while let word = rest.popFirst() {
      let name = String(word.dropFirst(2).prefix { $0 != "=" })
      if word == "--" {
        known += [word] + rest
        break
      }
      if word.hasPrefix("--"), let option = ServeOption.named(name), !option.isAvailable {
        mistakes.append(unavailable(option, at: "--\(name)"))
        if !word.contains("="), let value = rest.first, !value.hasPrefix("-") { rest.removeFirst() }
      } else {
        known.append(word)
      }
    }
    return Arguments(reading: known, for: command, mistakes: &mistakes)
  }

  public static func read(
    arguments: Arguments, environment: [String: String], file: ConfigurationFile?, hostName: String, processors: Int
  ) throws(UsageError) -> NodeConfiguration {
    let reading = readAll(arguments: arguments, environment: environment, file: file, hostName: hostName, processors: processors)
    if let first = reading.mistakes.first { throw first }
    return reading.configuration
  }

  /// The same, but reads on past what is wrong and says all of it.
  public static func readAll(
    arguments: Arguments, environment: [String: String], file: ConfigurationFile?, hostName: String, processors: Int
  ) -> ConfigurationReading {
    var reader = ConfigurationReader()
    if let file { reader.take(file) }
    reader.take(environment: environment)
    for option in ServeOption.table {
      if let text = arguments.text(option.name) {
        let flag = "--\(option.name)"
        reader.put(Written(option: option, text: text, place: flag, source: flag))
      }
    }
    var configuration = NodeConfiguration(name: hostName, reactors: max(1, processors))
    var refused: Set<String> = []
    for option in ServeOption.table {
      guard let value = reader.written[option.name] else { continue }
      do throws(UsageError) {
        try configuration.set(option, to: value.text, at: value.place)
      } catch {
        refused.insert(option.name)
        reader.mistakes.append(error)
      }
    }
    configuration.notices = reader.notices
    let settings = ServeOption.table.filter(\.isAvailable).map { option in
      let value = reader.written[option.name]
      return ConfigurationReading.Setting(
        option: option.name, written: value?.text, source: value?.source, beaten: reader.beaten[option.name] ?? [],
        isRefused: refused.contains(option.name))
    }
    return ConfigurationReading(configuration: configuration, settings: settings, mistakes: reader.mistakes)
  }

  private mutating func put(_ value: Written) {
    if let other = written.updateValue(value, forKey: value.option.name) { beaten[value.option.name, default: []].append(other.source) }
  }

  private mutating func take(_ file: ConfigurationFile) {
    var lines: [String: Int] = [:]
    for setting in file.settings {
      do throws(UsageError) {
        try take(setting, of: file.name, lines: &lines)
      } catch {
        mistakes.append(error)
      }
    }
  }

  private mutating func take(_ setting: FileSetting, of file: String, lines: inout [String: Int]) throws(UsageError) {
    let source = "\(file), line \(setting.line)"
    let place = "\(source): '\(setting.key)'"
    let name = setting.key.replacing("_", with: "-")
    guard let option = ServeOption.named(name) else {
      if name == ServeOption.configName {
        throw UsageError("\(place) is not taken inside the file", hint: "name the file with --config FILE")
      }
      let near = NearestName.of(name, among: ServeOption.table.filter(\.isAvailable).map(\.name))
      throw UsageError(
        "\(place) is not an option",
        hint: near.map { "did you mean '\($0)'?" } ?? "run 'tidings serve --help' to see what there is")
    }
    guard option.isAvailable else { throw ConfigurationReader.unavailable(option, at: place) }
    if let first = lines[name] { throw UsageError("\(place) was already set in line \(first)") }
    lines[name] = setting.line
    put(Written(option: option, text: try ConfigurationReader.text(setting.value, for: option, at: place), place: place, source: source))
  }

  private static func text(_ value: FileSetting.Value, for option: ServeOption, at place: String) throws(UsageError) -> String {
    switch (value, option.kind) {
    case (.flag(let on), .flag): return on ? "on" : "off"
    // `mqtt: false` says what `mqtt: "off"` says.
    case (.flag(false), .endpoint): return "off"
    case (.text(let text), _): return text
    case (.number(let digits), .number), (.number(let digits), .size): return digits
    case (.list(let parts), .list), (.list(let parts), .endpoints): return parts.joined(separator: ",")
    case (.number(let digits), .duration): throw UsageError("\(place) has no unit", hint: "write \"\(digits)s\" for seconds")
    default:
      throw UsageError(
        "\(place) has a value of the wrong kind", hint: "\(option.placeholder): \(option.help) (default: \(option.defaultText))")
    }
  }

  private mutating func take(environment: [String: String]) {
    // In order of name, so that of two errors always the same one is shown.
    for (variable, text) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix(ServeOption.variablePrefix) {
      // An empty variable is how composition files say "not set".
      guard !text.isEmpty else { continue }
      guard let option = ServeOption.table.first(where: { $0.variable == variable }) else {
        guard !ConfigurationReader.clientVariables.contains(variable) else { continue }
        let near = NearestName.of(variable, among: ServeOption.table.filter(\.isAvailable).map(\.variable), allowing: 2)
        if let near {
          mistakes.append(UsageError("there is no variable \(variable)", hint: "did you mean \(near)?"))
        } else {
          // Orchestrators put variables of their own making there (TIDINGS_SERVICE_HOST): no reason not to start.
          notices.append("the variable \(variable) is not an option of tidings serve and is ignored")
        }
        continue
      }
      guard option.isAvailable else {
        mistakes.append(ConfigurationReader.unavailable(option, at: variable))
        continue
      }
      put(Written(option: option, text: text, place: variable, source: variable))
    }
  }

  /// Variables of the other commands, and the one that names the file.
  private static let clientVariables: Set<String> = ["TIDINGS_CONFIG", "TIDINGS_URL", "TIDINGS_TOKEN"]

  private static func unavailable(_ option: ServeOption, at place: String) -> UsageError {
    UsageError("\(place): \(option.capability.sentence) is not available in this version", hint: "leave it out")
  }
}
