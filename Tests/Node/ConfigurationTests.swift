import Core
import MQTT
import Security
import Testing

@testable import Node

@Suite("What a node is told to be")
struct ConfigurationTests {
  func read(_ words: [String] = [], environment: [String: String] = [:], file: String? = nil) throws(UsageError)
    -> NodeConfiguration
  {
    let arguments = try ConfigurationReader.arguments(words)
    var settings: ConfigurationFile?
    if let file { settings = try ConfigurationFile(reading: Bytes(file), name: "node.json5") }
    return try ConfigurationReader.read(
      arguments: arguments, environment: environment, file: settings, hostName: "here", processors: 2)
  }

  func problem(_ words: [String] = [], environment: [String: String] = [:], file: String? = nil) -> UsageError {
    do throws(UsageError) {
      _ = try read(words, environment: environment, file: file)
      return UsageError("none")
    } catch {
      return error
    }
  }

  @Test("without a word said, the defaults hold")
  func defaults() throws {
    let configuration = try read()
    #expect("\(configuration)" == "\(NodeConfiguration(name: "here", reactors: 2))")
    #expect(configuration.http == [Endpoint(host: "127.0.0.1", port: 8080)])
    #expect(configuration.exposureProblem == nil)
  }

  @Test("a flag beats the environment, the environment beats the file")
  func precedence() throws {
    let file = "{ shards: 2, data: 'from-file', node: 'from-file', http: ['127.0.0.1:1', '[::1]:2'] }"
    let environment = ["TIDINGS_DATA": "from-environment", "TIDINGS_NODE": "from-environment"]
    let configuration = try read(["--node", "from-flag"], environment: environment, file: file)
    #expect(configuration.name == "from-flag")
    #expect(configuration.dataFolder == "from-environment")
    #expect(configuration.shards == 2)
    #expect(configuration.http == [Endpoint(host: "127.0.0.1", port: 1), Endpoint(host: "::1", port: 2)])
  }

  @Test("every option can be said in each of the three places, and means the same")
  func everyOption() throws {
    let samples = [
      "role": "all", "node": "n", "http": "127.0.0.1:1", "mqtt": "127.0.0.1:2", "mqtt-max-keepalive": "1h", "mqtt-max-session-expiry": "2d",
      "mqtt-receive-maximum": "7", "mqtt-max-packet": "2MiB", "mqtt-max-inflight": "9", "mqtt-max-qos": "1", "mqtt-topic-alias-maximum": "5", "cluster": "127.0.0.1:3",
      "advertise": "10.0.0.1:4", "join": "a:1,b:2", "bootstrap-expect": "5", "replicas": "2", "cluster-secret-file": "s",
      "data": "d", "shards": "3", "retention": "1h,2MiB", "reactors": "5", "durability": "memory", "auth": "none", "origins": "*",
      "reader-buffer": "64KiB", "heartbeat": "5s", "drain-window": "0s", "replace-after": "90s", "rack": "b2", "max-connections": "7", "max-message": "2MiB",
      "diagnostics": "on", "log-format": "json", "log-level": "debug",
    ]
    let defaults = "\(NodeConfiguration(name: "here", reactors: 2))"
    for option in ServeOption.table where option.isAvailable {
      let sample = try #require(samples[option.name], "a sample for --\(option.name)")
      let byFlag = "\(try read(["--\(option.name)=\(sample)"]))"
      #expect("\(try read(environment: [option.variable: sample]))" == byFlag)
      #expect("\(try read(file: "{ '\(option.name)': '\(sample)' }"))" == byFlag)
      if option.name != "role" { #expect(byFlag != defaults, "--\(option.name) changes something") }
    }
    #expect(samples.count == ServeOption.table.filter(\.isAvailable).count)
  }

  @Test("values are read in their units")
  func units() throws {
    let configuration = try read([
      "--retention", "7d", "--reader-buffer", "1MiB", "--heartbeat", "1m30s", "--max-message=65536", "--mqtt", "off",
    ])
    #expect(configuration.retention == .init(age: .seconds(7 * 86400), bytes: nil))
    #expect(configuration.readerBufferBytes == 1 << 20)
    #expect(configuration.heartbeat == .seconds(90))
    #expect(configuration.maximumMessageBytes == 65536)
    #expect(configuration.mqtt == nil)
    #expect(try read(["--retention", "10GiB"]).retention == .init(age: nil, bytes: 10 << 30))
    let origins = try read(["--origins", "https://A.example, http://b.example:81"]).origins
    #expect(origins.decide(origin: "https://a.example", host: "here") == .allowed("https://a.example"))
    #expect(origins.decide(origin: "http://b.example", host: "here") == .refused)
    #expect(try read(file: "{reader_buffer: 65536, diagnostics: true, mqtt: false}").readerBufferBytes == 65536)
  }

  @Test("an unknown key of the file is named with its line and the nearest name")
  func unknownKey() {
    let error = problem(file: "{\n  // how it is kept\n  durabilty: 'memory',\n}")
    #expect(error.problem == "node.json5, line 3: 'durabilty' is not an option")
    #expect(error.hint == "did you mean 'durability'?")
  }

  @Test(
    "a bad value is named with the place it was written in",
    arguments: [
      ("{\n\n shards: 0 }", "node.json5, line 3: 'shards' cannot be '0'"),
      ("{ shards: 1.5 }", "node.json5, line 1: 'shards' cannot be '1.5'"),
      ("{ heartbeat: 15 }", "node.json5, line 1: 'heartbeat' has no unit"),
      ("{ http: {} }", "node.json5, line 1: 'http' has a value of the wrong kind"),
      ("{ http: true }", "node.json5, line 1: 'http' has a value of the wrong kind"),
      ("{ config: 'x' }", "node.json5, line 1: 'config' is not taken inside the file"),
      ("{ reader_buffer: 65536,\n 'reader-buffer': 65536 }", "node.json5, line 2: 'reader-buffer' was already set in line 1"),
      ("{ https: 'x:1' }", "node.json5, line 1: 'https': TLS is not available in this version"),
    ])
  func badFileValue(file: String, expected: String) {
    #expect(problem(file: file).problem == expected)
  }

  @Test("a file that is not JSON5 is refused with line and column")
  func brokenFile() {
    #expect(
      problem(file: "{\n  http: \"127.0.0.1:1\"\n  data: 'x' }").problem.hasPrefix("node.json5, line 3, column 3: expected ','"))
    #expect(problem(file: "[1]").problem == "node.json5, line 1: expected an object, found an array")
  }

