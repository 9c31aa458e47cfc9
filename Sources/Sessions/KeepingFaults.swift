/// Mistakes to be made on purpose, so that tests can prove that they would be noticed. Never set outside tests.
package struct KeepingFaults: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Clients are told at once what must be saved first.
  package static let toldBeforeSaved = KeepingFaults(rawValue: 1)
  /// Messages of QoS 2 go to their shards before their numbers are saved.
  package static let publishedBeforeSaved = KeepingFaults(rawValue: 1 << 1)
  /// A save leaves out which messages of QoS 2 the client has not let go of.
  package static let numbersNotSaved = KeepingFaults(rawValue: 1 << 2)
}
