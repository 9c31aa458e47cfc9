import Core
import Feeds
import MQTT
import Testing

@testable import Sessions

/// What a session's keeper holds back, numbers, saves and takes up again.
@Suite struct KeepingTests {
  /// A connected client's channel and its keeper.
  private final class Scene {
    var channel: MQTTChannel
    let keeping = MQTTKeeping(client: Bytes("c"), shard: ShardID(0), nonce: 7)
    let version: MQTTVersion

    init(_ version: MQTTVersion = .v5) {
      self.version = version
      channel = MQTTChannel(settings: MQTTChannelSettings(), at: .zero)
      keeping.epoch = 1
      keeping.identity = 9
      keeping.isDurable = true
      var connect = MQTTConnect(version, clientIdentifier: Bytes("c"))
      connect.isCleanStart = false
      _ = say { connect.append(into: &$0) }
      var output = MQTTChannelOutput()
      channel.accept(MQTTAcceptance(), at: .zero, into: &output)
    }

    func say(_ body: (inout ByteBuffer) -> Void) -> [MQTTAction] {
      var bytes = ByteBuffer()
      body(&bytes)
      var output = MQTTChannelOutput()
      _ = channel.receive(bytes.bytes, at: .zero, into: &output)
      return output.actions
    }

    /// A PUBLISH of the client's, as the channel hands it out.
    func publish(_ identifier: UInt16, _ qos: MQTTQoS = .exactlyOnce) throws -> MQTTPublishRequest {
      let head = MQTTPublishHead(qos: qos, packetIdentifier: identifier)
      let actions = say { head.append(version, topic: Bytes("t"), payload: Bytes("x"), into: &$0) }
      guard case .publish(let request)? = actions.first else { throw Unexpected() }
      return request
    }

    /// A save as it goes to the shard.
    func save() -> SessionSave {
      var save = SessionSave(keeping.claim, number: 0, subscriptions: nil, progress: nil)
      keeping.fill(&save, of: channel, backlog: []) { [] }
      save.number = keeping.beginSave(at: .zero)
      return save
    }
  }

  private struct Unexpected: Error {}

  @Test("A message of QoS 2 waits until its number is saved, and what comes behind it waits too")
  func waits() throws {
    let scene = Scene()
    #expect(scene.keeping.take(try scene.publish(1, .atLeastOnce)) == .goes(number: nil))
    #expect(scene.keeping.take(try scene.publish(2)) == .waits(owesSave: true))
    #expect(scene.keeping.take(try scene.publish(3, .atLeastOnce)) == .waits(owesSave: false))
    scene.keeping.oweSave()
    let save = scene.save()
    #expect(save.number == 1)
    var bytes = ByteBuffer()
    #expect(scene.keeping.saved(into: &bytes).map(\.number) == [1, nil])
    #expect(scene.keeping.take(try scene.publish(4, .atLeastOnce)) == .goes(number: nil))
  }

  @Test("A number is forgotten only where it is certain that its message is not kept")
  func refusals() throws {
    let scene = Scene()
    for identifier in 1...3 as ClosedRange<UInt16> { _ = scene.keeping.take(try scene.publish(identifier)) }
    #expect(scene.keeping.isForgotten(1, refused: .noQuorum, in: .v5))
    #expect(!scene.keeping.isForgotten(2, refused: .unknownOutcome, in: .v5))
    // Before 5.0 the client sends it again: it is the same message.
    #expect(!scene.keeping.isForgotten(3, refused: .noQuorum, in: .v311))
    #expect(scene.keeping.numbers == [2: 2, 3: 3])
    // Another connection finds the numbers, and does not know what became of the messages.
    let save = scene.save()
    let next = Scene()
    _ = try next.keeping.resume(SessionKept(subscriptions: Bytes(), progress: try #require(save.progress), isExact: false))
    #expect(next.keeping.numbers == [2: 2, 3: 3])
    #expect(!next.keeping.isForgotten(2, refused: .noQuorum, in: .v5))
    next.keeping.released(2)
    #expect(next.keeping.numbers == [3: 3])
  }

  @Test("What stands behind a save that may not come about names its subscriptions again")
  func behindASave() throws {
    let scene = Scene()
    scene.keeping.hasOtherSubscriptions = true
    #expect(scene.save().subscriptions != nil)
    #expect(scene.keeping.isSaving)
    #expect(scene.save().subscriptions != nil)
    var bytes = ByteBuffer()
    _ = scene.keeping.saved(into: &bytes)
    #expect(scene.save().subscriptions == nil)
  }

  @Test("A session of which only the progress was ever saved is taken up again")
  func progressAlone() throws {
    let scene = Scene()
    _ = try scene.keeping.resume(SessionKept(subscriptions: Bytes(), progress: Bytes(), isExact: false))
    _ = scene.keeping.take(try scene.publish(5))
    let save = scene.save()
    #expect(save.subscriptions == nil)
    let next = Scene()
    let (state, _) = try next.keeping.resume(SessionKept(subscriptions: Bytes(), progress: try #require(save.progress), isExact: false))
    #expect(state.subscriptions.isEmpty)
    #expect(next.keeping.numbers == [5: 1])
    #expect(next.keeping.take(try next.publish(5)) == .goes(number: 1))
  }
}
