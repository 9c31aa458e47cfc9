public import Core

/// What two ends agreed on for permessage-deflate (RFC 7692 section 7).
///
/// Every agreement made here says `server_no_context_takeover` and `client_no_context_takeover`: a message is compressed
/// once for every connection, and one inflater serves them all. A client's window is never asked to be small, since
/// the shared inflater has the largest anyhow.
public struct DeflateAgreement: Equatable, Sendable {
  /// The window the server compresses with, 9 to 15.
  public var serverWindowBits: Int
  /// The client set the window, so that the answer must repeat it.
  public var repeatsServerWindow: Bool

  public init(serverWindowBits: Int = 15, repeatsServerWindow: Bool = false) {
    self.serverWindowBits = serverWindowBits
    self.repeatsServerWindow = repeatsServerWindow
  }

  /// The first of a client's offers in one `Sec-WebSocket-Extensions` value that can be met; nil when none can.
  public static func accept(offers: UnsafeRawBufferPointer) -> DeflateAgreement? {
    var scanner = FieldScanner(offers)
    while !scanner.isAtEnd {
      if let parameters = DeflateParameters(&scanner), let agreement = accept(parameters) { return agreement }
      scanner.skipElement()
    }
    return nil
  }

  private static func accept(_ offer: DeflateParameters) -> DeflateAgreement? {
    guard let bits = offer.serverWindowBits else { return DeflateAgreement() }
    guard Deflater.windowBitsAllowed.contains(bits) else { return nil }
    return DeflateAgreement(serverWindowBits: bits, repeatsServerWindow: true)
  }

  /// Appends the answer to the offer that was accepted.
  public func append(into buffer: inout ByteBuffer) {
    buffer.append("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    if repeatsServerWindow {
      buffer.append("; server_max_window_bits=")
      buffer.append(decimal: serverWindowBits)
    }
  }

  /// What a client of ours offers.
  public static var offer: StaticString { "permessage-deflate; server_no_context_takeover; client_no_context_takeover" }

  /// What a server answered to `offer`; nil when it answers something that was not offered, which must end the handshake.
  public static func check(answer: UnsafeRawBufferPointer) -> DeflateAgreement? {
    var scanner = FieldScanner(answer)
    guard let answered = DeflateParameters(&scanner), scanner.isAtEnd, answered.serverNoTakeover else { return nil }
    guard !answered.hasClientWindow else { return nil }
    return DeflateAgreement(
      serverWindowBits: answered.serverWindowBits ?? 15, repeatsServerWindow: answered.serverWindowBits != nil)
  }
}

/// One `permessage-deflate` element of a list of extensions, as it was written.
struct DeflateParameters {
  var serverNoTakeover = false
  var clientNoTakeover = false
  var serverWindowBits: Int?
  var hasClientWindow = false

  /// Reads one element and stops before the comma behind it. Nil when it is another extension, or has a parameter that
  /// is unknown, repeated or ill-formed.
  init?(_ scanner: inout FieldScanner) {
    scanner.skipSpace()
    guard spellsIgnoringCase(scanner.token(), "permessage-deflate") else { return nil }
    while scanner.take(UInt8(ascii: ";")) {
      let name = scanner.token()
      var value: UnsafeRawBufferPointer?
      if scanner.take(UInt8(ascii: "=")) {
        guard let written = scanner.tokenOrQuoted() else { return nil }
        value = written
      }
      guard add(name, value) else { return nil }
    }
    scanner.skipSpace()
    guard scanner.isAtEnd || scanner.isAtComma else { return nil }
  }

  private mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) -> Bool {
    if spells(name, "server_no_context_takeover") {
      guard value == nil, !serverNoTakeover else { return false }
      serverNoTakeover = true
    } else if spells(name, "client_no_context_takeover") {
      guard value == nil, !clientNoTakeover else { return false }
      clientNoTakeover = true
    } else if spells(name, "server_max_window_bits") {
      guard let value, let bits = DeflateParameters.windowBits(value), serverWindowBits == nil else { return false }
      serverWindowBits = bits
    } else if spells(name, "client_max_window_bits") {
      guard !hasClientWindow else { return false }
      if let value { guard DeflateParameters.windowBits(value) != nil else { return false } }
      hasClientWindow = true
    } else {
      return false
    }
    return true
  }

  /// 8 to 15 in decimal, without a leading zero.
  private static func windowBits(_ value: UnsafeRawBufferPointer) -> Int? {
    if value.count == 1, value[0] == UInt8(ascii: "8") || value[0] == UInt8(ascii: "9") { return Int(value[0]) - 48 }
    guard value.count == 2, value[0] == UInt8(ascii: "1") else { return nil }
    guard value[1] >= UInt8(ascii: "0"), value[1] <= UInt8(ascii: "5") else { return nil }
    return 10 + Int(value[1]) - 48
  }
}
