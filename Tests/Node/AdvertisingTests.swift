import Reactor
import Testing

@testable import Node

@Suite("Which address others dial") struct AdvertisingTests {
  private let everywhere4 = SocketAddress.v4(0, 0, 0, 0, port: 7400)
  private let everywhere6 = SocketAddress.v6(high: 0, low: 0, port: 7400)

  @Test("what the host's name stands for is dialled, at the port that is bound")
  func own() {
    #expect(NodeHome.address(of: "172.18.0.3", like: everywhere4) == .v4(172, 18, 0, 3, port: 7400))
    #expect(NodeHome.address(of: "172.18.0.3", like: everywhere6) == .v4(172, 18, 0, 3, port: 7400))
    #expect(NodeHome.address(of: "fd00::3", like: everywhere6)?.description == "[fd00::3]:7400")
  }

  @Test("loopback, what stands for everything, and what the socket does not hear is not dialled", arguments: ["localhost", "127.0.1.1", "::1", "0.0.0.0", "fd00::3"])
  func useless(host: String) {
    #expect(NodeHome.address(of: host, like: everywhere4) == nil)
  }
}
