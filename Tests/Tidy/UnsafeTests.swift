import Testing

/// Where the compiler is asked to take our word for it.
@Suite("Words of honour")
struct UnsafeTests {
  /// Every file that says `@unchecked Sendable` or `nonisolated(unsafe)`, and why it is true there.
  static let allowed: [String: String] = [
    "Sources/Core/ByteBuffer.swift": "the memory has one owner, the value itself, which cannot be copied",
    "Sources/Core/Bytes.swift": "nothing writes to the memory once it is shared",
    "Sources/Reactor/Mailbox.swift": "the messages are reached only under the mutex, the flag is atomic, the bell never changes",
    "Sources/Reactor/ReactorThread.swift": "made by one thread, which keeps nothing of it, and opened by one other",
    "Sources/Feeds/ShardRequest.swift": "a batch is handed over, never shared",
  ]

  @Test("Unchecked Sendable and unsafe isolation stand only in the files listed here, with their reason")
  func onlyWhereListed() {
    var used: Set<String> = []
    for file in SourceTree.here.files where file.path.hasPrefix("Sources/") && file.path.hasSuffix(".swift") {
      for (number, code) in file.codeLines where code.hasWord("@unchecked Sendable") || code.hasWord("nonisolated(unsafe)") {
        used.insert(file.path)
        #expect(UnsafeTests.allowed[file.path] != nil, "\(file.path):\(number) asks to be believed and is not in the list of UnsafeTests")
      }
    }
    for path in UnsafeTests.allowed.keys.sorted() where !used.contains(path) {
      Issue.record("\(path) is in the list of UnsafeTests and needs it no longer")
    }
  }
}
