import Glibc

/// What the environment refused: a call, an address, a name.
public enum ReactorError: Error, Hashable, CustomStringConvertible {
  /// A system call failed with this error number.
  case call(String, Int32)
  case addressInUse(String)
  case addressUnavailable(String)
  case portForbidden(String)
  case malformedAddress(String, reason: String)
  case unresolved(String, reason: String)

  public var description: String {
    switch self {
    case .call(let name, let code): "\(name): \(ReactorError.text(of: code))"
    case .addressInUse(let address): "\(address) is already in use"
    case .addressUnavailable(let address): "\(address) is not an address of this machine"
    case .portForbidden(let address): "not permitted to listen on \(address): low ports need privileges"
    case .malformedAddress(let piece, let reason): "'\(piece)' is not an address: \(reason)"
    case .unresolved(let host, let reason): "cannot resolve '\(host)': \(reason)"
    }
  }

  /// The system's words for an error number.
  public static func text(of code: Int32) -> String {
    String(cString: strerror(code))
  }
}
