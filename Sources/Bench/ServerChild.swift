import CLinux
import Core
import Glibc

/// A node of this same program, started for one measurement with a data folder of its own, and gone after it.
public struct ServerChild: Sendable {
  public let process: Int32
  /// Where it is measured.
  public let address: ServerAddress
  /// Where it is asked whether it is ready.
  private let pages: ServerAddress
  private let folder: String

  private static let readyPatience: UInt64 = 15_000_000_000
  private static let pollPause: UInt32 = 20_000
  private static let stopPatience: UInt64 = 10_000_000_000

  /// Starts a node and waits until it is ready.
  ///
  /// - Parameters:
  ///   - kind: what is spoken at its address.
  ///   - options: more words for `serve`.
  ///   - isPinned: whether the server gets the first processor and this thread the second.
  public static func start(_ kind: ServerAddress.Kind, options: [String], isPinned: Bool) throws(BenchFailure) -> ServerChild {
    let port = try freePort()
    let mqtt = kind == .mqtt ? try freePort() : nil
    let folder = try makeFolder()
    let words = [
      "tidings", "serve", "--http", "127.0.0.1:\(port)", "--mqtt", mqtt.map { "127.0.0.1:\($0)" } ?? "off", "--cluster", "off", "--data", folder + "/data",
      "--log-level", "warning",
    ]
    let process: pid_t
    do throws(BenchFailure) {
      process = try spawn(words + options, isPinned: isPinned)
    } catch {
      remove(folder)
      throw error
    }
    let pages = ServerAddress(loopbackPort: port, .http)
    let address = mqtt.map { ServerAddress(loopbackPort: $0, .mqtt) } ?? pages
    let child = ServerChild(process: process, address: address, pages: pages, folder: folder)
    do throws(BenchFailure) {
      if isPinned, tidings_pin_thread(1) < 0 { throw BenchFailure("--pin needs two processors") }
      try child.awaitReady()
    } catch {
      child.stop()
      throw error
    }
    return child
  }

  /// Ends the node and removes its folder.
  public func stop() {
    kill(process, SIGTERM)
    let end = Generator.now() + ServerChild.stopPatience
    var status: Int32 = 0
    while waitpid(process, &status, WNOHANG) == 0 {
      if Generator.now() > end {
        kill(process, SIGKILL)
        waitpid(process, &status, 0)
        break
      }
      usleep(ServerChild.pollPause)
    }
    ServerChild.remove(folder)
  }

  private func awaitReady() throws(BenchFailure) {
    let end = Generator.now() + ServerChild.readyPatience
    while Generator.now() < end {
      var status: Int32 = 0
      if waitpid(process, &status, WNOHANG) == process { throw BenchFailure("the node that was started for this ended at once") }
      if isReady() { return }
      usleep(ServerChild.pollPause)
    }
    throw BenchFailure("the node that was started for this was not ready within \(ServerChild.readyPatience / 1_000_000_000) s")
  }

  private func isReady() -> Bool {
    let descriptor = socket(pages.family, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var patience = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    guard pages.withSockaddr({ connect(descriptor, $0, $1) }) == 0 else { return false }
    let request = Array("GET /readyz HTTP/1.1\r\nHost: \(pages.text)\r\nConnection: close\r\n\r\n".utf8)
    guard tidings_send(descriptor, request, UInt(request.count)) == request.count else { return false }
    var answer = [UInt8](repeating: 0, count: 4096)
    let count = tidings_receive(descriptor, &answer, UInt(answer.count))
    guard count > 0 else { return false }
    return answer.withUnsafeBytes { bytes in
      if case .head(let head, _) = AnswerHead.read(UnsafeRawBufferPointer(rebasing: bytes[..<count])) {
        return head.status == 200
      }
      return false
    }
  }

  private static func makeFolder() throws(BenchFailure) -> String {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/tidings-bench-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw BenchFailure("no folder can be made in \(parent): \(String(cString: strerror(errno)))")
    }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A port that was free a moment ago.
  private static func freePort() throws(BenchFailure) -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw BenchFailure("the system gives no socket: \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    var address = ServerAddress.loopback(port: 0, host: 0x7f00_0001)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failure = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) | getsockname(descriptor, $0, &length)
      }
    }
    guard failure == 0 else { throw BenchFailure("the system gives no port: \(String(cString: strerror(errno)))") }
    return UInt16(bigEndian: address.sin_port)
  }

  private static func remove(_ folder: String) {
    // Whatever cannot be removed is only left behind in the folder for temporary files.
    guard let stream = opendir(folder) else { return }
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name == "." || name == ".." { continue }
      let path = "\(folder)/\(name)"
      if unlink(path) != 0 { remove(path) }
    }
    closedir(stream)
    rmdir(folder)
  }
}
