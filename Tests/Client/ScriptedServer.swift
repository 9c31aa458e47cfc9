import Foundation
import Glibc
import Synchronization

/// A server that answers each connection's requests with the next texts of its script, whatever they ask, and
/// then closes it.
final class ScriptedServer: Sendable {
  let port: UInt16
  private let listener: Int32
  private let received = Mutex<[String]>([])

  /// One list of answers for each connection, in the order they come.
  init(_ script: [[String]]) {
    (listener, port) = SilentPort.bound()
    let listener = listener
    precondition(listen(listener, 16) == 0, "the test's server listens")
    Thread.detachNewThread { [self] in
      for answers in script {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        for answer in answers {
          guard let request = ScriptedServer.readRequest(connection) else { break }
          received.withLock { $0.append(request) }
          ScriptedServer.send(answer, connection)
        }
        close(connection)
      }
      close(listener)
    }
  }

  /// Every request so far, head and body.
  var requests: [String] { received.withLock { $0 } }

  private static func readRequest(_ connection: Int32) -> String? {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let text = String(decoding: bytes, as: UTF8.self)
      if let end = text.range(of: "\r\n\r\n") {
        let length = text.range(of: "Content-Length: ").flatMap { Int(text[$0.upperBound...].prefix { $0.isNumber }) } ?? 0
        if text[end.upperBound...].utf8.count >= length { return text }
      }
      let count = read(connection, &chunk, chunk.count)
      guard count > 0 else { return nil }
      bytes += chunk[..<count]
    }
  }

  private static func send(_ text: String, _ connection: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  static func answer(_ body: String, status: String = "200 OK", type: String = "application/json", extra: String = "") -> String {
    "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\n\(extra)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  static func stream(_ body: String) -> String {
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n\(body)"
  }
}

/// A port that is taken, so that nobody else gets it, and at which nobody listens.
final class SilentPort {
  let port: UInt16
  private let descriptor: Int32

  init() { (descriptor, port) = SilentPort.bound() }

  deinit { close(descriptor) }

  static func bound() -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    precondition(isBound, "a port of loopback is free")
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }
}

/// A folder of its own that goes away with the test.
final class TemporaryFolder {
  let path: String

  init() {
    var template = Array((NSTemporaryDirectory() + "tidings-client-XXXXXX").utf8CString)
    path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit {
    for name in ["cursor", "cursor.new", "output", "input"] { unlink(path + "/" + name) }
    rmdir(path)
  }

  func text(_ name: String) -> String {
    guard let bytes = FileManager.default.contents(atPath: path + "/" + name) else { return "" }
    return String(decoding: bytes, as: UTF8.self)
  }

  func open(_ name: String, _ text: String = "") -> Int32 {
    precondition(FileManager.default.createFile(atPath: path + "/" + name, contents: Data(text.utf8)), "the test's folder can be written")
    return Glibc.open(path + "/" + name, O_RDWR)
  }
}
