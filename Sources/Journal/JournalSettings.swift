public import Core

/// The numbers a journal works with.
public struct JournalSettings: Sendable {
  /// A segment is closed before it grows past this, unless one append alone is larger.
  public var segmentBytes = 64 << 20
  /// Space set aside when a segment begins; doubled with every growth, so that an idle shard holds little …
  public var firstReserveBytes = 1 << 20
  /// … up to this much at a time.
  public var largestReserveBytes = 16 << 20
  /// Entries between two points of the sparse index take about this many bytes.
  public var indexSpacingBytes = 64 << 10
  /// After this many new bytes the open segment's index is saved, which bounds what opening has to scan.
  public var indexSaveBytes = 8 << 20
  /// A journal without appends for this long writes down how far it is durable …
  public var idleMarkAfter = TimeSpan.milliseconds(100)
  /// … and a busy one this often.
  public var busyMarkEvery = TimeSpan.seconds(5)
  /// A full disk is asked again this often.
  public var spaceRetryEvery = TimeSpan.seconds(1)
  /// Opening and replaying read this much at a time.
  public var scanBytes = 1 << 20
  /// False when the disk is told not to sync: then nothing written down may later be taken for a witness.
  public var claimsDurability = true
  /// Whether a directory without a log may be that of one that was never here. False: its log is lost.
  public var mayBeNew = true
  package var faults: JournalFaults = []

  public init() {}
}

/// How much of the past is kept.
public struct Retention: Hashable, Sendable {
  public var ageMilliseconds: Int64
  public var bytes: Int

  public init(ageMilliseconds: Int64, bytes: Int) {
    self.ageMilliseconds = ageMilliseconds
    self.bytes = bytes
  }

  /// Segments are closed at this fraction of the age or the size, so that a small log expires too and no
  /// removal takes away much more than it should.
  static let parts = 8
  /// Segments are not closed for size below this.
  static let smallestSegmentBytes = 1 << 20
}
