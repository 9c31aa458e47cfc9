/// A node, from start to end.
public enum TidingsNode {
  /// Runs a node until it is told to stop; the result is the process's exit code.
  public static func run(_ configuration: NodeConfiguration, log: Log) -> Int32 {
    log.error("not-assembled", "this build has no node in it")
    return 1
  }
}
