import Core
import Testing

@testable import Node

@Suite("What tidings check-config finds")
struct ConfigurationCheckTests {
  static let machine = MachineFacts(folder: .usable, freeBytes: 1 << 40, openFiles: 1 << 20, processors: 2)

  func check(
    _ words: [String] = [], environment: [String: String] = [:], file: String? = nil, secret: String? = nil, machine: MachineFacts = machine
  ) throws -> ConfigurationCheck {
    var mistakes: [UsageError] = []
    let arguments = ConfigurationReader.arguments(words, for: ServeOption.command, mistakes: &mistakes)
    let settings = try file.map { try ConfigurationFile(reading: Bytes($0), name: "node.json5") }
    var reading = ConfigurationReader.readAll(
      arguments: arguments, environment: environment, file: settings, hostName: "here", processors: 2)
    reading.configuration.clusterSecret = secret.map { Bytes($0) }
    return ConfigurationCheck(reading, earlier: mistakes, machine: machine)
  }

  @Test("Nothing is wrong with the defaults, and every option has a value")
  func defaults() throws {
    let found = try check()
    #expect(found.isGood && found.warnings.isEmpty)
    #expect(found.rows.map(\.option) == ServeOption.table.filter(\.isAvailable).map(\.name))
    #expect(found.rows.allSatisfy { !$0.value.isEmpty && $0.source == "default" })
    #expect(found.rows.first { $0.option == "node" }?.value == "here")
  }

  @Test("Every mistake is told, of the command line, the file, the environment and what does not fit together")
  func mistakes() throws {
    let found = try check(
      ["--prot", "1", "--https", "a:1", "--reactors", "0", "--cluster", "10.0.0.1:7400", "--shards"],
      environment: ["TIDINGS_SHARD": "3", "TIDINGS_HEARTBEAT": "soon", "TIDINGS_SERVICE_HOST": "x"],
      file: "{ htpp: 'a',\n 'data': 'd',\n max_message: '1MiB', 'max-message': '2MiB',\n retention: '5x' }")
    let said = found.mistakes.map(\.description).joined(separator: "\n")
    for word in [
      "--prot", "--https", "--reactors", "--cluster 10.0.0.1:7400", "--shards needs a value", "TIDINGS_SHARDS", "TIDINGS_HEARTBEAT", "did you mean 'http'",
      "line 3: 'max-message' was already set in line 3", "line 4: 'retention'",
    ] { #expect(said.contains(word), "\(word) in:\n\(said)") }
    #expect(found.mistakes.count == 10, "\(said)")
    #expect(found.warnings.contains { $0.problem.contains("TIDINGS_SERVICE_HOST") })
  }

  @Test("The first of the mistakes is the one that tidings serve stops at")
  func sameOrder() throws {
    let file = "{ htpp: 'a', retention: '5x' }"
    let environment = ["TIDINGS_SHARD": "3"]
    let found = try check(["--reactors", "0"], environment: environment, file: file)
    let arguments = try ConfigurationReader.arguments(["--reactors", "0"])
    #expect(throws: found.mistakes[0]) {
      try ConfigurationReader.read(
        arguments: arguments, environment: environment, file: try ConfigurationFile(reading: Bytes(file), name: "node.json5"), hostName: "here",
        processors: 2)
    }
  }

  @Test("Each value says where it was said, and what it beat")
  func sources() throws {
    let found = try check(["--node", "flag"], environment: ["TIDINGS_NODE": "variable", "TIDINGS_DATA": "d"], file: "{\nnode: 'file', shards: 4 }")
    func row(_ option: String) -> String { found.rows.first { $0.option == option }.map { "\($0.value) from \($0.source)" } ?? "" }
    #expect(row("node") == "flag from --node, not TIDINGS_NODE, not node.json5, line 2")
    #expect(row("data") == "d from TIDINGS_DATA")
    #expect(row("shards") == "4 from node.json5, line 2")
    #expect(try check(["--auth", "jwt"]).rows.first { $0.option == "auth" }?.value == "jwt (refused)")
  }

  @Test("What stands in the file of the secret is judged and never shown")
  func secret() throws {
    let words = ["--join", "a:1", "--cluster-secret-file", "s"]
    #expect(try check(words, secret: "short\n").mistakes.count == 1)
    let good = try check(words, secret: "0123456789abcdef\n")
    #expect(good.isGood)
    #expect(!"\(good.rows) \(good.warnings)".contains("0123456789abcdef"))
  }

  @Test(
    "What is unwise is told",
    arguments: [
      (["--join", "a:1"], "share no secret"),
      (["--http", "0.0.0.0:80", "--auth", "none"], "lets in everybody"),
      (["--mqtt", "0.0.0.0:1883", "--auth", "none"], "--mqtt 0.0.0.0:1883 lets in everybody"),
      (["--origins", "https://a.example,*"], "--origins *"),
      (["--bootstrap-expect", "2", "--cluster-secret-file", "s"], "fewer brokers than --replicas 3"),
      (["--replicas", "2", "--cluster", "127.0.0.1:1"], "odd"),
      (["--replicas", "5"], "--replicas is not used: the node is alone"),
      (["--role", "edge", "--join", "a:1", "--data", "d", "--shards", "3"], "--data, --shards are not used: an edge"),
      (["--durability", "memory"], "loses acknowledged messages"),
      (["--retention", "24h"], "no size"),
      (["--retention", "100GiB"], "16 shards may come to"),
      (["--max-connections", "2000000"], "limit of open files"),
      (["--reactors", "9"], "--reactors 9"),
      (["--heartbeat", "2m"], "--heartbeat 2m"),
      (["--mqtt-max-packet", "2KiB"], "--mqtt-max-packet"),
      (["--http", "0.0.0.0:80", "--auth", "none", "--diagnostics"], "--diagnostics"),
    ])
  func warnings(words: [String], said: String) throws {
    let found = try check(words)
    #expect(found.isGood, "\(found.mistakes)")
    #expect(found.warnings.contains { $0.description.contains(said) }, "\(found.warnings)")
  }

