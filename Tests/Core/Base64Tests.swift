import Core
import Testing

@Suite struct Base64Tests {
  private func encoded(_ bytes: [UInt8]) -> String {
    var buffer = ByteBuffer()
    bytes.withUnsafeBytes { Base64.append(encoded: $0, into: &buffer) }
    return buffer.freeze().text
  }

  private func decoded(_ text: String, _ variant: Base64.Variant = .standard) -> [UInt8]? {
    var buffer = ByteBuffer()
    buffer.append("kept")
    let isGood = Array(text.utf8).withUnsafeBytes { Base64.append(decoded: $0, variant: variant, into: &buffer) }
    let all = buffer.freeze().array
    #expect(all.starts(with: Array("kept".utf8)))
    if !isGood { #expect(all.count == 4) }
    return isGood ? Array(all[4...]) : nil
  }

  @Test(
    "The examples of RFC 4648",
    arguments: [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
  func examples(plain: String, text: String) {
    #expect(encoded(Array(plain.utf8)) == text)
    #expect(decoded(text) == Array(plain.utf8))
    #expect(Base64.encodedLength(plain.utf8.count) == text.utf8.count)
  }

  @Test("Every byte survives a round trip at every length")
  func roundTrip() {
    let all = (0..<256).map { UInt8($0) } + (0..<256).map { UInt8(255 - $0) }
    for length in 0...all.count {
      let bytes = Array(all[..<length])
      let text = encoded(bytes)
      #expect(decoded(text) == bytes)
      let urlSafe = String(text.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
      #expect(decoded(urlSafe, .urlSafe) == bytes)
      #expect(decoded(String(urlSafe.prefix { $0 != "=" }), .urlSafe) == bytes)
    }
  }

  @Test(
    "What is not strict base64 is refused",
    arguments: ["Z", "Zg", "Zg=", "Zg===", "Zm9v=", "Zm9v====", "=", "==", "====", "Zm 9", "Zm9v\n", "Z=g=", "Zh==", "Zm9=", "Zm-_", "Zm9vé=="])
  func refused(text: String) {
    #expect(decoded(text) == nil)
  }

  @Test("The URL-safe variant refuses wrong padding and the other alphabet", arguments: ["Zg=", "Zg===", "Zm9v=", "+/+/", "Z", "Zh"])
  func refusedURLSafe(text: String) {
    #expect(decoded(text, .urlSafe) == nil)
  }
}
