internal import Core

/// Walks the entries of one file through a window, while opening or replaying.
struct EntryScanner: ~Copyable {
  let file: JournalFileName
  /// Nothing at or after this position is an entry.
  let limit: Int
  /// Where the entry begins that `next` will look at.
  private(set) var position: Int
  private let chunk: Int
  private var window = ByteBuffer()
  /// The start of the window that is done with.
  private var consumed = 0

  init(file: JournalFileName, position: Int, limit: Int, chunk: Int) {
    self.file = file
    self.position = position
    self.limit = limit
    self.chunk = chunk
  }

  /// The entry here if it is whole, unharmed and has this offset; nil otherwise. Valid until the next call.
  mutating func next(_ expected: Offset, disk: inout some Disk & ~Copyable) throws(DiskError) -> RecordView? {
    var asked = RecordLayout.entryHeaderSize
    while true {
      let state = window.withUnsafeBytes { RecordView.check(UnsafeRawBufferPointer(rebasing: $0[consumed...])) }
      switch state {
      case .valid(let length):
        let view = RecordView(trusting: window.readPointer + consumed)
        guard view.offset == expected else { return nil }
        consumed += length
        position += length
        return view
      case .damaged: return nil
      case .incomplete:
        if available >= RecordLayout.entryHeaderSize {
          asked = RecordView(trusting: window.readPointer + consumed).length
        }
        guard try fill(asked, disk: &disk) else { return nil }
      }
    }
  }

  private var available: Int { window.count - consumed }

  /// Reads on until the window holds `wanted` unread bytes; false when the file ends before.
  private mutating func fill(_ wanted: Int, disk: inout some Disk & ~Copyable) throws(DiskError) -> Bool {
    guard wanted > available, position + wanted <= limit else { return false }
    window.removeFirst(consumed)
    consumed = 0
    let count = min(max(chunk, wanted - window.count), limit - position - window.count)
    let before = window.count
    try disk.read(file, at: position + before, count: count, into: &window)
    return window.count >= wanted
  }
}
