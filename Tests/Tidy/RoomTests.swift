import Testing

/// The lines between the rooms.
@Suite("Rooms")
struct RoomTests {
  /// What shells may take from the toolchain; pure modules take nothing.
  static let toolchain: Set<String> = ["Foundation", "FoundationEssentials", "Glibc", "Synchronization"]

  @Test("The table of rooms is found, and every folder of Sources has a row or is an engine in C")
  func tableIsComplete() {
    let rows = RoomTable.here.rows
    #expect(rows.contains { $0.name == "Core" && $0.isPure })
    #expect(rows.contains { $0.name == "tidings" })
    let named = Set(rows.map(\.name))
    let folders = Set(SourceTree.here.files.filter { $0.path.hasPrefix("Sources/") }.map { String($0.path.split(separator: "/")[1]) })
    for folder in folders.subtracting(named) {
      #expect(SourceTree.here.swiftFiles(of: folder).isEmpty, "Sources/\(folder) has Swift files and no row in Package.swift")
    }
    #expect(named.isSubset(of: folders), "rows without a folder: \(named.subtracting(folders))")
  }

  @Test("Dependencies point down only: a row names only rows above it")
  func rowsPointUp() {
    var seen: Set<String> = []
    let names = Set(RoomTable.here.rows.map(\.name))
    for row in RoomTable.here.rows {
      for imported in row.imports where names.contains(imported) {
        #expect(seen.contains(imported), "\(row.name) imports \(imported), which stands below it in the table")
      }
      seen.insert(row.name)
    }
  }

  @Test("A pure module is built on pure modules alone")
  func pureOnPure() {
    let shells = Set(RoomTable.here.rows.filter { !$0.isPure }.map(\.name))
    for row in RoomTable.here.rows where row.isPure {
      #expect(shells.isDisjoint(with: row.imports), "\(row.name) is pure and imports \(shells.intersection(row.imports))")
    }
  }

  @Test("Every import stands in the module's row; pure modules take nothing from the toolchain")
  func imports() {
    for row in RoomTable.here.rows {
      let allowed = Set(row.imports).union(row.isPure ? [] : RoomTests.toolchain)
      for file in SourceTree.here.swiftFiles(of: row.name) {
        for (number, code) in file.codeLines where code.hasWord("import") {
          guard let match = code.firstMatch(of: /^\s*(?:@\w+\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?import\s+(?:(?:struct|class|enum|func|let|var|typealias|protocol)\s+)?(\w+)/)
          else { continue }
          #expect(allowed.contains(String(match.1)), "\(file.path):\(number) imports \(match.1), which is not in the row of \(row.name)")
        }
      }
    }
  }

  @Test("Pure modules know no chance, no clock, no tasks and no output of their own")
  func purity() {
    let forbidden = [
      ".random(": "randomness comes in as a SeededGenerator", ".shuffled(": "randomness comes in as a SeededGenerator",
      ".shuffle(": "randomness comes in as a SeededGenerator", ".randomElement(": "randomness comes in as a SeededGenerator",
      "SystemRandomNumberGenerator": "randomness comes in as a SeededGenerator", "now()": "time comes in as a value",
      ".now": "time comes in as a value", "Date": "time comes in as a value", "ContinuousClock": "time comes in as a value",
      "SuspendingClock": "time comes in as a value", "Task": "machines have no threads", "Thread": "machines have no threads",
      "async": "machines do not wait", "await": "machines do not wait", "print(": "effects go out as values",
      "debugPrint(": "effects go out as values", "dump(": "effects go out as values",
    ]
    let words = forbidden.keys.sorted()
    for row in RoomTable.here.rows where row.isPure {
      for file in SourceTree.here.swiftFiles(of: row.name) {
        for (number, code) in file.codeLines {
          for word in words where code.hasWord(word) {
            Issue.record("\(file.path):\(number) has '\(word)' in a pure module; \(forbidden[word]!)")
          }
        }
      }
    }
  }

  @Test("No type bears its module's name")
  func typeNames() {
    for row in RoomTable.here.rows {
      for file in SourceTree.here.swiftFiles(of: row.name) {
        for (number, code) in file.codeLines
        where ["struct", "class", "enum", "actor", "protocol", "typealias"].contains(where: { code.hasWord("\($0) \(row.name)") }) {
          Issue.record("\(file.path):\(number) declares a type with its module's name, which makes the module's other names unreachable")
        }
      }
    }
  }
}
