import Glibc

/// Opening connections without waiting for them.
public enum TCPConnector {
  public enum Outcome: Hashable, Sendable {
    /// Watch it; when it becomes writable, `failure(of:)` tells how it went.
    case pending(FileDescriptor)
    case connected(FileDescriptor)
    case failed(ReactorError)
  }

  /// Starts to connect.
  public static func connect(to address: SocketAddress, options: SocketOptions = SocketOptions()) -> Outcome {
    var socket: FileDescriptor?
    do throws(ReactorError) {
      let opened = try SystemCalls.createStreamSocket(address.familyNumber)
      socket = opened
      try options.apply(to: opened)
      switch SystemCalls.connect(opened, to: address) {
      case 0: return .connected(opened)
      case EINPROGRESS: return .pending(opened)
      case let failure: throw .call("connect \(address)", failure)
      }
    } catch {
      socket?.close()
      return .failed(error)
    }
  }

  /// Why a pending connection came to nothing, or nothing when it stands.
  public static func failure(of descriptor: FileDescriptor) -> ReactorError? {
    do throws(ReactorError) {
      let code = try SystemCalls.option(descriptor, SOL_SOCKET, SO_ERROR)
      return code == 0 ? nil : .call("connect", Int32(clamping: code))
    } catch {
      return error
    }
  }
}
