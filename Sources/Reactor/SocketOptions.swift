import Glibc

/// How connections shall behave. On Linux a connection inherits all of these from its listener, so that
/// accepting one costs no call beside `accept4`.
public struct SocketOptions: Hashable, Sendable {
  /// When the kernel asks a silent peer whether it is still there, and when it gives up.
  public struct KeepAlive: Hashable, Sendable {
    public var idleSeconds = 60
    public var intervalSeconds = 15
    public var probes = 4

    public init() {}
  }

  /// Small writes leave at once: writes are gathered per turn, not per connection by the kernel.
  public var noDelay = true
  /// Bytes not yet sent above which a socket no longer counts as writable. Bounds what a slow reader holds in
  /// the kernel; nothing leaves the system's default.
  public var unsentLowWater: Int?
  /// A fixed send buffer; nothing leaves it to the kernel, which grows it as needed.
  public var sendBuffer: Int?
  public var keepAlive: KeepAlive? = KeepAlive()

  public init() {}

  /// Sets all of them on a socket.
  public func apply(to descriptor: FileDescriptor) throws(ReactorError) {
    let tcp = Int32(IPPROTO_TCP)
    try SystemCalls.setOption(descriptor, tcp, TCP_NODELAY, noDelay ? 1 : 0)
    if let unsentLowWater { try SystemCalls.setOption(descriptor, tcp, TCP_NOTSENT_LOWAT, unsentLowWater) }
    if let sendBuffer { try SystemCalls.setOption(descriptor, SOL_SOCKET, SO_SNDBUF, sendBuffer) }
    if let keepAlive {
      try SystemCalls.setOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
      try SystemCalls.setOption(descriptor, tcp, TCP_KEEPIDLE, keepAlive.idleSeconds)
      try SystemCalls.setOption(descriptor, tcp, TCP_KEEPINTVL, keepAlive.intervalSeconds)
      try SystemCalls.setOption(descriptor, tcp, TCP_KEEPCNT, keepAlive.probes)
    }
  }
}