  @Test(
    "a bad value of a flag is named",
    arguments: [
      (["--http", "8080"], "--http: '8080' has no host"),
      (["--http", "127.0.0.1"], "--http: '127.0.0.1' has no port"),
      (["--http", ","], "--http cannot be ','"),
      (["--http", "127.0.0.1:1,127.0.0.1:1"], "--http names 127.0.0.1:1 twice"),
      (["--retention", "soon"], "--retention: “soon” is not a duration"),
      (["--retention", "1s,2s"], "--retention has two ages, '1s,2s'"),
      (["--retention", "24"], "--retention: “24” has no unit"),
      (["--retention", "1GB,2GB"], "--retention has two sizes, '1GB,2GB'"),
      (["--retention", "1KiB"], "--retention cannot be '1KiB'"),
      (["--join", "a"], "--join: 'a' has no port"),
      (["--bootstrap-expect", "0"], "--bootstrap-expect cannot be '0'"),
      (["--replicas", "10"], "--replicas cannot be '10'"),
      (["--cluster-secret-file", ""], "--cluster-secret-file is empty"),
      (["--role", "egde"], "--role cannot be 'egde'"),
      (["--auth", "jwt"], "--auth cannot be 'jwt'"),
      (["--durability", "fsnyc"], "--durability cannot be 'fsnyc'"),
      (["--origins", "example.org"], "--origins: “example.org” is not an origin"),
      (["--origins", "https://example.org/"], "--origins: “https://example.org/” is not an origin"),
      (["--node", ""], "--node cannot be ''"),
      (["--node", "a\u{1b}[2J"], "--node cannot be 'a\\u{1b}[2J'"),
      (["--https", "a:1"], "--https: TLS is not available in this version"),
      (["--jwt-keys=x"], "--jwt-keys: authentication is not available in this version"),
      (["--shard", "4"], "there is no option --shard"),
      (["extra"], "'extra' is one argument too many"),
    ])
  func badFlag(words: [String], expected: String) {
    #expect(problem(words).problem.hasPrefix(expected))
  }

  @Test("a misspelt variable is an error, one that orchestrators make is only mentioned, an empty one is not set")
  func variables() throws {
    #expect(problem(environment: ["TIDINGS_DURABILTY": "memory"]).hint == "did you mean TIDINGS_DURABILITY?")
    #expect(problem(environment: ["TIDINGS_SHARDS": "many"]).problem == "TIDINGS_SHARDS cannot be 'many'")
    let configuration = try read(environment: [
      "TIDINGS_SERVICE_HOST": "10.0.0.1", "TIDINGS_DATA": "", "TIDINGS_URL": "http://x", "HOME": "/",
    ])
    #expect(configuration.dataFolder == "./tidings-data")
    #expect(configuration.notices == ["the variable TIDINGS_SERVICE_HOST is not an option of tidings serve and is ignored"])
  }

  @Test("the file is named by flag or variable, the flag first")
  func fileName() throws {
    let arguments = try ConfigurationReader.arguments(["--config", "a"])
    let none = try ConfigurationReader.arguments([])
    #expect(ConfigurationReader.fileName(arguments: arguments, environment: ["TIDINGS_CONFIG": "b"]) == "a")
    #expect(ConfigurationReader.fileName(arguments: none, environment: ["TIDINGS_CONFIG": "b"]) == "b")
    #expect(ConfigurationReader.fileName(arguments: none, environment: ["TIDINGS_CONFIG": ""]) == nil)
  }

