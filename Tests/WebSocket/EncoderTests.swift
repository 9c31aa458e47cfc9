import Core
import Testing
import WebSocket

@Suite struct EncoderTests {
  @Test("A mask applies the same at every alignment, length and cut")
  func masks() {
    let key: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]
    let plain = sample(90)
    for alignment in 0..<9 {
      for count in [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 40, 63, 64, 65, 80] {
        let expected = (0..<count).map { plain[alignment + $0] ^ key[$0 % 4] }
        for cut in 0...count {
          var bytes = plain
          var mask = testMask
          bytes.withUnsafeMutableBytes { all in
            mask.apply(to: UnsafeMutableRawBufferPointer(rebasing: all[alignment..<alignment + cut]))
            mask.apply(to: UnsafeMutableRawBufferPointer(rebasing: all[alignment + cut..<alignment + count]))
          }
          #expect(Array(bytes[alignment..<alignment + count]) == expected)
          #expect(bytes[..<alignment] == plain[..<alignment])
          #expect(bytes[(alignment + count)...] == plain[(alignment + count)...])
        }
      }
    }
  }

  @Test("Masked frames are read back with any mask", arguments: [0, 1, 0xff, 0xdead_beef, 0xffff_ffff, 0x8000_0000] as [UInt32])
  func anyMask(key: UInt32) {
    for count in [0, 3, 125, 126, 1000] {
      let bytes = frame(.binary, sample(count), mask: WebSocketMask(littleEndian: key))
      #expect(receive(bytes) == [.binary(sample(count))])
      #expect(receive(bytes.map { [$0] }) == [.binary(sample(count))])
    }
  }

  @Test("A header may be written ahead of its payload")
  func headerFirst() {
    for count in [0, 125, 126, 65535, 65536] {
      let header = written { WebSocketEncoder.append(header: .binary, payloadCount: count, into: &$0) }
      #expect(header.count == WebSocketEncoder.headerSize(payloadCount: count))
      #expect(receive(header + sample(count), .client) == [.binary(sample(count))])
    }
  }

  @Test("A payload may be written in place, whatever was guessed of its size")
  func inPlace() {
    for count in [0, 1, 125, 126, 300, 65535, 65536, 70000] {
      for hint in [0, 125, 126, 65535, 65536] {
        let bytes = written { buffer in
          buffer.append("before")
          WebSocketEncoder.append(.binary, sizeHint: hint, into: &buffer) { $0.append(sample(count)) }
        }
        #expect(bytes == Array("before".utf8) + serverFrame(.binary, sample(count)))
      }
    }
  }

  @Test("Flags stand where they belong")
  func flags() {
    #expect(serverFrame(.text, [], final: false) == [0x01, 0x00])
    #expect(serverFrame(.text, [], compressed: true) == [0xc1, 0x00])
    #expect(serverFrame(.continuation, [0x61]) == [0x80, 0x01, 0x61])
    #expect(serverFrame(.pong, [0x61]) == [0x8a, 0x01, 0x61])
  }
}
