import Core
import Feeds
import MQTT
import Testing

@testable import Edge

/// What a client of MQTT is told, and when: not before what it implies is kept.
@Suite struct MQTTSessionTests {
  private final class Scene {
    let harness: EdgeHarness
    var shard: ModelShard { harness.shards[0] }

    init() throws {
      harness = try EdgeHarness(shards: 1) { $0.mqtt.sessionExpiryMaximum = 600 }
    }

    /// A client of 3.1.1, for which everything is known by its bytes.
    func connect(_ name: String, clean: Bool = false, will: String? = nil) throws -> TestClient {
      let client = try harness.connect(speaksMQTT: true)
      var connect = MQTTConnect(.v311, clientIdentifier: Bytes(name))
      connect.isCleanStart = clean
      connect.will = will.map { MQTTWill(topic: Bytes("will"), payload: Bytes($0)) }
      var buffer = ByteBuffer()
      connect.append(into: &buffer)
      client.send(buffer.freeze().array)
      harness.settle()
      return client
    }

    func send(_ client: TestClient, _ bytes: [UInt8]) {
      client.send(bytes)
      harness.settle()
    }

    /// Answers about sessions come late, until `tell`.
    func delay() { shard.keepsSessionAnswers = true }
    func tell() {
      shard.keepsSessionAnswers = false
      shard.tellKeptAnswers()
      harness.settle()
    }

    var payloads: [String] {
      shard.log.map { $0.withUnsafeBytes { String(decoding: RecordView(trusting: $0.baseAddress!).payload, as: UTF8.self) } }
    }

    var closings: [SessionClosing] {
      shard.sessions.changes.compactMap { if case .close(let closing) = $0 { closing } else { nil } }
    }
  }

  private let connack: [UInt8] = [0x20, 2, 0, 0]
  private let resumed: [UInt8] = [0x20, 2, 1, 0]
  private let ping: [UInt8] = [0xc0, 0]
  private let pong: [UInt8] = [0xd0, 0]
  private let subscribe: [UInt8] = [0x82, 6, 0, 9, 0, 1, 0x74, 2]
  private let suback: [UInt8] = [0x90, 3, 0, 9, 2]

  /// PUBLISH to `t`.
  private func publish(_ payload: String, qos: UInt8, id: UInt8 = 0, dup: Bool = false) -> [UInt8] {
    let head: UInt8 = 0x30 | qos << 1 | (dup ? 8 : 0)
    return [head, UInt8(3 + (qos > 0 ? 2 : 0) + payload.utf8.count), 0, 1, 0x74] + (qos > 0 ? [0, id] : []) + Array(payload.utf8)
  }

  private func pubrec(_ id: UInt8) -> [UInt8] { [0x50, 2, 0, id] }
  private func pubrel(_ id: UInt8) -> [UInt8] { [0x62, 2, 0, id] }
  private func pubcomp(_ id: UInt8) -> [UInt8] { [0x70, 2, 0, id] }

  @Test("SUBACK waits until the subscription is kept, and what was said behind it waits with it")
  func subackWaits() throws {
    let scene = try Scene()
    let client = try scene.connect("c")
    #expect(client.fresh == connack)
    scene.delay()
    scene.send(client, subscribe)
    scene.send(client, ping)
    #expect(client.fresh == connack)
    scene.tell()
    #expect(client.fresh == connack + suback + pong)
    // A client without a session waits for nothing.
    let other = try scene.connect("d", clean: true)
    scene.delay()
    scene.send(other, subscribe)
    #expect(other.fresh == connack + suback)
  }

  @Test("A message of QoS 2 is published when its number is kept, and what came behind it behind it")
  func numbersFirst() throws {
    let scene = try Scene()
    let client = try scene.connect("c")
    scene.delay()
    scene.send(client, publish("two", qos: 2, id: 5) + publish("one", qos: 1, id: 6) + publish("none", qos: 0))
    #expect(scene.payloads == [])
    scene.tell()
    #expect(scene.payloads == ["two", "one", "none"])
    #expect(client.fresh == connack + pubrec(5) + [0x40, 2, 0, 6])
    scene.delay()
    scene.send(client, pubrel(5))
    #expect(client.fresh == connack + pubrec(5) + [0x40, 2, 0, 6])
    scene.tell()
    #expect(client.fresh == connack + pubrec(5) + [0x40, 2, 0, 6] + pubcomp(5))
  }

  @Test("A message of QoS 2 is sent when it is kept what its identifier stands for, and released when it is kept that it was received")
  func deliveriesFirst() throws {
    let scene = try Scene()
    let client = try scene.connect("c")
    scene.send(client, subscribe)
    _ = client.take()
    scene.delay()
    scene.harness.publish("t", "m")
    #expect(client.fresh == [])
    scene.tell()
    #expect(client.fresh == [0x34, 6, 0, 1, 0x74, 0, 1, 0x6d])
    _ = client.take()
    scene.delay()
    scene.send(client, pubrec(1))
    #expect(client.fresh == [])
    scene.tell()
    #expect(client.fresh == pubrel(1))
  }

  @Test("A node that dies after a message of QoS 2 was accepted leaves a session that knows it, and forgets it when it is released")
  func diesBetween() throws {
    let scene = try Scene()
    var client = try scene.connect("c")
    scene.send(client, publish("first", qos: 2, id: 5))
    let asSaved = scene.shard.sessions
    #expect(client.take().utf8.count == 8)
    // What it says as it goes never arrives.
    scene.shard.sessions.refusal = .noQuorum
    client.close()
    scene.harness.settle()
    for isReceived in [false, true] {
      scene.shard.sessions = asSaved
      client = try scene.connect("c")
      if !isReceived {
        scene.send(client, publish("first", qos: 2, id: 5, dup: true))
        #expect(client.fresh == resumed + pubrec(5))
        #expect(scene.payloads == ["first"])
        scene.shard.sessions.refusal = .noQuorum
        client.close()
        scene.harness.settle()
        continue
      }
      // The client was told that it is received, the session was not.
      scene.send(client, pubrel(5))
      #expect(client.fresh == resumed + pubcomp(5))
      scene.send(client, publish("second", qos: 2, id: 5))
      #expect(scene.payloads == ["first", "second"])
    }
  }

