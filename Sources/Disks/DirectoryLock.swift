internal import CLinux
internal import Core
internal import Glibc
internal import Journal

/// Keeps a second node off a data directory. Held as long as this value lives; the system lets go of it when
/// the process ends, however it ends.
public final class DirectoryLock: Sendable {
  private let descriptor: Int32

  /// `holder` is what a second node will be told: who this is and since when.
  init(in directory: DirectoryHandle, holder: String) throws(DataDirectoryError) {
    let file: Int32
    do throws(DiskError) {
      file = try directory.open(Self.name, O_RDWR | O_CREAT)
    } catch {
      throw .unusable(directory.path, error)
    }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      let told = Self.text(of: file)
      close(file)
      guard code == EWOULDBLOCK else { throw .unusable(directory.path, DiskError(errno: code, "lock")) }
      throw .inUse(directory.path, holder: told)
    }
    descriptor = file
    do throws(DiskError) {
      guard ftruncate(file, 0) == 0 else { throw DiskError(errno: errno, "truncate lock") }
      try Bytes(holder).withUnsafeBytes { bytes throws(DiskError) in try FileCalls.write(file, bytes, at: 0, Self.name) }
    } catch {
      throw .unusable(directory.path, error)
    }
  }

  deinit { close(descriptor) }

  static let name = "lock"
  /// What a holder says of itself is never longer.
  private static let mostBytes = 512

  private static func text(of file: Int32) -> String {
    let text = String(unsafeUninitializedCapacity: mostBytes) { buffer in
      max(0, pread(file, buffer.baseAddress, mostBytes, 0))
    }
    return text.isEmpty ? "another process" : text
  }
}
