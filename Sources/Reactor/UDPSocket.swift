import Glibc

/// A socket that datagrams come to and go out from, without waiting.
public struct UDPSocket: Hashable, Sendable {
  public let descriptor: FileDescriptor
  /// Where it is bound, with the port that port 0 became.
  public let boundAddress: SocketAddress

  /// What became of one attempt to take a datagram.
  public enum Arrival: Hashable, Sendable {
    /// So many bytes, from there. An IPv4 sender is told as IPv4, whatever the socket's family.
    case datagram(Int, from: SocketAddress)
    case wouldBlock
    case failed(Int32)
  }

  /// Binds it. With `acceptsV4` a socket of the unspecified IPv6 address is one of IPv4 too.
  public static func bind(_ address: SocketAddress, acceptsV4: Bool = false) throws(ReactorError) -> UDPSocket {
    let socket: FileDescriptor
    do throws(ReactorError) {
      socket = try SystemCalls.createDatagramSocket(address.familyNumber)
    } catch .call(_, EAFNOSUPPORT) {
      throw .addressUnavailable(address.description)
    }
    do throws(ReactorError) {
      if address.family == .v6 {
        try SystemCalls.setOption(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, acceptsV4 ? 0 : 1)
      }
      switch SystemCalls.bind(socket, to: address) {
      case 0: break
      case EADDRINUSE: throw .addressInUse(address.description)
      case EADDRNOTAVAIL: throw .addressUnavailable(address.description)
      case EACCES: throw .portForbidden(address.description)
      case let failure: throw .call("bind \(address)", failure)
      }
      return UDPSocket(descriptor: socket, boundAddress: try SystemCalls.localAddress(of: socket) ?? address)
    } catch {
      socket.close()
      throw error
    }
  }

  public func close() { descriptor.close() }

  /// Takes the next datagram; what is longer than the buffer is cut to it.
  public func receive(into buffer: UnsafeMutableRawBufferPointer) -> Arrival {
    guard let start = buffer.baseAddress else { preconditionFailure("a datagram needs room") }
    var storage = sockaddr_storage()
    switch SystemCalls.receive(descriptor, start, buffer.count, from: &storage) {
    case .bytes(let count): return .datagram(count, from: (SocketAddress(storage) ?? .v4(0, 0, 0, 0, port: 0)).plain)
    case .wouldBlock: return .wouldBlock
    case .closed: return .failed(ECONNRESET)
    case .failed(let code): return .failed(code)
    }
  }

  /// Sends one datagram, whole or not at all. Nobody learns whether it arrives.
  public func send(_ bytes: UnsafeRawPointer, count: Int, to address: SocketAddress) -> IOResult {
    SystemCalls.send(descriptor, bytes, count, to: boundAddress.family == .v6 ? address.asV6 : address)
  }
}