  @Test("MQTT is served on its own port unless it is switched off, within the limits that were asked for")
  func mqtt() throws {
    let standard = try read()
    #expect(standard.mqtt == Endpoint(host: "127.0.0.1", port: 1883) && !standard.mqttIsChosen)
    let configuration = try read([
      "--mqtt", "127.0.0.1:9151", "--mqtt-max-keepalive", "90s", "--mqtt-receive-maximum", "10", "--mqtt-max-packet", "64KiB",
      "--mqtt-max-inflight", "20", "--mqtt-max-qos", "1", "--mqtt-topic-alias-maximum", "0",
    ])
    #expect(configuration.mqtt == Endpoint(host: "127.0.0.1", port: 9151) && configuration.mqttIsChosen)
    let limits = configuration.mqttLimits
    #expect(limits.maximumKeepAlive == 90 && limits.receiveMaximum == 10 && limits.maximumInFlight == 20 && limits.topicAliasMaximum == 0)
    #expect(limits.maximumQoS == .atLeastOnce && configuration.mqttMaximumPacketBytes == 65536)
    for words in [["--mqtt-max-qos", "3"], ["--mqtt-receive-maximum", "0"], ["--mqtt-max-keepalive", "20h"], ["--mqtt-max-packet", "1"]] {
      #expect(throws: UsageError.self) { try read(words) }
    }
    #expect(try read(["--mqtt", "0.0.0.0:1883"]).exposureProblem?.problem.hasPrefix("--mqtt 0.0.0.0:1883 can be reached") == true)
  }

  @Test(
    "a node is one of several as soon as an option asks for it",
    arguments: [
      ([], false, 1), (["--role", "broker"], true, 3), (["--role", "edge", "--join", "a:1"], true, 3), (["--join", "a:1"], true, 3),
      (["--bootstrap-expect", "1"], false, 1), (["--bootstrap-expect", "5"], true, 5), (["--cluster", "127.0.0.1:7400"], true, 1),
      (["--cluster", "off"], false, 1), (["--cluster", "off", "--bootstrap-expect", "3"], false, 3), (["--replicas", "2"], false, 1),
    ])
  func clustered(words: [String], isClustered: Bool, expected: Int) throws {
    let configuration = try read(words)
    #expect(configuration.isClustered == isClustered)
    #expect(configuration.expectedBrokers == expected)
  }

  @Test(
    "a node that could meet nobody, or anybody, does not start",
    arguments: [
      (["--role", "edge"], "--role edge without --join finds no brokers"),
      (["--role", "edge", "--cluster", "off", "--join", "a:1"], "--cluster off leaves a node that cannot meet others"),
      (["--cluster", "off", "--join", "a:1"], "--cluster off leaves a node that cannot meet others"),
      (["--cluster", "0.0.0.0:7400"], "--cluster 0.0.0.0:7400 can be reached from other machines, and there is no secret that keeps strangers out"),
    ])
  func badCompany(words: [String], expected: String) throws {
    #expect(try read(words).exposureProblem?.problem == expected)
  }

  @Test("beyond loopback a cluster's port needs a secret, and a way in for clients is another matter")
  func secretBeyondLoopback() throws {
    let words = ["--cluster", "10.0.0.1:7400", "--cluster-secret-file", "s"]
    #expect(try read(words).exposureProblem == nil)
    #expect(try read(words + ["--http", "10.0.0.1:8080"]).exposureProblem?.hint.contains("--auth none") == true)
    #expect(try read(["--cluster", "127.0.0.2:7400"]).exposureProblem == nil)
  }

  @Test(
    "beyond loopback a node starts only when it was said who may come in",
    arguments: [
      ("127.0.0.1:8080", true), ("127.9.9.9:1", true), ("localhost:8080", true), ("[::1]:8080", true),
      ("[::ffff:127.0.0.1]:8080", true),
      ("0.0.0.0:8080", false), ("[::]:8080", false), ("192.168.0.1:80", false), ("example.org:80", false),
      ("127.0.0.1,0.0.0.0:80", false),
      ("127.evil.example:80", false), ("127.0.0.1:80,[::]:80", false),
    ])
  func exposure(address: String, isAllowed: Bool) throws {
    guard address != "127.0.0.1,0.0.0.0:80" else { return #expect(problem(["--http", address]).problem.contains("has no port")) }
    let problem = try read(["--http", address]).exposureProblem
    #expect((problem == nil) == isAllowed)
    if let problem { #expect(problem.hint.contains("--auth none")) }
    #expect(try read(["--http", address, "--auth", "none"]).exposureProblem == nil)
    #expect(try read(["--http", address], environment: ["TIDINGS_AUTH": "none"]).exposureProblem == nil)
  }
}