  @Test("What the machine lacks is told, as a mistake where a node would not start")
  func machines() throws {
    func found(_ words: [String], _ change: (inout MachineFacts) -> Void) throws -> ConfigurationCheck {
      var machine = ConfigurationCheckTests.machine
      change(&machine)
      return try check(words, machine: machine)
    }
    func wrong(_ words: [String] = ["--data", "d"], _ change: (inout MachineFacts) -> Void) throws -> String {
      try found(words, change).mistakes.map(\.problem).joined(separator: "\n")
    }
    func unwise(_ words: [String] = ["--data", "d"], _ change: (inout MachineFacts) -> Void) throws -> String {
      try found(words, change).warnings.map(\.problem).joined(separator: "\n")
    }
    #expect(try wrong { $0.folder = .absent(canBeMade: false) }.contains("--data d is not there and cannot be made"))
    #expect(try wrong { $0.folder = .nowhere }.contains("--data d is not there and nobody can make it"))
    #expect(try wrong { $0.folder = .notAFolder }.contains("--data d is not a folder"))
    #expect(try wrong { $0.folder = .notWritable }.contains("--data d cannot be written to"))
    #expect(try wrong { $0.folder = .foreign("it holds 'x'") }.contains("it holds 'x'"))
    #expect(try wrong { $0.folder = .absent(canBeMade: true) }.isEmpty)
    #expect(try unwise { $0.freeBytes = 1 << 30 }.contains("has 1.00 GiB left"))
    #expect(try unwise { $0.openFiles = 1024 }.contains("the limit of open files, 1024, has room for some 768 connections"))
    #expect(try unwise(["--join", "a:1", "--cluster-secret-file", "s"]) { $0.secretIsReadableByOthers = true }.contains("--cluster-secret-file s can be read"))
    let everywhere = ["--cluster", "0.0.0.0:7400", "--cluster-secret-file", "s"]
    #expect(try wrong(everywhere) { $0.hostNameCanBeDialled = false }.contains("its name 'here' stands for none"))
    #expect(try found(["--role", "edge", "--join", "a:1", "--cluster-secret-file", "s"]) { $0.folder = .notWritable }.isGood)
  }

  @Test(
    "No address is had twice",
    arguments: [
      (["--http", "127.0.0.1:8080", "--mqtt", "127.0.0.1:8080"], "--http 127.0.0.1:8080 and --mqtt 127.0.0.1:8080 are the same address"),
      (["--http", "127.0.0.1:9", "--cluster", "127.0.0.1:9"], "--http 127.0.0.1:9 and --cluster 127.0.0.1:9 are the same"),
      (["--http", "127.0.0.1:7400", "--role", "broker"], "--http 127.0.0.1:7400 and --cluster 127.0.0.1:7400 are the same"),
      (["--cluster", "127.0.0.1:1883"], "--mqtt 127.0.0.1:1883 and --cluster 127.0.0.1:1883 are the same"),
      (["--http", "0.0.0.0:9", "--auth", "none", "--mqtt", "127.0.0.1:9"], "--http 0.0.0.0:9 and --mqtt 127.0.0.1:9 are the same port"),
      (["--http", "127.0.0.2:9,0.0.0.0:9", "--auth", "none"], "--http 127.0.0.2:9 and --http 0.0.0.0:9 are the same port"),
      (["--http", "[::]:9", "--auth", "none", "--mqtt", "[::1]:9"], "--http [::]:9 and --mqtt [::1]:9 are the same port"),
    ])
  func clashes(words: [String], said: String) throws {
    let found = try check(words)
    #expect(found.mistakes.count == 1 && found.mistakes[0].problem.hasPrefix(said), "\(found.mistakes)")
    #expect(!found.mistakes[0].hint.isEmpty)
    #expect(found.reading.configuration.clashes == found.mistakes)
  }

  @Test(
    "What only looks the same is not",
    arguments: [
      ["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--cluster", "127.0.0.1:0"],
      ["--http", "127.0.0.2:9", "--mqtt", "127.0.0.1:9"],
      ["--http", "[::]:9", "--auth", "none", "--mqtt", "0.0.0.0:9"],
      // The default address of MQTT is left out where it is taken.
      ["--http", "127.0.0.1:1883"],
      // There is no cluster port.
      ["--http", "127.0.0.1:7400"],
    ])
  func looksTheSame(words: [String]) throws {
    #expect(try check(words).mistakes == [])
  }

  @Test("A cluster that others reach and that has no secret is one mistake, and no warning beside it")
  func openCluster() throws {
    let found = try check(["--cluster", "10.0.0.1:7400"])
    #expect(found.mistakes.count == 1 && found.warnings == [], "\(found)")
  }
}
