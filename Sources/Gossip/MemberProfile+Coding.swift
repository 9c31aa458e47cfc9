public import Core

// A profile is u8 version, then fields, each u8 tag, u16 length and the value. Unknown tags are passed over, so that
// newer nodes can say more; a known tag with a wrong value makes the profile malformed.

extension MemberProfile {
  static let encodingVersion: UInt8 = 1

  private enum Tag: UInt8 {
    case role = 1
    case boot = 2
    case name = 3
    case version = 4
    case http = 5
    case mqtt = 6
    case rack = 7
    case cluster = 8
    case bootstrapExpect = 9
    case draining = 10
  }

  /// The profile as bytes; it must have no `problem`.
  public func encode(into buffer: inout ByteBuffer) {
    precondition(problem == nil, "a profile with a text that is too long")
    let start = buffer.count
    buffer.append(Self.encodingVersion)
    buffer.append(field: Tag.role.rawValue, number: role.rawValue)
    buffer.append(field: Tag.boot.rawValue, number: boot)
    buffer.append(field: Tag.name.rawValue, text: name)
    buffer.append(field: Tag.version.rawValue, text: version)
    buffer.append(field: Tag.http.rawValue, text: http)
    buffer.append(field: Tag.mqtt.rawValue, text: mqtt)
    buffer.append(field: Tag.rack.rawValue, text: rack)
    if let cluster { buffer.append(field: Tag.cluster.rawValue, number: cluster.value) }
    if bootstrapExpect != 0 { buffer.append(field: Tag.bootstrapExpect.rawValue, number: bootstrapExpect) }
    if isDraining { buffer.append(field: Tag.draining.rawValue, number: UInt8(1)) }
    assert(buffer.count - start <= GossipLimits.profile, "the limits of the texts allow more than a profile may have")
  }

  var encoded: Bytes {
    var buffer = ByteBuffer(capacity: 128)
    encode(into: &buffer)
    return buffer.freeze()
  }

  /// Reads what `encode` wrote, of this version or a later one that only says more.
  public init(decoding bytes: RawSpan) throws(GossipRefusal) {
    self.init(role: .all, boot: 0, name: "")
    guard bytes.byteCount <= GossipLimits.profile else { throw .malformedProfile }
    var reader = FieldReader<GossipRefusal>(bytes)
    guard try reader.u8() == Self.encodingVersion else { throw .malformedProfile }
    while !reader.isAtEnd {
      let number = try reader.u8()
      let value = bytes.extracting(try reader.skip(Int(try reader.u16())))
      guard let tag = Tag(rawValue: number) else { continue }
      try take(tag, value)
    }
  }

  private mutating func take(_ tag: Tag, _ value: RawSpan) throws(GossipRefusal) {
    switch tag {
    case .role:
      guard let found = Role(rawValue: try value.onlyByte()) else { throw .malformedProfile }
      role = found
    case .boot: boot = try value.onlyNumber()
    case .name: name = try value.text(atMost: Self.maximumName)
    case .version: version = try value.text(atMost: Self.maximumVersion)
    case .http: http = try value.text(atMost: Self.maximumAddress)
    case .mqtt: mqtt = try value.text(atMost: Self.maximumAddress)
    case .rack: rack = try value.text(atMost: Self.maximumRack)
    case .cluster: cluster = ClusterID(try value.onlyNumber())
    case .bootstrapExpect: bootstrapExpect = try value.onlyByte()
    case .draining: isDraining = try value.onlyByte() != 0
    }
  }
}

extension ByteBuffer {
  fileprivate mutating func append<T: FixedWidthInteger & BitwiseCopyable>(field tag: UInt8, number: T) {
    append(tag)
    append(littleEndian: UInt16(MemoryLayout<T>.size))
    append(littleEndian: number)
  }

  /// A text that is empty is not said at all.
  fileprivate mutating func append(field tag: UInt8, text: String) {
    guard !text.isEmpty else { return }
    append(tag)
    append(littleEndian: UInt16(text.utf8.count))
    append(text: text)
  }
}

extension RawSpan {
  fileprivate func onlyByte() throws(GossipRefusal) -> UInt8 {
    guard byteCount == 1 else { throw .malformedProfile }
    return byte(at: 0)
  }

  fileprivate func onlyNumber() throws(GossipRefusal) -> UInt64 {
    guard byteCount == 8 else { throw .malformedProfile }
    return UInt64(littleEndian: unsafe unsafeLoadUnaligned(as: UInt64.self))
  }

  fileprivate func text(atMost limit: Int) throws(GossipRefusal) -> String {
    guard byteCount <= limit else { throw .malformedProfile }
    guard let text = withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) else { throw .malformedProfile }
    return text
  }
}
