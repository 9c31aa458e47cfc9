import Core
import TestSupport
import Testing

@testable import Gossip

@Suite("Gossip as bytes")
struct CodecTests {
  enum Outcome: Equatable {
    case header(FrameHeader)
    case message(GossipMessage, profile: [UInt8])
    case refused
  }

  static let header = FrameHeader(form: .packet, cluster: 77, sender: NodeID(5))

  static func frame(_ messages: [GossipMessage], profile: Bytes = Bytes(), form: FrameForm = .packet) -> [UInt8] {
    var buffer = ByteBuffer()
    GossipFrame.begin(FrameHeader(form: form, cluster: 77, sender: NodeID(5)), into: &buffer)
    for message in messages { GossipFrame.append(message, profile: profile, into: &buffer) }
    GossipFrame.end(count: messages.count, into: &buffer)
    return buffer.freeze().array
  }

  static let everyKind: [GossipMessage] = [
    .ping(sequence: 1, target: NodeID(2)),
    .pingRequest(sequence: 3, target: NodeID(4), address: GossipAddress(high: 1 << 60, low: 7, port: 7400)),
    .ack(sequence: .max), .nack(sequence: 0),
    .claim(Claim(standing: .alive, subject: NodeID(9), incarnation: 1 << 40, address: SimulatedGossip.address(3))),
    .claim(Claim(standing: .suspect, subject: NodeID(9), incarnation: 8, accuser: NodeID(1))),
    .claim(Claim(standing: .dead, subject: NodeID(9), incarnation: 8, accuser: NodeID(1))),
    .claim(Claim(standing: .left, subject: NodeID(9), incarnation: 9)),
  ]

  /// A datagram comes whole: where it was cut before does not matter, and a part of one is refused.
  static func decode(_ pieces: [[UInt8]]) -> [Outcome] {
    let bytes = pieces.flatMap { $0 }
    var messages: [GossipMessage] = []
    do throws(GossipRefusal) {
      let header = try GossipFrame.decode(bytes.span.bytes, limit: GossipLimits.plainPacket, into: &messages)
      return [.header(header)]
        + messages.map { message in
          guard case .claim(var claim) = message else { return .message(message, profile: []) }
          let profile = Array(bytes[claim.profile])
          claim.profile = 0..<0
          return .message(.claim(claim), profile: profile)
        }
    } catch {
      return [.refused]
    }
  }

  @Test("Every kind of message reads back as it was written, whole, and no part of it is taken for a packet")
  func codec() throws {
    let profile = SimulatedGossip.profile(3).encoded
    let outcomes = try CodecVerifier.verify(
      Self.frame(Self.everyKind, profile: profile), isPart: { partial, _ in partial == .refused }, decode: Self.decode)
    let expected = Self.everyKind.map { message in
      if case .claim(let claim) = message, claim.standing == .alive {
        return Outcome.message(message, profile: profile.array)
      }
      return .message(message, profile: [])
    }
    #expect(outcomes == [.header(Self.header)] + expected)
  }

  @Test("What cannot be read is refused by its reason")
  func refusals() {
    func refusal(_ bytes: [UInt8], limit: Int = GossipLimits.plainPacket) -> GossipRefusal? {
      var messages: [GossipMessage] = []
      do throws(GossipRefusal) {
        _ = try GossipFrame.decode(bytes.span.bytes, limit: limit, into: &messages)
        return nil
      } catch {
        return error
      }
    }
    let good = Self.frame(Self.everyKind)
    #expect(refusal(good) == nil)
    #expect(refusal([]) == .truncated)
    #expect(refusal(good + [0]) == .trailingBytes)
    #expect(refusal(good, limit: good.count - 1) == .tooLong)
    #expect(refusal([9] + good.dropFirst()) == .unknownVersion(9))
    #expect(refusal([1, 7] + good.dropFirst(2)) == .unknownForm(7))
    var unknown = good
    unknown[GossipFrame.headerLength] = 99
    #expect(refusal(unknown) == .unknownKind(99))
    // A count that promises 65,535 messages makes no room for them.
    var many = Self.frame([])
    many[18] = 0xff
    many[19] = 0xff
    #expect(refusal(many) == .truncated)
    var long = Self.frame([.claim(Claim(standing: .alive, subject: NodeID(9), incarnation: 1))])
    long[long.count - 1] = 0xff
    #expect(refusal(long) == .malformedProfile)
  }

