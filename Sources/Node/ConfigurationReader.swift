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
  }

  private var written: [String: Written] = [:]
  private var notices: [String] = []

  /// The file that flags or environment name; nil if none.
  public static func fileName(arguments: Arguments, environment: [String: String]) -> String? {
    let variable = ServeOption.variablePrefix + ServeOption.configName.uppercased()
    return arguments.text(ServeOption.configName) ?? environment[variable].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Reads the words after `tidings serve`; an option of a later version is refused by name.
  public static func arguments(_ words: [String]) throws(UsageError) -> Arguments {
    for word in words.prefix(while: { $0 != "--" }) where word.hasPrefix("--") {
      let name = String(word.dropFirst(2).prefix { $0 != "=" })
      if let option = ServeOption.named(name), !option.isAvailable { throw unavailable(option, at: "--\(name)") }
    }
    return try Arguments(reading: words, for: ServeOption.command)
  }

  public static func read(
    arguments: Arguments, environment: [String: String], file: ConfigurationFile?, hostName: String, processors: Int
  ) throws(UsageError) -> NodeConfiguration {
    var reader = ConfigurationReader()
    if let file { try reader.take(file) }
    try reader.take(environment: environment)
    for option in ServeOption.table {
      if let text = arguments.text(option.name) {
        reader.written[option.name] = Written(option: option, text: text, place: "--\(option.name)")
      }
    }
    var configuration = NodeConfiguration(name: hostName, reactors: max(1, processors))
    for option in ServeOption.table {
      guard let value = reader.written[option.name] else { continue }
      try configuration.set(option, to: value.text, at: value.place)
    }
    configuration.notices = reader.notices
    return configuration
  }

  private mutating func take(_ file: ConfigurationFile) throws(UsageError) {
    var lines: [String: Int] = [:]
    for setting in file.settings {
      let place = "\(file.name), line \(setting.line): '\(setting.key)'"
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
      if let first = lines.updateValue(setting.line, forKey: name) {
        throw UsageError("\(place) was already set in line \(first)")
      }
      written[name] = Written(
        option: option, text: try ConfigurationReader.text(setting.value, for: option, at: place), place: place)
    }
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

  private mutating func take(environment: [String: String]) throws(UsageError) {
    // In order of name, so that of two errors always the same one is shown.
    for (variable, text) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix(ServeOption.variablePrefix) {
      // An empty variable is how composition files say "not set".
      guard !text.isEmpty else { continue }
      guard let option = ServeOption.table.first(where: { $0.variable == variable }) else {
        guard !ConfigurationReader.clientVariables.contains(variable) else { continue }
        let near = NearestName.of(variable, among: ServeOption.table.filter(\.isAvailable).map(\.variable), allowing: 2)
        if let near { throw UsageError("there is no variable \(variable)", hint: "did you mean \(near)?") }
        // Orchestrators put variables of their own making there (TIDINGS_SERVICE_HOST): no reason not to start.
        notices.append("the variable \(variable) is not an option of tidings serve and is ignored")
        continue
      }
      guard option.isAvailable else { throw ConfigurationReader.unavailable(option, at: variable) }
      written[option.name] = Written(option: option, text: text, place: variable)
    }
  }

  /// Variables of the other commands, and the one that names the file.
  private static let clientVariables: Set<String> = ["TIDINGS_CONFIG", "TIDINGS_URL", "TIDINGS_TOKEN"]

  private static func unavailable(_ option: ServeOption, at place: String) -> UsageError {
    UsageError("\(place): \(option.capability.sentence) is not available in this version", hint: "leave it out")
  }
}
