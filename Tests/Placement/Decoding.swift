import Core

@testable import Placement

// What bytes are read as, nil if they are refused.

func metaCommand(_ bytes: [UInt8]) -> MetaCommand? {
  do throws(PlacementRefusal) { return try MetaCommand(decoding: bytes.span.bytes) } catch { return nil }
}

func metaState(_ bytes: [UInt8]) -> MetaState? {
  do throws(PlacementRefusal) { return try MetaState(decodingSnapshot: bytes.span.bytes) } catch { return nil }
}

func birthMessage(_ bytes: [UInt8]) -> BirthMessage? {
  do throws(PlacementRefusal) { return try BirthMessage(decoding: bytes.span.bytes) } catch { return nil }
}

func birthRecord(_ bytes: [UInt8]) -> BirthRecord? {
  do throws(PlacementRefusal) { return try BirthRecord(decoding: bytes.span.bytes) } catch { return nil }
}
