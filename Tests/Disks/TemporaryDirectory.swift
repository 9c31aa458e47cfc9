import Disks
import Glibc

/// A directory that goes away with the value.
final class TemporaryDirectory {
  let path: String

  init() {
    var template = Array("/tmp/tidings-disks-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit {
    let path = path
    _ = nftw(path, { name, _, _, _ in remove(name) }, 16, FTW_DEPTH.rawValue)
  }
}
