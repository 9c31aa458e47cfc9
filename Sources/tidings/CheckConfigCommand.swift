import CLinux
import Core
import Glibc
import JSON
import Node

/// `tidings check-config`: reads what `tidings serve` would read, says all that is wrong with it, and starts nothing.
enum CheckConfigCommand {
  private static let description = CommandDescription(
    name: "tidings check-config", synopsis: "[OPTION…]",
    summary: "Read what 'tidings serve' would read, say all that is wrong or unwise, and start nothing.",
    options: [OptionDescription(switch: "json", "print what was found as one JSON object")] + ServeOption.command.options,
    notes: [
      "It takes every option of 'tidings serve', its variables and its file. The exit code is 0 if a node would start with them, else 1. "
        + "Warnings hold for this machine and this user: run it where the node is to run, as who it is to run as."
    ],
    examples: ["tidings check-config --config tidings.json5", "sudo -u tidings tidings check-config --config /etc/tidings.json5 --json"])

  static func run(_ words: [String]) -> Int32 {
    var mistakes: [UsageError] = []
    let arguments = ConfigurationReader.arguments(words, for: description, mistakes: &mistakes)
    if arguments.has("help") {
      Console.print(description.helpText)
      return Command.ExitCode.ok
    }
    let environment = Surroundings.variables
    var file: ConfigurationFile?
    var secret: Bytes?
    let processors = max(1, Int(tidings_allowed_processors()))
    do throws(UsageError) {
      if let name = ConfigurationReader.fileName(arguments: arguments, environment: environment) { file = try ServeCommand.read(name) }
    } catch {
      mistakes.append(error)
    }
    var reading = ConfigurationReader.readAll(
      arguments: arguments, environment: environment, file: file, hostName: Surroundings.hostName, processors: processors)
    do throws(UsageError) {
      if let name = reading.configuration.clusterSecretFile { secret = try ServeCommand.readSecret(name) }
    } catch {
      mistakes.append(error)
    }
    reading.configuration.clusterSecret = secret
    let facts = MachineFacts.look(for: reading.configuration, processors: processors)
    let check = ConfigurationCheck(reading, earlier: mistakes, machine: facts)
    if arguments.has("json") {
      Console.print(json(check))
    } else {
      show(check)
    }
    return check.isGood ? Command.ExitCode.ok : Command.ExitCode.failed
  }

  private static func show(_ check: ConfigurationCheck) {
    Console.print(table(check.rows))
    for mistake in check.mistakes { Console.show(problem: mistake.problem, hint: mistake.hint) }
    for warning in check.warnings { Console.show(warning: warning.problem, hint: warning.hint) }
    let counts = [count(check.mistakes.count, "mistake"), count(check.warnings.count, "warning")].compactMap { $0 }
    Console.remark(counts.isEmpty ? "nothing is wrong" : counts.joined(separator: ", "))
  }

  private static func count(_ number: Int, _ noun: String) -> String? { number == 0 ? nil : "\(number) \(noun)\(number == 1 ? "" : "s")" }

  private static func table(_ rows: [ConfigurationCheck.Row]) -> String {
    let (first, second) = (rows.map(\.option.count).max() ?? 0, min(widest, rows.map(\.value.count).max() ?? 0))
    func line(_ option: String, _ value: String, _ source: String) -> String { "\(pad(option, first))  \(pad(value, second))  \(source)\n" }
    return Console.styled(line("OPTION", "VALUE", "FROM"), .bold)
      + rows.map { row in
        let text = line(row.option, row.value, row.source)
        return row.source == "default" ? Console.styled(text, .dim) : text
      }.joined()
  }

  /// A longer value pushes its line's end out instead of everybody's.
  private static let widest = 40

  private static func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }

  private static func json(_ check: ConfigurationCheck) -> String {
    var json = JSONWriter()
    var buffer = ByteBuffer()
    json.beginObject(into: &buffer)
    json.name("ok", into: &buffer)
    json.boolean(check.isGood, into: &buffer)
    json.name("options", into: &buffer)
    json.beginArray(into: &buffer)
    for row in check.rows {
      json.beginObject(into: &buffer)
      for (name, text) in [("option", row.option), ("value", row.value), ("from", row.source)] {
        json.name(text: name, into: &buffer)
        json.string(text, into: &buffer)
      }
      json.endObject(into: &buffer)
    }
    json.endArray(into: &buffer)
    for (name, found) in [("mistakes", check.mistakes), ("warnings", check.warnings)] {
      json.name(text: name, into: &buffer)
      json.beginArray(into: &buffer)
      for each in found {
        json.beginObject(into: &buffer)
        json.name("problem", into: &buffer)
        json.string(each.problem, into: &buffer)
        json.name("hint", into: &buffer)
        json.string(each.hint, into: &buffer)
        json.endObject(into: &buffer)
      }
      json.endArray(into: &buffer)
    }
    json.endObject(into: &buffer)
    return buffer.freeze().text + "\n"
  }
}
