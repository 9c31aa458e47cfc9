public import Core
import JSON

extension ConfigurationFile {
  /// The largest file that is read, in bytes.
  public static let longestText = 1 << 20

  /// Reads a JSON5 text; `name` is what messages call the file.
  public init(reading text: Bytes, name: String) throws(UsageError) {
    guard text.count <= ConfigurationFile.longestText else {
      throw UsageError(
        "\(name) has \(text.count) bytes", hint: "a configuration file has at most \(ConfigurationFile.longestText)")
    }
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue(parsing: text.bytes, as: .json5)
    } catch {
      throw UsageError("\(name), line \(error.line), column \(error.column): \(error.sentence)")
    }
    guard let object = value.object else {
      throw UsageError(
        "\(name), line \(value.line): expected an object, found \(value.kind)",
        hint: "a configuration file looks like { http: \"127.0.0.1:8080\" }")
    }
    self.init(
      name: name,
      settings: object.members.map { member in
        FileSetting(key: member.name, value: FileSetting.Value(member.value), line: member.nameLine)
      })
  }
}

extension FileSetting.Value {
  init(_ value: JSONValue) {
    switch value.content {
    case .boolean(let truth): self = .flag(truth)
    case .string(let string): self = .text(string)
    case .number(let number): self = .number(number.integer.map(String.init) ?? number.text)
    case .array(let elements):
      let texts = elements.compactMap(\.string)
      self = texts.count == elements.count ? .list(texts) : .other("a list of something other than texts")
    case .null, .object: self = .other("\(value.kind)")
    }
  }
}