  @Test("A node counts what it refuses and is not changed by it")
  func harmless() {
    var profile = SimulatedGossip.profile(0)
    profile.cluster = ClusterID(77)
    var node = GossipNode(id: SimulatedGossip.id(0), address: SimulatedGossip.address(0), profile: profile, seed: 1, at: .zero)
    var output = GossipOutput()
    func receive(_ bytes: [UInt8]) {
      node.receive(packet: bytes.span.bytes, from: SimulatedGossip.address(1), at: .zero, into: &output)
      #expect(output.packets.isEmpty && output.facts.isEmpty && output.streams.isEmpty)
      #expect(node.members.isEmpty && node.incarnation == 1)
    }
    let join = GossipMessage.claim(Claim(standing: .alive, subject: NodeID(9), incarnation: 1))
    let good = Self.frame([join], profile: SimulatedGossip.profile(9).encoded)
    for length in 0..<good.count { receive(Array(good[..<length])) }
    #expect(node.counters.refusedMalformed == good.count)
    receive([2] + good.dropFirst())
    var foreign = good
    foreign[2] = 78
    receive(foreign)
    receive(Self.frame([join], profile: Bytes([9, 9])))
    receive(Self.frame([.ping(sequence: 1, target: NodeID(404)), join], profile: SimulatedGossip.profile(9).encoded))
    receive(Self.frame([], form: .state))
    receive(Self.frame([.ack(sequence: 7), .nack(sequence: 7)]))
    let counters = node.counters
    #expect(counters.refusedVersion == 1 && counters.refusedCluster == 1 && counters.refusedProfile == 1)
    #expect(counters.refusedMisdirected == 1 && counters.refusedUnexpected == 1)
    #expect(counters.refused == good.count + 5)
    node.receive(request: Self.frame([.ack(sequence: 1)]).span.bytes, from: SimulatedGossip.address(1), at: .zero, into: &output)
    #expect(output.streamReply == nil)
  }

  @Test("Random damage never harms a node")
  func damage() {
    var random = SeededGenerator(seed: 99)
    var node = GossipNode(
      id: NodeID(9), address: SimulatedGossip.address(0), profile: SimulatedGossip.profile(0), seed: 1, at: .zero)
    var output = GossipOutput()
    let good = Self.frame(Self.everyKind, profile: SimulatedGossip.profile(3).encoded)
    for round in 0..<20_000 {
      var bytes = good
      for _ in 0...random.below(4) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
      if random.below(3) == 0 { bytes.removeLast(random.below(bytes.count)) }
      let now = Instant.zero + .milliseconds(round)
      switch round % 3 {
      case 0: node.receive(packet: bytes.span.bytes, from: SimulatedGossip.address(1), at: now, into: &output)
      case 1: node.receive(request: bytes.span.bytes, from: SimulatedGossip.address(1), at: now, into: &output)
      default: node.tick(at: now, into: &output)
      }
      output.removeAll()
    }
    #expect(node.members.count <= GossipLimits.members)
    #expect(node.relays.count <= GossipLimits.relays)
  }

  @Test("A profile reads back; one with unknown fields does too; one with wrong ones is refused; the largest fits")
  func profiles() throws {
    var profile = MemberProfile(role: .edge, boot: .max, name: String(repeating: "n", count: MemberProfile.maximumName))
    profile.version = String(repeating: "v", count: MemberProfile.maximumVersion)
    profile.http = String(repeating: "h", count: MemberProfile.maximumAddress)
    profile.mqtt = String(repeating: "m", count: MemberProfile.maximumAddress)
    profile.rack = String(repeating: "r", count: MemberProfile.maximumRack)
    profile.cluster = ClusterID(0xffff_ffff_ffff)
    profile.bootstrapExpect = 7
    profile.isDraining = true
    #expect(profile.problem == nil)
    let bytes = profile.encoded
    #expect(bytes.count <= GossipLimits.profile)
    #expect(try MemberProfile(decoding: bytes.bytes) == profile)
    let newer = bytes.array + [200, 2, 0, 1, 2]
    #expect(try MemberProfile(decoding: newer.span.bytes) == profile)
    for length in 0..<bytes.count where try! isRefused(Array(bytes.array[..<length])) == false {
      // Cut between two fields it is a profile that says less.
      #expect(try MemberProfile(decoding: Array(bytes.array[..<length]).span.bytes) != profile)
    }
    #expect(try isRefused([2]))
    #expect(try isRefused([1, 3, 1, 0, 0xff]), "a name that is not UTF-8")
    #expect(try isRefused([1, 1, 1, 0, 9]), "a role nobody knows")
    #expect(try isRefused([1, 2, 1, 0, 9]), "a number of the wrong size")
    #expect(try isRefused(newer + [UInt8](repeating: 0, count: GossipLimits.profile)))
    profile.name += "n"
    #expect(profile.problem == "the node's name has 65 bytes; at most 64 are told to other nodes")
  }

  private func isRefused(_ bytes: [UInt8]) throws -> Bool {
    do throws(GossipRefusal) {
      _ = try MemberProfile(decoding: bytes.span.bytes)
      return false
    } catch {
      return true
    }
  }

  @Test("Addresses are written for people")
  func addresses() {
    #expect(GossipAddress(ipv4: 0x7f00_0001, port: 80).description == "127.0.0.1:80")
    #expect(GossipAddress(high: 0x2001_0db8_0000_0000, low: 1, port: 7).description == "[2001:db8:0:0:0:0:0:1]:7")
  }
}
