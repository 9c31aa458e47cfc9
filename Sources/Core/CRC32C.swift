internal import CChecksum

/// The checksum of journal records and of everything else that must notice a flipped bit.
public enum CRC32C {
  public static func of(_ bytes: UnsafeRawBufferPointer, continuing seed: UInt32 = 0) -> UInt32 {
    tidings_crc32c(seed, bytes.baseAddress, bytes.count)
  }

  public static func of(_ bytes: RawSpan, continuing seed: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { of($0, continuing: seed) }
  }
}
