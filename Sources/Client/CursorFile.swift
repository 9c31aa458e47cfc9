internal import Core
internal import Glibc

/// Keeps a reader's cursor between runs.
///
/// A new cursor is written beside the file and renamed over it, so that whoever dies at any moment leaves
/// either the old or the new one. The disk is not waited for: a power cut may bring back an older cursor,
/// which repeats events and misses none.
public struct CursorFile: Sendable {
  public let path: String

  public init(path: String) { self.path = path }

  /// No cursor is longer, its end of line included.
  static let maximumSize = Cursor.maximumLength + 1

  /// The cursor that was kept; nil when there is no file yet or an empty one.
  public func read() throws(ClientFailure) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw failure()
    }
    defer { close(descriptor) }
    var text = ByteBuffer()
    while text.count <= CursorFile.maximumSize {
      let count = Glibc.read(descriptor, text.reserve(CursorFile.maximumSize), CursorFile.maximumSize)
      if count > 0 {
        text.advance(count)
      } else if count == 0 {
        break
      } else if errno != EINTR {
        throw failure()
      }
    }
    var end = text.count
    while end > 0, text.bytes.byte(at: end - 1) <= 0x20 { end -= 1 }
    guard end > 0 else { return nil }
    let cursor = text.bytes.text(0..<end)
    do throws(CursorError) {
      _ = try Cursor(parsing: cursor)
    } catch {
      throw .file(path: path, reason: "it does not hold a cursor: \(error)")
    }
    return cursor
  }

  public func write(_ cursor: String) throws(ClientFailure) {
    let fresh = path + ".new"
    let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure() }
    var text = ByteBuffer()
    text.append(text: cursor)
    text.append(UInt8(ascii: "\n"))
    let isWritten = text.withUnsafeBytes { Descriptor.writeAll($0, to: descriptor) }
    let number = errno
    close(descriptor)
    guard isWritten else { throw .file(path: path, reason: systemReason(number)) }
    guard rename(fresh, path) == 0 else { throw failure() }
  }

  private func failure() -> ClientFailure { .file(path: path, reason: systemReason(errno)) }
}

enum Descriptor {
  /// Writes everything, waiting where it must; false leaves the reason in `errno`.
  static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var written = 0
    while written < bytes.count {
      let part = UnsafeRawBufferPointer(rebasing: bytes[written...])
      let count = write(descriptor, part.baseAddress, part.count)
      if count >= 0 {
        written += count
      } else if errno == EAGAIN {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&entry, 1, -1)
      } else if errno != EINTR {
        return false
      }
    }
    return true
  }
}
