import Foundation
import Testing

/// What every file of the tree keeps to.
@Suite("Files")
struct FileTests {
  static let mostLines = 500
  static let manyLines = 400
  static let mostReadmeLines = 40

  private var written: [SourceFile] {
    SourceTree.here.files.filter { file in
      [".swift", ".c", ".h", ".py", ".js", ".html", ".md", ".sh"].contains { file.path.hasSuffix($0) }
        || ["Tests/run", "cluster/up", ".ci/run"].contains(file.path)
    }
  }

  @Test("No file is longer than 500 lines; past 400 it is named")
  func length() {
    for file in written {
      // What a browser loads is one file by its nature: the page and the client stand alone.
      if file.path.hasPrefix("Sources/Edge/Web/") { continue }
      #expect(file.lineCount <= FileTests.mostLines, "\(file.path) has \(file.lineCount) lines: there is a second subject in it")
      if file.lineCount > FileTests.manyLines, file.lineCount <= FileTests.mostLines {
        print("long: \(file.path) has \(file.lineCount) lines")
      }
    }
  }

  @Test("Nothing is left for later in a comment")
  func nothingLeftOver() {
    // In two halves, so that this file is not the first to break its own rule.
    let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    for file in written where !file.path.hasSuffix(".md") {
      for (index, line) in file.lines.enumerated() {
        let found = line.split { !$0.isLetter }.first { words.contains(String($0)) }
        #expect(found == nil, "\(file.path):\(index + 1) says \(found ?? "")")
      }
    }
  }

  @Test("Nothing names a path of the machine it was written on")
  func noMachinePaths() {
    let paths = ["work", "root", "home"].map { "/" + $0 + "/" }
    for file in SourceTree.here.files {
      for (index, line) in file.lines.enumerated() {
        for path in paths {
          // A path begins there; "network/" or an address with such a part does not.
          guard let range = line.range(of: path) else { continue }
          let before = range.lowerBound == line.startIndex ? nil : line[line.index(before: range.lowerBound)]
          let isPartOfLonger = before.map { $0.isLetter || $0.isNumber || $0 == "." || $0 == "-" || $0 == "_" || $0 == "}" } ?? false
          #expect(isPartOfLonger, "\(file.path):\(index + 1) names \(path)")
        }
      }
    }
  }

  @Test("No file stands in for one that is to come")
  func noPlaceholders() {
    for file in SourceTree.here.files {
      #expect(!file.path.hasSuffix("/Placeholder.swift"), "\(file.path)")
    }
  }

  @Test("Every module has a README that says something, in at most 40 lines")
  func readmes() throws {
    for row in RoomTable.here.rows where row.name != "tidings" {
      let readme = try #require(SourceTree.here.file("Sources/\(row.name)/README.md"), "Sources/\(row.name) has no README.md")
      #expect(readme.lineCount <= FileTests.mostReadmeLines, "\(readme.path) has \(readme.lineCount) lines")
      let said = readme.lines.filter { !$0.allSatisfy(\.isWhitespace) && !$0.hasPrefix("#") }
      #expect(said.count >= 3, "\(readme.path) says nothing yet")
    }
  }

  @Test("Every link between the documents leads to a file that is there")
  func links() {
    let inline = /\]\(([^)\s#]+)(?:#[^)\s]*)?\)/
    for file in SourceTree.here.files where file.path.hasSuffix(".md") {
      let folder = file.path.split(separator: "/").dropLast()
      for match in file.text.matches(of: inline) {
        let target = String(match.1)
        if target.contains("://") || target.hasPrefix("mailto:") { continue }
        var path = target.hasPrefix("/") ? [] : folder.map(String.init)
        for part in target.split(separator: "/") {
          switch part {
          case ".": continue
          case "..": path = path.dropLast()
          default: path.append(String(part))
          }
        }
        #expect(SourceTree.here.exists(path.joined(separator: "/")), "\(file.path) links to \(target), which is not there")
      }
    }
  }

  @Test("The walkthrough leads through the code")
  func walkthrough() throws {
    let walkthrough = try #require(SourceTree.here.file("docs/walkthrough.md"), "docs/walkthrough.md is missing")
    let stops = walkthrough.text.matches(of: /\]\(\.\.\/Sources\/([^)]+\.swift)\)/)
    #expect(stops.count >= 8, "the walkthrough names \(stops.count) source files")
  }
}
