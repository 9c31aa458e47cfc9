/// The table of rooms in Package.swift, read as text so that a test can hold the source tree against it.
struct RoomTable {
  struct Row {
    let name: String
    let isPure: Bool
    let imports: [String]
  }

  static let here = RoomTable(SourceTree.here.file("Package.swift")?.text ?? "")

  /// The rooms, and the command above them.
  let rows: [Row]

  init(_ package: String) {
    var rows: [Row] = []
    let room = /Room\(\s*name: "(\w+)", kind: \.(pure|shell),\s*imports: \[([^\]]*)\]\)/
    for match in package.matches(of: room) {
      rows.append(Row(name: String(match.1), isPure: match.2 == "pure", imports: RoomTable.names(match.3)))
    }
    let command = /\.executableTarget\(\s*name: "(\w+)",\s*dependencies: dependencies\(\[([^\]]*)\]\)/
    for match in package.matches(of: command) {
      rows.append(Row(name: String(match.1), isPure: false, imports: RoomTable.names(match.2)))
    }
    self.rows = rows
  }

  private static func names(_ list: Substring) -> [String] {
    list.matches(of: /"(\w+)"/).map { String($0.1) }
  }
}
