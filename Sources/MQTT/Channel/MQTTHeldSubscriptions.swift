import Core

/// A session's subscriptions, one for each filter.
struct MQTTHeldSubscriptions {
  private struct Held {
    let options: UInt8
    let identifier: UInt32
  }

  private var table = ByteKeyTable<Held>()

  var count: Int { table.count }

  func has(_ filter: Bytes) -> Bool { filter.withUnsafeBytes { table.index(of: $0) != nil } }

  /// In place of one that has the same filter ([MQTT-3.8.4-3]).
  mutating func hold(_ subscription: MQTTSubscription, identifier: UInt32) {
    let held = Held(options: subscription.options(.v5), identifier: identifier)
    subscription.filter.withUnsafeBytes { filter in
      let index = table.insert(filter, default: held).index
      table[at: index] = held
    }
  }

  mutating func remove(_ filter: Bytes) {
    _ = filter.withUnsafeBytes { table.remove($0) }
  }

  /// O(n).
  var all: [MQTTSessionState.Subscription] {
    (0..<table.count).map { index in
      let held = table[at: index]
      do {
        let subscription = try MQTTSubscription(table.withKey(at: index) { Bytes(copying: $0) }, options: held.options, .v5)
        return MQTTSessionState.Subscription(subscription, identifier: held.identifier)
      } catch {
        preconditionFailure("a subscription was held with options that are \(error)")
      }
    }
  }
}
