import CLinux
import Glibc

extension Address {
  /// Every numeric address this one stands for, in the system's order, each once.
  ///
  /// Asks the system's resolver and may take seconds: at start and on threads that may wait, never on a loop.
  /// `*` is every IPv6 and IPv4 address, or every IPv4 address where there is no IPv6.
  public func resolve() throws(ReactorError) -> [SocketAddress] {
    if isEverywhere {
      return [.v6(high: 0, low: 0, port: port), .v4(0, 0, 0, 0, port: port)]
    }
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = tidings_stream_type
    hints.ai_flags = AI_NUMERICSERV
    var answers: UnsafeMutablePointer<addrinfo>?
    let failure = getaddrinfo(host, String(port), &hints, &answers)
    guard failure == 0 else {
      let reason = failure == EAI_SYSTEM ? ReactorError.text(of: errno) : String(cString: gai_strerror(failure))
      throw .unresolved(host, reason: reason)
    }
    defer { freeaddrinfo(answers) }
    var found: [SocketAddress] = []
    var answer = answers
    while let current = answer?.pointee {
      if let form = current.ai_addr {
        var storage = sockaddr_storage()
        let length = min(Int(current.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutableBytes(of: &storage) { bytes in
          bytes.copyMemory(from: UnsafeRawBufferPointer(start: form, count: length))
        }
        if let address = SocketAddress(storage), !found.contains(address) { found.append(address) }
      }
      answer = current.ai_next
    }
    guard !found.isEmpty else { throw .unresolved(host, reason: "it has no address") }
    return found
  }
}
