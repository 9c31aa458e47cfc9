public import Core

/// The terms under which a client is let in.
public struct MQTTAcceptance: Sendable {
  /// Must be there if a client of 5.0 came with an empty one, and is told to no other.
  public var assignedClientIdentifier: Bytes?
  /// The session that is taken up again; nil for a new one, which a clean start always is.
  public var session: MQTTSessionState?
  /// Seconds the session is kept, in place of what follows from the client's wish and the settings.
  public var sessionExpiry: UInt32?
  /// What the client may build its response topics on; told to who asked for it.
  public var responseInformation: Bytes?
  public var userProperties: [MQTTUserProperty] = []

  public init() {}
}
