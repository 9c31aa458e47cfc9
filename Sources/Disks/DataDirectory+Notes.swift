internal import Journal

/// What a node must not forget beside who it is, as small texts.
extension DataDirectory {
  public enum Note: String, Sendable {
    /// What it has promised of a cluster's birth.
    case birth
    /// Every shard it holds was there once: one that is empty now has lost something.
    case made
    /// Which shards it holds, once that is not what its birth says any more.
    case holds
    /// The incarnation of its newest life: the next one is above it, whatever the clock says.
    case life
  }

  /// nil when it was never written.
  public func note(_ note: Note) throws(DataDirectoryError) -> String? {
    try Self.reaching(path) { () throws(DiskError) in try root.text(of: note.rawValue) }
  }

  /// Durable when it returns.
  public func write(_ note: Note, _ text: String) throws(DataDirectoryError) {
    try Self.reaching(path) { () throws(DiskError) in try root.replace(note.rawValue, text: text) }
  }
}
