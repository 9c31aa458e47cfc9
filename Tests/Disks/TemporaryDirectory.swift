import Disks
import Glibc
import Journal

/// A directory that goes away with the value.
final class TemporaryDirectory {
  let path: String

  init() {
    var template = "/tmp/tidings-disks-XXXXXX".utf8CString.map { $0 }
    path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit { Self.removeAll(path) }

  func handle() throws -> DirectoryHandle { try DirectoryHandle(path: path) }

  private static func removeAll(_ path: String) {
    if let stream = opendir(path) {
      while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { removeAll(path + "/" + name) }
      }
      closedir(stream)
    }
    _ = remove(path)
  }
}

/// Lets a test wait for other threads.
final class Arrivals: @unchecked Sendable {
  // Sendable because a semaphore is made to be shared.
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(semaphore, 0, 0) }
  deinit { semaphore.deallocate() }

  func arrive() { sem_post(semaphore) }

  func wait(for count: Int) {
    for _ in 0..<count {
      while sem_wait(semaphore) != 0 {}
    }
  }
}
