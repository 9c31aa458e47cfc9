internal import Core
internal import Glibc
internal import Journal

/// Directories and small text files, at start.
extension DirectoryHandle {
  /// Makes the directory and those above it that are missing, each durable in the one above.
  static func make(_ path: String) throws(DiskError) {
    guard mkdir(path, 0o755) != 0 else { return try syncParent(of: path) }
    switch errno {
    case EEXIST: return
    case ENOENT:
      guard let parent = parent(of: path) else { throw DiskError(errno: ENOENT, "make") }
      try make(parent)
      guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw DiskError(errno: errno, "make") }
      try syncParent(of: path)
    default: throw DiskError(errno: errno, "make")
    }
  }

  private static func syncParent(of path: String) throws(DiskError) {
    try DirectoryHandle(path: parent(of: path) ?? ".").sync()
  }

  private static func parent(of path: String) -> String? {
    var trimmed = path[...]
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    guard let slash = trimmed.lastIndex(of: "/") else { return nil }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }

  /// The text of a small file; nil when there is none.
  func text(of name: String) throws(DiskError) -> String? {
    let file: Int32
    do throws(DiskError) {
      file = try open(name, O_RDONLY)
    } catch {
      if error.kind == .missing { return nil }
      throw error
    }
    defer { close(file) }
    return try withUnsafeTemporaryAllocation(byteCount: Self.mostTextBytes, alignment: 1) { space throws(DiskError) in
      guard let start = space.baseAddress else { return "" }
      let got = try FileCalls.read(file, at: 0, count: space.count, into: start, name)
      return String(decoding: space[..<got], as: UTF8.self)
    }
  }

  func replace(_ name: String, text: String) throws(DiskError) {
    try Bytes(text).withUnsafeBytes { bytes throws(DiskError) in try replace(name, with: [bytes], durable: true) }
  }

  /// Format and identity are far smaller.
  private static let mostTextBytes = 4096
}
