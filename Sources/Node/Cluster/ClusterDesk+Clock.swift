internal import Core
internal import Gossip
internal import Reactor
internal import Wire

/// What time it is. Whoever is linked told so with its first words, before any vote: no leader stamps by a clock that is
/// known to be wrong.
extension ClusterDesk {
  func met(_ hello: NodeHello) {
    guard hello.roles.contains(.broker), let clock = hello.clock else { return }
    greetings[hello.node] = Greeting(name: hello.name, ahead: clock.milliseconds &- loop.clockTime.milliseconds)
    compareClocks()
  }

  /// With what brokers told last: once a second, and when one is met.
  func compareClocks() {
    var others = greetings.mapValues { ($0.name, $0.ahead) }
    let told = reports.clocks(at: now)
    for member in members where member.profile.role.ownsShards && member.profile.cluster == plan.cluster {
      if let ahead = told[member.id] { others[member.id] = (member.profile.name, ahead) }
    }
    let before = (correction: clock.correction, trouble: clock.trouble(of: plan.configuration.name))
    clock.compare(with: others.sorted { $0.key < $1.key }.map(\.value), ownCounts: cluster.isBroker)
    if clock.correction != before.correction {
      for reactor in 0..<plan.reactors { post(.correctClock(by: clock.correction), reactor) }
    }
    let trouble = clock.trouble(of: plan.configuration.name)
    plan.board.tells(ofTheClock: trouble)
    guard (trouble == nil) != (before.trouble == nil) else { return }
    if let trouble { plan.log.error("clock", trouble) } else { plan.log.info("clock", "the clock agrees with the brokers'") }
    plan.board.stir()
  }

  struct Greeting {
    let name: String
    let ahead: Int64
  }
}
