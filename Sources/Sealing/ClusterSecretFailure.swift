/// Why a text is no cluster secret.
public enum ClusterSecretFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// No line with a secret.
  case empty
  case tooShort(line: Int, bytes: Int)
  case tooLong(line: Int, bytes: Int)
  /// The first line past the bound.
  case tooMany(line: Int)
  /// A control character: the file is binary, or of another encoding.
  case notText(line: Int)
  case repeated(line: Int, first: Int)
  /// Two secrets, one key id: it happens once in four thousand million times.
  case sameKeyID(line: Int, first: Int)

  private static let recipe = "one can be made with 'openssl rand -base64 32'"

  /// What is wrong, where, and what to do. Never what the secret is.
  public var description: String {
    switch self {
    case .empty:
      "there is no secret in it: write one on a line of its own; \(ClusterSecretFailure.recipe)"
    case .tooShort(let line, let bytes):
      "line \(line): a secret of \(bytes) bytes can be guessed; it needs at least \(ClusterSecret.shortest); \(ClusterSecretFailure.recipe)"
    case .tooLong(let line, let bytes):
      "line \(line): a secret of \(bytes) bytes is longer than \(ClusterSecret.longest); 32 random bytes are plenty; \(ClusterSecretFailure.recipe)"
    case .tooMany(let line):
      "line \(line): there are more than \(ClusterSecret.most) secrets; take away those that no node sends with any more"
    case .notText(let line):
      "line \(line): a secret is one line of text, and this has a control character in it; \(ClusterSecretFailure.recipe)"
    case .repeated(let line, let first):
      "line \(line): the same secret stands on line \(first) already; take one of them away"
    case .sameKeyID(let line, let first):
      "line \(line): this secret happens to have the same key id as the one on line \(first); make another; \(ClusterSecretFailure.recipe)"
    }
  }
}
