extension TCPListener: AcceptSource {
  /// What a refused connection has already sent is read up to here, because closing over unread bytes resets
  /// the connection and takes the farewell with it.
  private static let mostDrained = 16 * 1024

  public func openReserve() -> FileDescriptor? { SystemCalls.openReserve() }

  public func close(_ descriptor: FileDescriptor) { descriptor.close() }

  public func refuse(_ connection: FileDescriptor, saying farewell: [UInt8]) {
    defer { connection.close() }
    guard !farewell.isEmpty else { return }
    // Whether the peer hears it is its own affair: the connection ends either way.
    _ = farewell.withUnsafeBytes { bytes in
      bytes.baseAddress.map { connection.send($0, count: bytes.count) }
    }
    connection.finishSending()
    withUnsafeTemporaryAllocation(byteCount: TCPListener.mostDrained, alignment: 1) { bytes in
      if let start = bytes.baseAddress { _ = connection.receive(into: start, count: bytes.count) }
    }
  }
}
