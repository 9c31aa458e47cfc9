internal import Core
public import Feeds
public import MQTT

/// A session as bytes, and back.
extension MQTTKeeping {
  /// Puts the session as it is now into a save. `legs` is asked for when the filters have their numbers.
  public func fill(
    _ save: inout SessionSave, of channel: borrowing MQTTChannel, backlog: [UInt64], legs: () -> [MQTTSessionProgress.Leg]
  ) {
    var bytes = ByteBuffer()
    // A save that is under way may not come about; what stands behind it must not name subscriptions that nobody has.
    if hasOtherSubscriptions || isSaving {
      let subscriptions = channel.heldSubscriptions
      note(saved: subscriptions.map(\.subscription.filter))
      MQTTSessionState.encode(subscriptions, into: &bytes)
      save.subscriptions = bytes.withUnsafeBytes { Bytes(copying: $0) }
      bytes.removeAll()
    }
    var progress = MQTTSessionProgress()
    progress.nextPacketIdentifier = channel.nextPacketIdentifier
    progress.lastNumber = lastNumber
    if !faults.contains(.numbersNotSaved) { progress.unreleased = unreleased(of: channel) }
    progress.inFlight = channel.messagesInFlight
    progress.backlog = backlog + recalls.filter { !$0.wasSent }.map(\.token)
    progress.legs = legs()
    progress.gaps = untold.map(\.gap)
    progress.encode(into: &bytes)
    save.progress = bytes.withUnsafeBytes { Bytes(copying: $0) }
  }

  private func unreleased(of channel: borrowing MQTTChannel) -> [MQTTSessionProgress.Unreleased] {
    let accepted = Set(channel.unreleasedIdentifiers)
    return numbers.sorted { $0.key < $1.key }.map { identifier, number in
      MQTTSessionProgress.Unreleased(packetIdentifier: identifier, number: number, isAccepted: accepted.contains(identifier))
    }
  }

  /// Goes on where the session was kept. It is empty until something is saved.
  public func resume(_ kept: SessionKept) throws(MQTTSessionFailure) -> (state: MQTTSessionState, progress: MQTTSessionProgress) {
    var state = MQTTSessionState()
    var progress = MQTTSessionProgress()
    // Each by itself: a holder that died before it saved anything leaves neither, and the next need not save both.
    if !kept.subscriptions.isEmpty { state.subscriptions = try MQTTSessionState.subscriptions(decoding: kept.subscriptions.bytes) }
    if !kept.progress.isEmpty { progress = try MQTTSessionProgress(decoding: kept.progress.bytes) }
    state.nextPacketIdentifier = progress.nextPacketIdentifier
    // Where its holder died, what it had accepted may not be known; the number tells it when it comes again.
    state.unreleased = progress.unreleased.filter(\.isAccepted).map(\.packetIdentifier)
    // What came through a group is given to another member.
    state.inFlight = progress.inFlight.filter { $0.isReceived || MQTTToken.place(of: $0.token) != nil }
    for message in progress.unreleased { numbers[message.packetIdentifier] = message.number }
    mayBeKept = Set(numbers.keys)
    lastNumber = progress.lastNumber
    note(saved: state.subscriptions.map(\.subscription.filter))
    return (state, progress)
  }
}
