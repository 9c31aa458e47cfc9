import CLinux
import Core
import Glibc

/// One connection of the generator: the descriptor, what it has not sent, and what it has read but not understood yet.
struct ClientSocket: ~Copyable {
  private(set) var descriptor: Int32 = -1
  /// Grows with every connection made, so that news of an earlier one is recognised as stale.
  private(set) var generation: UInt32 = 0
  /// Whether the poller tells when there is room to write.
  var awaitsRoom = false
  /// An incomplete frame or line at the end of the last read.
  var carried = ByteBuffer()
  private var unsent = ByteBuffer()
  private var sent = 0

  enum Outcome {
    case done
    /// The rest goes out when there is room.
    case full
    case failed(Int32)
  }

  var isOpen: Bool { descriptor >= 0 }
  var unsentCount: Int { unsent.count - sent }

  /// Connections from one source address; past them the next address of 127.0.0.0/8 is used, as ports run out.
  static let connectionsPerSource = 20_000

  /// Begins to connect; a negative errno on failure.
  mutating func connect(to address: ServerAddress, index: Int, run: UInt32) -> Int32 {
    precondition(!isOpen, "a connection is opened once")
    let fd = tidings_stream_socket(address.family)
    guard fd >= 0 else { return fd }
    var one: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, size)
    if address.isIPv4Loopback {
      // A source of the run's own also keeps clear of ports that earlier runs left waiting.
      let bindAddressNoPort: Int32 = 24
      setsockopt(fd, Int32(IPPROTO_IP), bindAddressNoPort, &one, size)
      let host =
        0x7f00_0000 | (1 + run % 250) << 16 | (1 + run / 250 % 250) << 8
        | UInt32(1 + index / ClientSocket.connectionsPerSource % 200)
      var source = ServerAddress.loopback(port: 0, host: host)
      let failure = withUnsafePointer(to: &source) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
      }
      if failure != 0 { return ClientSocket.abandon(fd) }
    }
    let failure = address.withSockaddr { Glibc.connect(fd, $0, $1) }
    if failure != 0, errno != EINPROGRESS { return ClientSocket.abandon(fd) }
    descriptor = fd
    generation &+= 1
    return 0
  }

  private static func abandon(_ fd: Int32) -> Int32 {
    let failure = -errno
    Glibc.close(fd)
    return failure
  }

  /// What became of the attempt to connect; 0 if it succeeded.
  func connectFailure() -> Int32 {
    var failure: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size)
    return failure
  }

  mutating func close() {
    guard isOpen else { return }
    Glibc.close(descriptor)
    descriptor = -1
    awaitsRoom = false
    carried.removeAll(keepingCapacity: false)
    unsent.removeAll(keepingCapacity: false)
    sent = 0
  }

  /// Puts bytes behind what is not sent yet.
  mutating func queue(_ write: (inout ByteBuffer) -> Void) { write(&unsent) }

  mutating func flush() -> Outcome {
    while sent < unsent.count {
      let count = tidings_send(descriptor, unsent.readPointer + sent, UInt(unsent.count - sent))
      if count == -Int(EAGAIN) {
        if sent > unsent.count / 2 {
          unsent.removeFirst(sent)
          sent = 0
        }
        return .full
      }
      if count == -Int(EINTR) { continue }
      if count < 0 { return .failed(Int32(-count)) }
      sent += count
    }
    unsent.removeAll()
    sent = 0
    return .done
  }
}
