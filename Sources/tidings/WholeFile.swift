import Core
import Glibc

/// Why a file cannot be read or written.
struct FileProblem: Error {
  let reason: String
}

/// A file read at once.
enum WholeFile {
  static func read(_ path: String, atMost limit: Int) throws(FileProblem) -> Bytes {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileProblem(reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    return try read(descriptor: descriptor, atMost: limit)
  }

  /// Reads an open file to its end.
  static func read(descriptor: Int32, atMost limit: Int) throws(FileProblem) -> Bytes {
    var buffer = ByteBuffer()
    while buffer.count <= limit {
      let room = 16 << 10
      let count = Glibc.read(descriptor, buffer.reserve(room), room)
      if count < 0 {
        if errno == EINTR { continue }
        throw FileProblem(reason: String(cString: strerror(errno)))
      }
      if count == 0 { return buffer.freeze() }
      buffer.advance(count)
    }
    throw FileProblem(reason: "it has more than \(limit) bytes")
  }
}
