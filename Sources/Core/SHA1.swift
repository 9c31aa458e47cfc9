/// SHA-1 (FIPS 180-4) in one go, for the WebSocket handshake alone, where it proves only that the server understood
/// the protocol. SHA-1 is broken for every purpose that needs security: nothing else may use this.
public enum SHA1 {
  public static let digestLength = 20

  /// Appends the twenty bytes of the digest of `bytes`.
  public static func append(digestOf bytes: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    var state = State()
    withUnsafeTemporaryAllocation(byteCount: scheduleLength * 4, alignment: 4) { raw in
      let schedule = raw.bindMemory(to: UInt32.self)
      var at = 0
      while bytes.count - at >= blockLength {
        state.add(UnsafeRawBufferPointer(rebasing: bytes[at..<at + blockLength]), schedule)
        at += blockLength
      }
      withUnsafeTemporaryAllocation(byteCount: 2 * blockLength, alignment: 8) { last in
        let left = bytes.count - at
        let total = left < blockLength - 8 ? blockLength : 2 * blockLength
        last.initializeMemory(as: UInt8.self, repeating: 0)
        last.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[at...]))
        last[left] = 0x80
        last.storeBytes(of: (UInt64(bytes.count) * 8).bigEndian, toByteOffset: total - 8, as: UInt64.self)
        for block in stride(from: 0, to: total, by: blockLength) {
          state.add(UnsafeRawBufferPointer(rebasing: last[block..<block + blockLength]), schedule)
        }
      }
    }
    buffer.append(bigEndian: state.a)
    buffer.append(bigEndian: state.b)
    buffer.append(bigEndian: state.c)
    buffer.append(bigEndian: state.d)
    buffer.append(bigEndian: state.e)
  }

  private static let blockLength = 64
  private static let scheduleLength = 80

  private struct State {
    var a: UInt32 = 0x6745_2301
    var b: UInt32 = 0xefcd_ab89
    var c: UInt32 = 0x98ba_dcfe
    var d: UInt32 = 0x1032_5476
    var e: UInt32 = 0xc3d2_e1f0

    mutating func add(_ block: UnsafeRawBufferPointer, _ schedule: UnsafeMutableBufferPointer<UInt32>) {
      for index in 0..<16 {
        schedule[index] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
      }
      for index in 16..<scheduleLength {
        let mixed = schedule[index - 3] ^ schedule[index - 8] ^ schedule[index - 14] ^ schedule[index - 16]
        schedule[index] = rotate(mixed, 1)
      }
      var next = self
      for index in 0..<scheduleLength {
        let (choice, constant): (UInt32, UInt32) =
          switch index {
          case 0..<20: ((next.b & next.c) | (~next.b & next.d), 0x5a82_7999)
          case 20..<40: (next.b ^ next.c ^ next.d, 0x6ed9_eba1)
          case 40..<60: ((next.b & next.c) | (next.b & next.d) | (next.c & next.d), 0x8f1b_bcdc)
          default: (next.b ^ next.c ^ next.d, 0xca62_c1d6)
          }
        let sum = rotate(next.a, 5) &+ choice &+ next.e &+ constant &+ schedule[index]
        next = State(a: sum, b: next.a, c: rotate(next.b, 30), d: next.c, e: next.d)
      }
      a &+= next.a
      b &+= next.b
      c &+= next.c
      d &+= next.d
      e &+= next.e
    }

    private func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word << count | word >> (32 - count) }
  }
}
