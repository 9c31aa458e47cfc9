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

  @Test("A gap is kept until what was sent behind it is acknowledged, whatever else is, or the client takes its leave")
  func gaps() throws {
    let scene = Scene()
    let gap = ReadGap(reason: .expired, from: Offset(3), to: Offset(9), skipped: 6)
    func kept() throws -> [ReadGap] {
      let saved = scene.save()
      let bytes = try #require(saved.progress)
      let progress = try MQTTSessionProgress(decoding: bytes.bytes)
      return scene.keeping.gaps(of: progress).map(\.gap)
    }
    scene.keeping.sent(1)
    scene.keeping.told(gap, of: ShardID(2))
    #expect(try kept() == [gap])
    scene.keeping.sent(2)
    scene.keeping.sent(3)
    scene.keeping.acknowledged(1)
    scene.keeping.acknowledged(3)
    #expect(try kept() == [gap])
    scene.keeping.acknowledged(2)
    #expect(try kept() == [])
    scene.keeping.told(gap, of: ShardID(2))
    scene.keeping.leftInOrder()
    #expect(try kept() == [])
    for number in 1...100 { scene.keeping.told(ReadGap(reason: .future, from: Offset(UInt64(number)), to: .zero), of: ShardID(0)) }
    #expect(try kept().map(\.from.value) == Array(37...100))
  }

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

  @Test("A busy session is looked at once however often it was saved meanwhile, and not at all when nothing is left to save")
  func listedOnce() throws {
    let scene = Scene()
    var house = MQTTSessionHouse<Int>(owner: SessionOwner(high: 1, low: 2), shards: 1)
    let keeping = scene.keeping
    let pause = TimeSpan.seconds(1)
    var bytes = ByteBuffer()
    for number in 1...100 {
      keeping.hasMoved = true
      house.listMoved(3, keeping)
      // A step of QoS 2 saves what has moved as well.
      _ = keeping.beginSave(at: .zero + .milliseconds(number))
      _ = keeping.saved(into: &bytes)
      #expect(house.takeDue(at: .zero + .milliseconds(number), every: pause) { _ in keeping }.isEmpty)
    }
    #expect(house.moved == [3])
    keeping.hasMoved = true
    house.listMoved(3, keeping)
    #expect(house.takeDue(at: .zero + .seconds(2), every: pause) { _ in keeping } == [3])
    #expect(house.moved.isEmpty)
    // Saved since it moved: there is nothing to do.
    house.listMoved(3, keeping)
    _ = keeping.beginSave(at: .zero + .seconds(2))
    _ = keeping.saved(into: &bytes)
    #expect(house.takeDue(at: .zero + .seconds(4), every: pause) { _ in keeping }.isEmpty && house.moved.isEmpty)
    // Of one that is gone nothing is kept.
    house.listMoved(3, keeping)
    #expect(house.takeDue(at: .zero + .seconds(4), every: pause) { _ in nil }.isEmpty && house.moved.isEmpty)
  }
}
