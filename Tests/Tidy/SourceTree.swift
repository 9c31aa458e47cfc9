import Foundation

/// The clone these tests were built from, read as text.
struct SourceTree: CustomStringConvertible {
  static let here = SourceTree()

  let root: URL
  /// Every file that belongs to the project, by its path from the root.
  let files: [SourceFile]

  /// What a build or a running node leaves behind, and what version control keeps.
  static let notOurs: Set<String> = [".build", ".git", "tidings-data", "tidings-cluster", "__pycache__", ".swiftpm"]

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
  let lines: [Substring]
  /// Of Swift files: the lines, numbered from 1, without comments and without what stands in literals. The code alone.
  let codeLines: [(number: Int, code: String)]

  init(path: String, text: String) {
    self.path = path
    self.text = text
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    var lexer = CodeLexer()
    codeLines = path.hasSuffix(".swift") ? lines.enumerated().map { ($0.offset + 1, lexer.code(of: $0.element)) } : []
  }

  var description: String { path }

  var lineCount: Int { lines.count - (text.hasSuffix("\n") ? 1 : 0) }
}

/// Takes comments and the inside of literals out of Swift, line by line. Knows as much of the language as that needs.
private struct CodeLexer {
  private var commentDepth = 0
  private var isInLongString = false

  mutating func code(of line: Substring) -> String {
    let bytes = Array(line.utf8)
    var code: [UInt8] = []
    var at = 0
    func has(_ mark: StaticString) -> Bool {
      let count = mark.utf8CodeUnitCount
      return at + count <= bytes.count && (0..<count).allSatisfy { bytes[at + $0] == mark.utf8Start[$0] }
    }
    while at < bytes.count {
      if isInLongString {
        isInLongString = !has("\"\"\"")
        at += isInLongString ? 1 : 3
      } else if commentDepth > 0 {
        let step = has("*/") ? -1 : has("/*") ? 1 : 0
        commentDepth += step
        at += step == 0 ? 1 : 2
      } else if has("//") {
        break
      } else if has("/*") {
        commentDepth += 1
        at += 2
      } else if has("\"\"\"") {
        isInLongString = true
        at += 3
      } else if has("\"") {
        code += [UInt8(ascii: "\""), UInt8(ascii: "\"")]
        at += 1
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
        at += 1
      } else {
        code.append(bytes[at])
        at += 1
      }
    }
    return String(decoding: code, as: UTF8.self)
  }
}

extension String {
  /// Whether `word` stands in it with nothing on either side that would make it part of a longer word. Regular
  /// expressions over every line of the tree take ten times as long.
  func hasWord(_ word: String) -> Bool {
    func isPart(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "_") || byte >= 0x80 || Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber }
    let needle = Array(word.utf8)
    let hay = Array(utf8)
    guard let first = needle.first, let last = needle.last, hay.count >= needle.count else { return false }
    for at in 0...(hay.count - needle.count) where hay[at] == first && hay[at..<at + needle.count].elementsEqual(needle) {
      let before = at > 0 && isPart(first) && isPart(hay[at - 1])
      let after = at + needle.count < hay.count && isPart(last) && isPart(hay[at + needle.count])
      if !before && !after { return true }
    }
    return false
  }
}
