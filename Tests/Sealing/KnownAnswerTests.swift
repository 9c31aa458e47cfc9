import Core
import Testing

@testable import Sealing

@Suite("Known answers")
struct KnownAnswerTests {
  @Test(
    "Keys are derived as RFC 5869 shows",
    arguments: [
      (
        String(repeating: "0b", count: 22), "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
      ),
      (
        counting(0x00..<0x50), counting(0x60..<0xb0), counting(0xb0..<0x100),
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
      ),
      (
        String(repeating: "0b", count: 22), "", "", "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
      ),
    ])
  func derivation(input: String, salt: String, info: String, extracted: String, expanded: String) {
    let key = HKDF.extract(salt: hex(salt).span.bytes, input: hex(input).span.bytes)
    #expect(array(key.bytes) == hex(extracted))
    var made = ByteBuffer()
    HKDF.expand(key, info: hex(info).span.bytes, count: hex(expanded).count, into: &made)
    #expect(array(made.bytes) == hex(expanded))
  }

  private static func counting(_ range: Range<Int>) -> String {
    range.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Test cases 13, 14 and 16 of McGrew and Viega, The Galois/Counter Mode of Operation.
  @Test(
    "Text is sealed as the authors of the mode show",
    arguments: [
      (String(repeating: "0", count: 64), String(repeating: "0", count: 24), "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
      (
        String(repeating: "0", count: 64), String(repeating: "0", count: 24), "", String(repeating: "0", count: 32),
        "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"
      ),
      (
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b"
      ),
    ])
  func encryption(key: String, nonce: String, header: String, plain: String, sealed: String, tag: String) {
    let cipher = AESGCM(key: SealKey(hex(key).span.bytes))
    let raw = hex(nonce)
    let nonce = raw.withUnsafeBytes {
      AESGCM.Nonce(
        UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
        UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
    }
    let (header, plain, expected) = (hex(header), hex(plain), hex(sealed) + hex(tag))
    // Twice, so that the context is used again after sealing and after opening.
    for _ in 0..<2 {
      var made = [UInt8](repeating: 0, count: expected.count)
      made.withUnsafeMutableBytes { target in
        plain.withUnsafeBytes { plain in
          header.withUnsafeBytes { cipher.seal(plain, header: $0, nonce: nonce, to: target.baseAddress!) }
        }
      }
      #expect(made == expected)
      // In place.
      let isGenuine = made.withUnsafeMutableBytes { bytes in
        header.withUnsafeBytes {
          cipher.open(UnsafeRawBufferPointer(bytes), header: $0, nonce: nonce, to: bytes.baseAddress!)
        }
      }
      #expect(isGenuine)
      #expect(Array(made[..<plain.count]) == plain)
    }
  }

  @Test("Two sides agree as RFC 7748 shows")
  func agreement() {
    let alice = EphemeralKey(hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a").span.bytes)
    let bob = EphemeralKey(hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb").span.bytes)
    let alicePublic = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    let bobPublic = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    var made = ByteBuffer()
    alice.appendPublicKey(to: &made)
    bob.appendPublicKey(to: &made)
    #expect(array(made.bytes) == alicePublic + bobPublic)
    let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    #expect(alice.shared(with: bobPublic.span.bytes).map { array($0.bytes) } == shared)
    #expect(bob.shared(with: alicePublic.span.bytes).map { array($0.bytes) } == shared)
  }

  @Test("A public key that makes the agreed secret known to everyone is refused")
  func lowOrder() {
    let key = EphemeralKey([UInt8](repeating: 9, count: 32).span.bytes)
    for weak in [
      String(repeating: "0", count: 64), "01" + String(repeating: "0", count: 62),
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ] {
      #expect(key.shared(with: hex(weak).span.bytes) == nil, "\(weak)")
    }
  }
}
