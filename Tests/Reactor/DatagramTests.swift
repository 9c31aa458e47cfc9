import Core
import Glibc
import Testing

@testable import Reactor

@Suite("Datagrams")
struct DatagramTests {
  private static func receive(_ socket: UDPSocket, room: Int = 64) -> (UDPSocket.Arrival, [UInt8]) {
    var bytes = [UInt8](repeating: 0, count: room)
    let arrival = bytes.withUnsafeMutableBytes { socket.receive(into: $0) }
    if case .datagram(let count, _) = arrival { bytes.removeLast(bytes.count - count) }
    return (arrival, bytes)
  }

  private static func send(_ bytes: [UInt8], from socket: UDPSocket, to address: SocketAddress) -> IOResult {
    bytes.withUnsafeBytes { socket.send($0.baseAddress!, count: $0.count, to: address) }
  }

  @Test("A datagram arrives whole with its sender's address, and then there is none")
  func exchange() throws {
    let one = try UDPSocket.bind(loopback)
    let other = try UDPSocket.bind(loopback)
    defer {
      one.close()
      other.close()
    }
    #expect(one.boundAddress.port != 0)
    #expect(Self.send([1, 2, 3], from: one, to: other.boundAddress) == .bytes(3))
    let (arrival, bytes) = Self.receive(other)
    #expect(arrival == .datagram(3, from: one.boundAddress))
    #expect(bytes == [1, 2, 3])
    #expect(Self.receive(other).0 == .wouldBlock)
  }

  @Test("What is longer than the room for it is cut, and does not spill into the next")
  func cut() throws {
    let socket = try UDPSocket.bind(loopback)
    defer { socket.close() }
    #expect(Self.send([UInt8](repeating: 7, count: 10), from: socket, to: socket.boundAddress) == .bytes(10))
    #expect(Self.send([9], from: socket, to: socket.boundAddress) == .bytes(1))
    #expect(Self.receive(socket, room: 4).1 == [7, 7, 7, 7])
    #expect(Self.receive(socket, room: 4).1 == [9])
  }

  @Test("A socket of both families talks to IPv4 and tells it as IPv4")
  func bothFamilies() throws {
    let both: UDPSocket
    do throws(ReactorError) {
      both = try UDPSocket.bind(.v6(high: 0, low: 0, port: 0), acceptsV4: true)
    } catch .addressUnavailable {
      print("no IPv6 here")
      return
    }
    let four = try UDPSocket.bind(loopback)
    defer {
      both.close()
      four.close()
    }
    #expect(Self.send([1], from: four, to: .v4(127, 0, 0, 1, port: both.boundAddress.port)) == .bytes(1))
    #expect(Self.receive(both).0 == .datagram(1, from: four.boundAddress))
    #expect(Self.send([2], from: both, to: four.boundAddress) == .bytes(1))
    #expect(Self.receive(four).0 == .datagram(1, from: .v4(127, 0, 0, 1, port: both.boundAddress.port)))
  }

  @Test("An address that is taken is told as taken")
  func taken() throws {
    let socket = try UDPSocket.bind(loopback)
    defer { socket.close() }
    #expect(throws: ReactorError.addressInUse(socket.boundAddress.description)) { try UDPSocket.bind(socket.boundAddress) }
  }

  @Test("An IPv4 address in its mapped form is that address")
  func mapped() {
    let four = SocketAddress.v4(192, 168, 0, 1, port: 80)
    #expect(four.sixteenBytes == (0, 0xffff_c0a8_0001))
    #expect(SocketAddress.either(high: 0, low: 0xffff_c0a8_0001, port: 80) == four)
    #expect(four.asV6.plain == four)
    #expect(four.asV6.family == .v6 && four.asV6.sixteenBytes == four.sixteenBytes)
    let six = SocketAddress.v6(high: 1, low: 2, port: 3)
    #expect(six.plain == six && six.sixteenBytes == (1, 2))
  }
}
