/// Which hosts mean this machine itself.
enum LoopbackName {
  /// `localhost`, 127.0.0.0/8 in four parts, `::1`, and IPv4 loopback mapped into IPv6. Any other spelling is
  /// taken for an outside one: to be wrong that way is to be asked once more, the other way is to be open.
  static func contains(_ host: some StringProtocol) -> Bool {
    var host = host.lowercased()
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    if host == "localhost" || host == "::1" || host == "0:0:0:0:0:0:0:1" { return true }
    if host.hasPrefix("::ffff:") { host = String(host.dropFirst("::ffff:".count)) }
    return isLoopbackIPv4(host)
  }

  private static func isLoopbackIPv4(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "127" else { return false }
    return parts.allSatisfy { part in
      (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } && Int(part).map { $0 <= 255 } == true
    }
  }
}
