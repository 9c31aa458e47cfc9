internal import Core

/// Memory for rendered messages, shared by every out-stream of one reactor.
///
/// Renderings are laid one after another in chunks, so that consecutive messages of one audience are one
/// stretch of memory and leave in one write. A chunk counts the stream parts that point into it and is used
/// again when the last one is gone. Confined to its reactor: the counts need no atomics.
struct RenderArena {
  static let chunkSize = 128 << 10
  /// A rendering that may be larger gets a chunk of its own.
  static let largestShared = 16 << 10
  /// Emptied chunks kept for reuse.
  static let keptChunks = 4

  struct Chunk {
    var memory: UnsafeMutableRawPointer
    var capacity: Int
    var used: Int
    var references: Int
  }

  private(set) var chunks: [Chunk] = []
  private var vacant: [Int] = []
  private var spare: [Int] = []
  private var current = -1

  /// Rendered bytes: where they lie and which chunk keeps them.
  struct Piece {
    var start: UnsafeRawPointer
    var count: Int
    var chunk: Int
  }

  var allocatedBytes: Int { chunks.reduce(0) { $0 + $1.capacity } }

  /// Copies what `render` appended into the arena's current chunk. The piece must be retained within this turn
  /// by whoever points to it.
  mutating func place(_ bytes: UnsafeRawBufferPointer) -> Piece {
    let chunk = room(for: bytes.count)
    let start = chunks[chunk].memory + chunks[chunk].used
    if let source = bytes.baseAddress { start.copyMemory(from: source, byteCount: bytes.count) }
    chunks[chunk].used += bytes.count
    return Piece(start: UnsafeRawPointer(start), count: bytes.count, chunk: chunk)
  }

  mutating func retain(_ chunk: Int) {
    chunks[chunk].references += 1
  }

  mutating func release(_ chunk: Int) {
    chunks[chunk].references -= 1
    if chunks[chunk].references == 0 { recycle(chunk) }
  }

  private mutating func room(for count: Int) -> Int {
    if count > Self.largestShared { return open(capacity: count) }
    if current < 0 || chunks[current].capacity - chunks[current].used < count {
      if current >= 0, chunks[current].references == 0 {
        chunks[current].used = 0
        if chunks[current].capacity >= count { return current }
      }
      current = spare.popLast() ?? open(capacity: Self.chunkSize)
    }
    return current
  }

  private mutating func open(capacity: Int) -> Int {
    let chunk = Chunk(memory: .allocate(byteCount: max(capacity, 1), alignment: 64), capacity: capacity, used: 0, references: 0)
    if let index = vacant.popLast() {
      chunks[index] = chunk
      return index
    }
    chunks.append(chunk)
    return chunks.count - 1
  }

  private mutating func recycle(_ index: Int) {
    chunks[index].used = 0
    if index == current { return }
    if chunks[index].capacity == Self.chunkSize, spare.count < Self.keptChunks {
      spare.append(index)
      return
    }
    chunks[index].memory.deallocate()
    chunks[index].capacity = 0
    vacant.append(index)
  }

  /// Called once when the reactor ends.
  mutating func freeAll() {
    for chunk in chunks where chunk.capacity > 0 { chunk.memory.deallocate() }
    chunks.removeAll()
  }
}
