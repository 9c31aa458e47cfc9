/// Rows and columns as text for a terminal: columns as wide as their widest cell, numbers to the right.
public struct TextTable: Sendable {
  public var columns: [String]
  public private(set) var rows: [[String]] = []

  public init(_ columns: [String]) { self.columns = columns }

  /// Missing cells are empty, surplus ones are dropped.
  public mutating func add(_ cells: [String]) {
    var row = Array(cells.prefix(columns.count))
    while row.count < columns.count { row.append("") }
    rows.append(row)
  }

  /// The table with a line end after every line; only the headings when there are no rows.
  public var text: String {
    let all = [columns.map { $0.uppercased() }] + rows
    let widths = columns.indices.map { column in all.map { TextTable.width($0[column]) }.max() ?? 0 }
    let isNumeric = columns.indices.map { column in
      rows.contains { !$0[column].isEmpty } && rows.allSatisfy { TextTable.isNumber($0[column]) }
    }
    var text = ""
    for row in all {
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - TextTable.width(cell))
        line += (isNumeric[column] ? padding + cell : cell + padding) + (column + 1 < row.count ? "  " : "")
      }
      while line.last == " " { line.removeLast() }
      text += line + "\n"
    }
    return text
  }

  private static func width(_ cell: String) -> Int { cell.count }

  /// Numbers with their units too, but not times and addresses.
  private static func isNumber(_ cell: String) -> Bool {
    guard let first = cell.first else { return true }
    return cell == "-" || first.isNumber && !cell.contains(where: { $0 == ":" || $0 == "-" || $0 == "~" })
  }
}
