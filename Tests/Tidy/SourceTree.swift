import Foundation

/// The clone these tests were built from, read as text.
struct SourceTree: CustomStringConvertible {
  static let here = SourceTree()

  let root: URL
  /// Every file that belongs to the project, by its path from the root.
  let files: [SourceFile]

  /// What a build or a running node leaves behind, and what version control keeps.
  static let notOurs: Set<String> = [".build", ".git", "tidings-data", "__pycache__", ".swiftpm"]

  private init() {
    // Tests/Tidy/SourceTree.swift, three steps up.
    root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    var found: [SourceFile] = []
    let walker = FileManager.default.enumerator(at: root, includingPropertiesForKeys: [.isDirectoryKey])!
    while let url = walker.nextObject() as? URL {
      if SourceTree.notOurs.contains(url.lastPathComponent) {
        walker.skipDescendants()
        continue
      }
      // What is not text (a picture, a corpus of bytes) is not for these tests.
      guard url.isFileURL, !url.hasDirectoryPath, let text = try? String(contentsOf: url, encoding: .utf8) else { continue }
      found.append(SourceFile(path: String(url.path.dropFirst(root.path.count).drop { $0 == "/" }), text: text))
    }
    files = found.sorted { $0.path < $1.path }
  }

  // A failed expectation prints what it looked at: a name, not the whole tree.
  var description: String { "the source tree" }

  func file(_ path: String) -> SourceFile? { files.first { $0.path == path } }

  func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: root.appending(path: path).path) }

  func swiftFiles(of module: String) -> [SourceFile] {
    files.filter { $0.path.hasPrefix("Sources/\(module)/") && $0.path.hasSuffix(".swift") }
  }
}

struct SourceFile: CustomStringConvertible {
  let path: String
  let text: String

  var description: String { path }

  var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
  var lineCount: Int { text.split(separator: "\n", omittingEmptySubsequences: false).count - (text.hasSuffix("\n") ? 1 : 0) }

  /// Its lines, numbered from 1, without comments and without what stands in string literals: the code alone.
  var codeLines: [(number: Int, code: String)] {
    var lexer = CodeLexer()
    return lines.enumerated().map { ($0.offset + 1, lexer.code(of: $0.element)) }
  }
}

/// Takes comments and the inside of literals out of Swift, line by line. Knows as much of the language as that needs.
private struct CodeLexer {
  private var inComment = 0
  private var inLongString = false

  mutating func code(of line: Substring) -> String {
    var code = ""
    var rest = line
    while !rest.isEmpty {
      if inLongString {
        guard let end = rest.range(of: "\"\"\"") else { return code }
        inLongString = false
        rest = rest[end.upperBound...]
      } else if inComment > 0 {
        if rest.hasPrefix("*/") { inComment -= 1 } else if rest.hasPrefix("/*") { inComment += 1 } else { rest = rest.dropFirst(); continue }
        rest = rest.dropFirst(2)
      } else if rest.hasPrefix("//") {
        return code
      } else if rest.hasPrefix("/*") {
        inComment += 1
        rest = rest.dropFirst(2)
      } else if rest.hasPrefix("\"\"\"") {
        inLongString = true
        rest = rest.dropFirst(3)
      } else if rest.hasPrefix("\"") {
        code += "\"\""
        rest = CodeLexer.afterLiteral(rest.dropFirst())
      } else {
        code.append(rest.removeFirst())
      }
    }
    return code
  }

  private static func afterLiteral(_ text: Substring) -> Substring {
    var rest = text
    while let character = rest.popFirst() {
      if character == "\\" { _ = rest.popFirst() } else if character == "\"" { break }
    }
    return rest
  }
}
