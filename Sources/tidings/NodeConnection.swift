import Client
import Core
import Node

/// How commands that talk to a node find it: the same options in all of them.
enum NodeConnection {
  static let options = [
    OptionDescription("url", "URL", default: "TIDINGS_URL, else \(ServerURL.standard)", "the node to talk to"),
    OptionDescription("token", "TOKEN", default: "TIDINGS_TOKEN, else none", "who you are"),
  ]

  static func server(_ arguments: Arguments) throws(UsageError) -> ServerURL {
    do throws(UnreadableText) {
      return try ServerURL.choose(option: arguments.text("url"), environment: Surroundings.variables)
    } catch {
      throw UsageError(arguments.text("url") == nil ? "\(error)" : "--url: \(error)")
    }
  }

  static func token(_ arguments: Arguments) throws(UsageError) -> String? {
    let token = arguments.text("token") ?? Surroundings.variables["TIDINGS_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
    guard token?.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) ?? true else {
      throw UsageError(
        "the token has characters that no token has", hint: "check --token or TIDINGS_TOKEN for spaces and line ends")
    }
    return token
  }

  static func client(_ arguments: Arguments) throws(UsageError) -> HTTPClient {
    HTTPClient(server: try server(arguments), token: try token(arguments))
  }
}
