internal import Core
internal import Glibc

/// One TCP connection that waits with `poll` and never longer than it was told.
struct ClientSocket: ~Copyable {
  private let descriptor: Int32

  /// How long one address of a name may take before the next is tried.
  static let addressTimeout = TimeSpan.seconds(5)
  /// How much is read at once.
  static let readSize = 64 << 10

  /// Connects to the first address of the server's name that answers.
  init(connectingTo server: ServerURL, deadline: Instant) throws(ClientFailure) {
    var last = ClientFailure.unreachable(address: server.authority, reason: "it has no address")
    for address in try SocketAddress.resolve(server) {
      do throws(ClientFailure) {
        descriptor = try ClientSocket.connect(to: address, of: server, deadline: deadline)
        return
      } catch {
        last = error
      }
    }
    throw last
  }

  deinit { close(descriptor) }

  private static func connect(
    to address: SocketAddress, of server: ServerURL, deadline: Instant
  ) throws(ClientFailure) -> Int32 {
    func unreachable(_ number: Int32) -> ClientFailure {
      .unreachable(address: server.authority, reason: systemReason(number))
    }
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.family, kind, 0)
    guard descriptor >= 0 else { throw unreachable(errno) }
    var isConnected = false
    defer { if !isConnected { close(descriptor) } }

    let status = address.withPointer { Glibc.connect(descriptor, $0, $1) }
    if status != 0 {
      guard errno == EINPROGRESS || errno == EINTR else { throw unreachable(errno) }
      guard wait(descriptor, for: POLLOUT, until: min(deadline, ClientClock.now + addressTimeout)) else {
        throw .timedOut(waitingFor: "a connection to \(server.authority)")
      }
      var result: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &result, &size)
      guard result == 0 else { throw unreachable(result) }
    }
    var yes: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    isConnected = true
    return descriptor
  }

  /// Whether `events` came before `deadline`.
  private static func wait(_ descriptor: Int32, for events: Int32, until deadline: Instant) -> Bool {
    while let timeout = ClientClock.pollTimeout(until: deadline) {
      var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      if poll(&entry, 1, timeout) > 0 { return true }
    }
    return false
  }

  func send(_ bytes: UnsafeRawBufferPointer, deadline: Instant) throws(ClientFailure) {
    var sent = 0
    while sent < bytes.count {
      let part = UnsafeRawBufferPointer(rebasing: bytes[sent...])
      let count = Glibc.send(descriptor, part.baseAddress, part.count, Int32(MSG_NOSIGNAL))
      if count >= 0 {
        sent += count
      } else if errno == EAGAIN {
        guard ClientSocket.wait(descriptor, for: POLLOUT, until: deadline) else {
          throw .timedOut(waitingFor: "the node to take the request")
        }
      } else if errno != EINTR {
        throw .disconnected
      }
    }
  }

  /// Appends what has arrived, at least one byte; false when the other side has closed.
  func receive(into buffer: inout ByteBuffer, deadline: Instant, waitingFor what: String) throws(ClientFailure) -> Bool {
    while true {
      let count = recv(descriptor, buffer.reserve(ClientSocket.readSize), ClientSocket.readSize, 0)
      if count > 0 {
        buffer.advance(count)
        return true
      }
      if count == 0 { return false }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        guard ClientSocket.wait(descriptor, for: POLLIN, until: deadline) else { throw .timedOut(waitingFor: what) }
      default: throw .disconnected
      }
    }
  }

  /// Whether something happened on a connection that should be silent: it was closed while nobody looked.
  var isStale: Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) != 0
  }
}

/// One address that a name stands for.
struct SocketAddress {
  let family: Int32
  private let storage: [UInt8]

  static func resolve(_ server: ServerURL) throws(ClientFailure) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(server.host, String(server.port), &hints, &list)
    guard status == 0 else { throw .unresolvable(host: server.host, reason: String(cString: gai_strerror(status))) }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var entry = list
    while let info = entry?.pointee {
      if let address = info.ai_addr {
        let bytes = UnsafeRawBufferPointer(start: address, count: Int(info.ai_addrlen))
        addresses.append(SocketAddress(family: info.ai_family, storage: [UInt8](bytes)))
      }
      entry = info.ai_next
    }
    return addresses
  }

  func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    storage.withUnsafeBytes { bytes in
      bytes.withMemoryRebound(to: sockaddr.self) { body($0.baseAddress.unsafelyUnwrapped, socklen_t(bytes.count)) }
    }
  }
}
