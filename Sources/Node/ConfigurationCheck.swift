internal import Core
internal import Sealing

/// A configuration as `tidings check-config` judges it: what would keep a node from starting, and what is legal and unwise.
public struct ConfigurationCheck: Sendable {
  public let reading: ConfigurationReading
  /// A node that is told this does not start.
  public private(set) var mistakes: [UsageError]
  /// It starts, and somebody may be sorry.
  public private(set) var warnings: [UsageError]

  /// `earlier` are mistakes found before options were read: of the command line, of the file as a whole.
  public init(_ reading: ConfigurationReading, earlier: [UsageError] = [], machine: MachineFacts) {
    self.reading = reading
    // What hangs on an option that was refused cannot be judged.
    let depends = ["auth", "cluster", "role", "join", "cluster-secret-file"]
    mistakes = earlier + reading.mistakes
    if !depends.contains(where: reading.isRefused) { mistakes += reading.configuration.exposureProblems }
    if let text = reading.configuration.clusterSecret {
      do throws(ClusterSecretFailure) {
        _ = try ClusterSecret(parsing: text.bytes)
      } catch {
        mistakes.append(UsageError("--cluster-secret-file \(reading.configuration.clusterSecretFile ?? ""): \(error)"))
      }
    }
    warnings = ConfigurationAdvice(reading: reading, machine: machine).all
  }

  public var isGood: Bool { mistakes.isEmpty }

  /// A line of the table: what holds, and where it was said.
  public struct Row: Sendable, Equatable {
    public let option: String
    public let value: String
    public let source: String
  }

  public var rows: [Row] {
    reading.settings.map { setting in
      guard let written = setting.written, let source = setting.source else {
        let text = ServeOption.named(setting.option)?.defaultText ?? ""
        return Row(option: setting.option, value: reading.configuration.value(ofUnsaid: setting.option) ?? text, source: "default")
      }
      let beaten = setting.beaten.isEmpty ? "" : ", not \(setting.beaten.reversed().joined(separator: ", not "))"
      return Row(
        option: setting.option, value: LogText.escaped(written) + (setting.isRefused ? " (refused)" : ""), source: source + beaten)
    }
  }
}
