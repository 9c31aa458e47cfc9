import Testing

/// The rules are only as good as what reads the code for them.
@Suite("How the tidy tests read")
struct TidyToolTests {
  @Test("Comments and literals are no code")
  func lexing() {
    let file = SourceFile(
      path: "A.swift",
      text: [
        "let a = \"await // b\" // await", "/* one /* two */ await */ let b", "\"\"\"", "await", "\"\"\" + c", "\"\\\"await\" + d",
      ].joined(separator: "\n"))
    let codes = file.codeLines.map { $0.code.trimmingPrefix(while: \.isWhitespace) }
    #expect(codes == ["let a = \"\" ", "let b", "", "", " + c".trimmingPrefix(while: \.isWhitespace), "\"\" + d"])
    #expect(!file.codeLines.contains { $0.code.hasWord("await") })
  }

  @Test(
    "A word is found where it stands alone",
    arguments: [
      ("await x", "await", true), ("x.awaited", "await", false), ("_await", "await", false), ("(await)", "await", true), ("Clock.now", ".now", true),
      ("x.nowhere", ".now", false), ("blueprint(", "print(", false), ("print(\"\")", "print(", true), ("", "a", false), ("struct CoreThing", "struct Core", false),
    ])
  func words(code: String, word: String, expected: Bool) {
    #expect(code.hasWord(word) == expected)
  }

  @Test("A row of the table is read whole, over one line or several")
  func rows() {
    let table = RoomTable("Room(name: \"A\", kind: .pure, imports: []),\nRoom(\n  name: \"B\", kind: .shell,\n  imports: [\"A\", \"C\"]),")
    #expect(table.rows.map(\.name) == ["A", "B"])
    #expect(table.rows.map(\.isPure) == [true, false])
    #expect(table.rows.map(\.imports) == [[], ["A", "C"]])
  }
}
