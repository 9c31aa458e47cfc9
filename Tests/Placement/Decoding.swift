import Core

@testable import Placement

// What bytes are read as, nil if they are refused.

func birthMessage(_ bytes: [UInt8]) -> BirthMessage? {
  do throws(PlacementRefusal) { return try BirthMessage(decoding: bytes.span.bytes) } catch { return nil }
}

func birthRecord(_ bytes: [UInt8]) -> BirthRecord? {
  do throws(PlacementRefusal) { return try BirthRecord(decoding: bytes.span.bytes) } catch { return nil }
}
