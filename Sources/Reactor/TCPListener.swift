import Glibc

/// A socket that connections arrive at; one per address and loop.
public struct TCPListener: Hashable, Sendable {
  /// Connections that may wait to be accepted, as far as `net.core.somaxconn` permits.
  public static let backlog: Int32 = 4096
  /// How often a free port is looked for that all addresses of one name have in common.
  private static let portAttempts = 16

  public let descriptor: FileDescriptor
  /// Where it listens, with the port that port 0 became.
  public let boundAddress: SocketAddress

  /// One listener per loop on each of this address's numbers. The inner arrays go to one loop each.
  public static func claim(
    _ address: Address, loops: Int, options: SocketOptions = SocketOptions()
  ) throws(ReactorError) -> [[TCPListener]] {
    precondition(loops > 0, "someone must listen")
    let candidates = try address.resolve()
    var attempt = 1
    while true {
      do throws(ReactorError) {
        return try claimAll(candidates, written: address, loops: loops, options: options)
      } catch {
        guard address.port == 0, case .addressInUse = error, attempt < portAttempts else { throw error }
        attempt += 1
      }
    }
  }

  /// One listener per loop on one address, after making sure that nobody else listens there.
  ///
  /// With `SO_REUSEPORT` the kernel lets any process of the same user join in silently, so a second node would
  /// take half the first one's connections. Therefore the first socket binds and listens without it, which
  /// fails when anybody listens already, and only then lets its siblings join.
  public static func claim(
    _ address: SocketAddress, loops: Int, options: SocketOptions = SocketOptions(), acceptsV4: Bool = false
  ) throws(ReactorError) -> [TCPListener] {
    let first = try open(address, options, acceptsV4: acceptsV4, sharesPort: false)
    var listeners = [first]
    do throws(ReactorError) {
      if loops > 1 { try SystemCalls.setOption(first.descriptor, SOL_SOCKET, SO_REUSEPORT, 1) }
      while listeners.count < loops {
        listeners.append(try open(first.boundAddress, options, acceptsV4: acceptsV4, sharesPort: true))
      }
    } catch {
      for listener in listeners { listener.close() }
      throw error
    }
    return listeners
  }

  public func close() { descriptor.close() }

  /// Takes one waiting connection.
  public func accept() -> AcceptResult {
    var storage = sockaddr_storage()
    let result = SystemCalls.accept(descriptor, peer: &storage)
    if result >= 0 {
      return .connection(FileDescriptor(result), SocketAddress(storage) ?? .v4(0, 0, 0, 0, port: 0))
    }
    switch -result {
    case EAGAIN: return .wouldBlock
    case EMFILE, ENFILE: return .exhausted(-result)
    // What accept(2) says is the connection's trouble and not the listener's: the next one may be well.
    case ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM:
      return .vanished
    default: return .failed(-result)
    }
  }

  // MARK: Opening

  private static func claimAll(
    _ candidates: [SocketAddress], written: Address, loops: Int, options: SocketOptions
  ) throws(ReactorError) -> [[TCPListener]] {
    var perLoop = [[TCPListener]](repeating: [], count: loops)
    var unavailable: ReactorError?
    do throws(ReactorError) {
      for var candidate in candidates {
        // One port for all addresses of a name.
        if let sibling = perLoop[0].first { candidate.port = sibling.boundAddress.port }
        do throws(ReactorError) {
          let acceptsV4 = written.isEverywhere && candidate.family == .v6
          let listeners = try claim(candidate, loops: loops, options: options, acceptsV4: acceptsV4)
          for (loop, listener) in listeners.enumerated() { perLoop[loop].append(listener) }
          if written.isEverywhere { break }
        } catch {
          // A name may stand for addresses of a family this machine does not have.
          guard case .addressUnavailable = error else { throw error }
          unavailable = error
        }
      }
      if perLoop[0].isEmpty { throw unavailable ?? .addressUnavailable(written.description) }
    } catch {
      for listener in perLoop.joined() { listener.close() }
      throw error
    }
    return perLoop
  }

  private static func open(
    _ address: SocketAddress, _ options: SocketOptions, acceptsV4: Bool, sharesPort: Bool
  ) throws(ReactorError) -> TCPListener {
    let socket: FileDescriptor
    do throws(ReactorError) {
      socket = try SystemCalls.createStreamSocket(address.familyNumber)
    } catch .call(_, EAFNOSUPPORT) {
      throw .addressUnavailable(address.description)
    }
    do throws(ReactorError) {
      // Connections of an earlier run that are still winding down do not hold the port.
      try SystemCalls.setOption(socket, SOL_SOCKET, SO_REUSEADDR, 1)
      if sharesPort { try SystemCalls.setOption(socket, SOL_SOCKET, SO_REUSEPORT, 1) }
      if address.family == .v6 {
        try SystemCalls.setOption(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, acceptsV4 ? 0 : 1)
      }
      try options.apply(to: socket)
      try check(SystemCalls.bind(socket, to: address), "bind", address)
      try check(SystemCalls.listen(socket, backlog: backlog), "listen", address)
      return TCPListener(descriptor: socket, boundAddress: try SystemCalls.localAddress(of: socket) ?? address)
    } catch {
      socket.close()
      throw error
    }
  }

  private static func check(_ failure: Int32, _ call: String, _ address: SocketAddress) throws(ReactorError) {
    switch failure {
    case 0: return
    case EADDRINUSE: throw .addressInUse(address.description)
    case EADDRNOTAVAIL: throw .addressUnavailable(address.description)
    case EACCES: throw .portForbidden(address.description)
    default: throw .call("\(call) \(address)", failure)
    }
  }
}
