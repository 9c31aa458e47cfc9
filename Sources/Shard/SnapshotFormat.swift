internal import Core

/// A snapshot is a run of items, each `u8 tag, u32 length, body`, so that it can be written and read a piece at a time:
///
/// ```
/// beginning  u16 version, u64 applied, i64 time, u64 messages, u64 sweep, u64 forgotten
/// topic      name, u64 newest, u32 count, the retained record if there is one
/// key        name, u64 offset, i64 time                     oldest first
/// consumer   name, filters, cursor, i64 created, i64 updated
/// session    client, u64 epoch, identity, nonce, number, u8 flags, u32 expiry, owner, i64 left, will, parts    not in every snapshot
/// wills      u64 newest, u64 sessions, u32 count, then u64 number and the record each                          with any session or will
/// plain      u64 known after, u32 count, then u64 first, u64 last each          not in every snapshot
/// group      name, filter, u64 cursor, u16 count, then u64 first, u64 last each; i64 created, i64 updated
/// end        u64 topics, u64 keys, u64 consumers
/// ```
enum SnapshotFormat {
  static let version: UInt16 = 1
  static let itemHeaderSize = 5
  /// The largest item is a topic with the largest record as its current value.
  static let maximumItemLength = RecordView.maximumLength + 4096

  enum Tag: UInt8 {
    case beginning = 1
    case topic = 2
    case key = 3
    case consumer = 4
    case end = 5
    case plain = 6
    case session = 7
    case wills = 8
    case group = 16
  }
}
