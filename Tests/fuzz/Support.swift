import Core
import Glibc

// What every target shares: how it is called, how it gives its first inputs, how it complains.

/// Ends the run: the fuzzer keeps the input.
func insist(_ isSo: Bool, _ what: @autoclosure () -> String) {
  guard !isSo else { return }
  let words = Array("broken promise: \(what())\n".utf8)
  _ = words.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
  abort()
}

/// Writes what `inputs` gives into the folder that FUZZ_SEEDS names, where the fuzzer looks for its first inputs.
func plant(_ inputs: () -> [[UInt8]]) {
  guard let folder = getenv("FUZZ_SEEDS") else { return }
  for (number, input) in inputs().enumerated() {
    guard let file = fopen("\(String(cString: folder))/seed-\(number)", "w") else { continue }
    _ = input.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
    fclose(file)
  }
}

/// What `write` appends.
func written<E: Error>(_ write: (inout ByteBuffer) throws(E) -> Void) throws(E) -> [UInt8] {
  var buffer = ByteBuffer()
  try write(&buffer)
  return buffer.freeze().array
}

/// Gives entries that lie one after another from `start` on the checksums that their bytes have, so that an input gets
/// past what otherwise stops nearly all of them.
func seal(_ bytes: inout [UInt8], from start: Int) {
  let end = bytes.count
  bytes.withUnsafeMutableBytes { memory in
    var at = start
    while at >= 0, end - at >= RecordLayout.entryHeaderSize {
      let length = Int(UInt32(littleEndian: memory.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
      guard length >= RecordLayout.entryHeaderSize, length <= end - at else { return }
      let sum = CRC32C.of(UnsafeRawBufferPointer(rebasing: memory[at + RecordLayout.kind..<at + length]))
      memory.storeBytes(of: sum.littleEndian, toByteOffset: at + RecordLayout.checksum, as: UInt32.self)
      at += length
    }
  }
}

/// A copy of exactly the input, so that the sanitizer sees who reads past it.
func copied(_ start: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
  Array(UnsafeBufferPointer(start: start, count: count))
}
