/// What an event carries back from the kernel: kind (8 bits), generation (24) and slot (32).
///
/// A descriptor number is reused at once when it is closed, so events that were already on their way would
/// reach the wrong connection; the generation tells them apart.
public struct PollToken: Hashable, Sendable {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  @inlinable public init(kind: UInt8, _ slot: SlotKey = SlotKey(index: 0, generation: 0)) {
    rawValue = UInt64(kind) << 56 | UInt64(slot.generation & SlotKey.generationMask) << 32 | UInt64(slot.index)
  }

  /// Chosen by the application, to tell listeners from connections; `reservedKind` is the loop's own.
  @inlinable public var kind: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 56) }

  @inlinable public var slot: SlotKey {
    SlotKey(
      index: UInt32(truncatingIfNeeded: rawValue),
      generation: UInt32(truncatingIfNeeded: rawValue >> 32) & SlotKey.generationMask)
  }

  /// The kind the loop keeps for its own descriptors.
  public static let reservedKind: UInt8 = 255
  @usableFromInline static var mailbox: PollToken { PollToken(kind: 255) }
}
