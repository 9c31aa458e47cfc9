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
    if !depends.contains(where: reading.isRefused) {
      mistakes += reading.configuration.exposureProblems
      if !["http", "mqtt", "bootstrap-expect"].contains(where: reading.isRefused) { mistakes += reading.configuration.clashes }
    }
    if let text = reading.configuration.clusterSecret {
      do throws(ClusterSecretFailure) {
        _ = try ClusterSecret(parsing: text.bytes)
      } catch {
        mistakes.append(UsageError("--cluster-secret-file \(reading.configuration.clusterSecretFile ?? ""): \(error)"))
      }
    }
    if !reading.isRefused("data") { mistakes += ConfigurationCheck.folderProblem(reading.configuration, machine).map { [$0] } ?? [] }
    if reading.configuration.isClustered, !machine.hostNameCanBeDialled {
      mistakes.append(
        UsageError(
          "--cluster \(reading.configuration.clusterEndpoint) is every address of this machine, and its name '\(reading.configuration.hostName)' stands for none that others could dial",
          hint: "say --advertise HOST:PORT"))
    }
    warnings = ConfigurationAdvice(reading: reading, machine: machine).all
  }

  /// Why a node could not use the folder of its data; an edge has none.
  private static func folderProblem(_ configuration: NodeConfiguration, _ machine: MachineFacts) -> UsageError? {
    guard configuration.role != .edge else { return nil }
    let folder = configuration.dataFolder
    let rights = "run this as the user who runs the node, or give that user the folder"
    return switch machine.folder {
    case .usable, .absent(canBeMade: true): nil
    case .absent(canBeMade: false): UsageError("--data \(folder) is not there and cannot be made by whoever asks this", hint: rights)
    case .nowhere: UsageError("--data \(folder) is not there and nobody can make it: no files can be made where it would be", hint: "name another folder")
    case .notAFolder: UsageError("--data \(folder) is not a folder", hint: "name a folder that is empty or not there yet")
    case .notWritable: UsageError("--data \(folder) cannot be written to by whoever asks this", hint: rights)
    case .foreign(let why): UsageError("--data: \(why)")
    }
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
