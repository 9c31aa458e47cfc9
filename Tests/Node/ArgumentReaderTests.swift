import Core
import Testing

@testable import Node

@Suite("Arguments of a command")
struct ArgumentReaderTests {
  static let command = CommandDescription(
    name: "tidings probe", synopsis: "[OPTION…] TOPIC [MESSAGE]", summary: "Probe.",
    options: [
      OptionDescription("size", "SIZE", default: "100", "how large"),
      OptionDescription("since", "WHERE", letter: "s", "where to start"),
      OptionDescription(switch: "json", "machine-readable"),
    ], operands: 1...2)

  func read(_ words: String...) throws(UsageError) -> Arguments {
    try Arguments(reading: words, for: ArgumentReaderTests.command)
  }

  func problem(_ words: String...) -> String {
    do throws(UsageError) {
      _ = try Arguments(reading: words, for: ArgumentReaderTests.command)
      return "none"
    } catch {
      return error.description
    }
  }

  @Test("values follow their option or an equals sign, in any order with plain arguments")
  func values() throws {
    let arguments = try read("--size=1KiB", "a/b", "--since", "earliest", "hello", "--json")
    #expect(try arguments.size("size", in: 1...4096) == 1024)
    #expect(arguments.text("since") == "earliest")
    #expect(arguments.has("json"))
    #expect(arguments.operands == ["a/b", "hello"])
    #expect(try arguments.number("absent", in: 0...1) == nil)
  }

  @Test("a letter, an empty value, the last of several, and all of them")
  func variants() throws {
    let arguments = try read("t", "-s", "", "--since=5m", "--since", "9m", "--json=off")
    #expect(arguments.text("since") == "9m")
    #expect(arguments.texts("since") == ["", "5m", "9m"])
    #expect(!arguments.has("json"))
  }

  @Test("a lone dash is an argument, and so is everything after two")
  func dashes() throws {
    let arguments = try read("-", "--", "--json")
    #expect(arguments.operands == ["-", "--json"])
    #expect(!arguments.has("json"))
  }

  @Test("an unknown option is named with the one that was probably meant")
  func unknown() {
    #expect(problem("t", "--sizr", "5") == "there is no option --sizr; did you mean --size?")
    #expect(problem("t", "--colour") == "there is no option --colour; run 'tidings probe --help' to see what there is")
  }

  @Test("missing and superfluous words are said")
  func counts() {
    #expect(problem("t", "--size").hasPrefix("--size needs a value"))
    #expect(problem() == "an argument is missing; usage: tidings probe [OPTION…] TOPIC [MESSAGE]")
    #expect(problem("a", "b", "c").hasPrefix("'c' is one argument too many"))
    #expect(problem("a", "--json=maybe").hasPrefix("--json is a switch and cannot be 'maybe'"))
  }

  @Test("whoever asks for help is not told that an argument is missing")
  func help() throws {
    #expect(try read("--help").has("help"))
    #expect(try read("-h", "a", "b", "c").has("help"))
  }

  @Test("numbers, durations and sizes outside their range are refused by name")
  func ranges() throws {
    let arguments = try read("t", "--size", "70000", "--since", "3")
    #expect(throws: UsageError("--size cannot be '70000'", hint: "it is a whole number from 1 to 10")) {
      try arguments.number("size", in: 1...10)
    }
    #expect(throws: UsageError("--size cannot be '70000'", hint: "it is a size from 1B to 1KiB")) {
      try arguments.size("size", in: 1...1024)
    }
    #expect(throws: UsageError.self) { try arguments.duration("since", in: .zero ... .seconds(1)) }
    #expect(throws: UsageError("--since cannot be '3'", hint: "did you mean '30'? it is one of '30', '60'")) {
      try arguments.choice("since", of: ["30", "60"])
    }
    #expect(throws: UsageError.self) { try arguments.decimal("size", in: 0...1) }
  }

  @Test("help shows every option within the width of a page")
  func helpText() {
    for command in [ArgumentReaderTests.command, ServeOption.command] {
      let text = command.helpText
      for option in command.options { #expect(text.contains("--\(option.name)")) }
      for line in text.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
      #expect(text.contains("-h, --help"))
    }
  }
}

@Suite("The name somebody probably meant")
struct NearestNameTests {
  @Test("typing errors are recognised and strangers are not")
  func nearest() {
    let names = ["durability", "data", "diagnostics", "http", "heartbeat"]
    #expect(NearestName.of("durabilty", among: names) == "durability")
    #expect(NearestName.of("dtaa", among: names) == "data")
    #expect(NearestName.of("heart-beat", among: names) == "heartbeat")
    #expect(NearestName.of("colour", among: names) == nil)
    #expect(NearestName.of("", among: names) == nil)
    #expect(NearestName.of("host", among: names) == nil)
  }
}
