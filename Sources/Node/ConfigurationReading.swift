/// Everything that reading a configuration brought: what the node would be, where each part of it was said, what is wrong.
public struct ConfigurationReading: Sendable {
  /// One option of `tidings serve`.
  public struct Setting: Sendable, Equatable {
    /// Without the dashes.
    public let option: String
    /// As it was said; nil where the default holds.
    public let written: String?
    /// Which flag, variable or line said so.
    public let source: String?
    /// Those that said something too and count for less.
    public let beaten: [String]
    /// What was said cannot be, so that the default stands in the configuration.
    public let isRefused: Bool

    public init(option: String, written: String?, source: String?, beaten: [String], isRefused: Bool) {
      self.option = option
      self.written = written
      self.source = source
      self.beaten = beaten
      self.isRefused = isRefused
    }
  }

  public var configuration: NodeConfiguration
  /// In the order of help.
  public let settings: [Setting]
  /// In the order in which `tidings serve` comes upon them: it stops at the first.
  public let mistakes: [UsageError]

  public init(configuration: NodeConfiguration, settings: [Setting], mistakes: [UsageError]) {
    self.configuration = configuration
    self.settings = settings
    self.mistakes = mistakes
  }

  func isWritten(_ option: String) -> Bool { settings.contains { $0.option == option && $0.source != nil } }
  func isRefused(_ option: String) -> Bool { settings.contains { $0.option == option && $0.isRefused } }
}
