internal import Core
internal import Reactor

/// Resolves the join addresses on a thread that may wait: every name anew at every attempt, every address of a name.
enum Resolver {
  /// The addresses, and for each name that has none, why.
  static func resolve(
    _ endpoints: [Endpoint], then done: @escaping @Sendable ([SocketAddress], [String]) -> Void
  ) throws(ReactorError) {
    _ = try PlainThread.start(named: "resolver") {
      var found: [SocketAddress] = []
      var problems: [String] = []
      for endpoint in endpoints {
        do throws(ReactorError) {
          for address in try Address(host: endpoint.host, port: endpoint.port).resolve() where !found.contains(address) {
            found.append(address)
          }
        } catch {
          problems.append("\(endpoint): \(error)")
        }
      }
      done(found, problems)
    }
  }
}