  @Test("What was under way is sent again with the identifier it had, and what came meanwhile after it")
  func goesOn() throws {
    let scene = try Scene()
    var client = try scene.connect("c")
    scene.send(client, subscribe)
    scene.harness.publish("t", "a")
    scene.harness.publish("t", "b")
    client.close()
    scene.harness.settle()
    scene.harness.publish("t", "c")
    client = try scene.connect("c")
    let message = { (head: UInt8, id: UInt8, payload: String) -> [UInt8] in [head, 6, 0, 1, 0x74, 0, id] + Array(payload.utf8) }
    #expect(client.fresh == resumed + message(0x3c, 1, "a") + message(0x3c, 2, "b") + message(0x34, 3, "c"))
    // Before 5.0 nothing bounds what is under way but the settings: all three are in flight now, and done once.
    for id in 1...3 as ClosedRange<UInt8> {
      scene.send(client, pubrec(id))
      scene.send(client, pubcomp(id))
    }
    client.close()
    scene.harness.settle()
    client = try scene.connect("c")
    #expect(client.fresh == resumed)
  }

  @Test("What QoS 1 has come to is kept within a second, without being asked")
  func lazily() throws {
    let scene = try Scene()
    let client = try scene.connect("c")
    scene.send(client, [0x82, 6, 0, 9, 0, 1, 0x74, 1])
    _ = client.take()
    scene.harness.publish("t", "m")
    #expect(client.fresh == [0x32, 6, 0, 1, 0x74, 0, 1, 0x6d])
    let before = scene.shard.sessions.changes.count
    scene.harness.pass(.seconds(2))
    #expect(scene.shard.sessions.changes.count == before + 1)
    scene.harness.pass(.seconds(10))
    #expect(scene.shard.sessions.changes.count == before + 1)
    scene.send(client, [0x40, 2, 0, 1])
    scene.harness.pass(.seconds(2))
    #expect(scene.shard.sessions.changes.count == before + 2)
  }

  @Test("A save that cannot be had is tried again, and nothing that hangs on it is said meanwhile")
  func triesAgain() throws {
    let scene = try Scene()
    let client = try scene.connect("c")
    scene.shard.sessions.refusal = .noQuorum
    scene.send(client, subscribe)
    scene.harness.pass(.seconds(3))
    #expect(client.fresh == connack)
    scene.shard.sessions.refusal = nil
    scene.harness.pass(.seconds(2))
    #expect(client.fresh == connack + suback)
  }

  @Test("Who lost its session is let go, and says nothing more of it")
  func lost() throws {
    let scene = try Scene()
    let client = try scene.connect("c")
    scene.send(client, subscribe)
    _ = client.take()
    scene.shard.sessions.refusal = .sessionLost
    scene.send(client, publish("two", qos: 2, id: 5))
    #expect(client.hasEnded && client.fresh == [])
    #expect(scene.payloads == [] && scene.closings == [])
    // A session that cannot be had is no connection.
    scene.shard.sessions.refusal = .noQuorum
    #expect(try scene.connect("c").fresh == [0x20, 2, 0, 3])
    scene.shard.sessions.refusal = .overloaded
    #expect(try scene.connect("c").fresh == [0x20, 2, 0, 3])
  }

  @Test("With the end of a connection its shard is told what becomes of the will; a closing that is refused is told again")
  func fates() throws {
    let scene = try Scene()
    var client = try scene.connect("lost", will: "w")
    client.close()
    scene.harness.settle()
    client = try scene.connect("leaves", will: "w")
    scene.send(client, [0xe0, 0])
    client = try scene.connect("drained", clean: true, will: "w")
    scene.harness.edge.drain(over: .zero)
    scene.harness.settle()
    #expect(scene.closings.map(\.will) == [.due, .dropped, .waits(seconds: 10)])
    #expect(scene.closings.map(\.expiry) == [600, 600, 0])
    scene.harness.edge.resume()
    client = try scene.connect("again")
    scene.shard.sessions.refusal = .noQuorum
    client.close()
    scene.harness.settle()
    #expect(scene.closings.count == 3)
    scene.shard.sessions.refusal = nil
    scene.harness.pass(.seconds(3))
    #expect(scene.closings.count == 4)
  }

  @Test("A will that is due is published as it is, and its shard told to forget it")
  func dueWill() throws {
    let scene = try Scene()
    let client = try scene.connect("c", will: "gone")
    guard case .open(let opening)? = scene.shard.sessions.changes.first, let will = opening.will else {
      Issue.record("no will came with the opening")
      return
    }
    client.close()
    scene.harness.settle()
    for _ in 0..<2 { scene.harness.edge.receive(.sessionNotice(.willDue(ShardID(0), number: 4, record: will.record))) }
    scene.harness.settle()
    #expect(scene.payloads == ["gone"])
    #expect(scene.shard.sessions.changes.filter { $0 == .forgetWill(4) }.count == 2)
    // What is no record is published nowhere.
    scene.harness.edge.receive(.sessionNotice(.willDue(ShardID(0), number: 5, record: Bytes("nonsense"))))
    scene.harness.settle()
    #expect(scene.payloads == ["gone"])
  }
}
