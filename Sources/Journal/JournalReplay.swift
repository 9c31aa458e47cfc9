public import Core

/// Reads the entries after the snapshot, a chunk at a time, every one checked.
public struct JournalReplay: Sendable {
  private let segments: [Segment]
  private let chunk: Int
  /// What opening found; told where the good entries end.
  private let damage: JournalDamage?
  private var offset: Offset
  private var number = 0
  private var place: ReadPosition?

  init(segments: [Segment], from offset: Offset, chunk: Int, damage: JournalDamage?) {
    self.segments = segments
    self.chunk = chunk
    self.damage = damage
    self.offset = offset
    number = (segments.lastIndex { $0.first <= offset }) ?? 0
  }

  /// Whole entries in order, or nil at the end.
  public mutating func next(disk: inout some Disk & ~Copyable) throws(ReplayError) -> Bytes? {
    while number < segments.count {
      let segment = segments[number]
      if offset > segment.last {
        number += 1
        place = nil
        continue
      }
      let plan = segment.replayPlan(from: offset, at: place, chunk: chunk)
      var buffer = ByteBuffer(capacity: plan.length)
      do throws(DiskError) {
        try disk.read(plan.file, at: plan.position, count: plan.length, into: &buffer)
      } catch {
        throw .disk(error)
      }
      do throws(JournalDamage) {
        let entries = try plan.parse(buffer.freeze())
        offset = entries.next.offset
        place = entries.next
        return entries.bytes
      } catch {
        throw .damage(error)
      }
    }
    if let damage { throw .damage(damage) }
    return nil
  }
}

public enum ReplayError: Error, Hashable, Sendable {
  case disk(DiskError)
  case damage(JournalDamage)
}

extension Segment {
  fileprivate func replayPlan(from offset: Offset, at place: ReadPosition?, chunk: Int) -> ReadPlan {
    let point = lastPoint { $0.offset <= offset } ?? 0
    let position = place?.position ?? points[point].position
    let firstEndsBy = end(ofPoint: point)
    let end = min(durableEnd, max(firstEndsBy, position + chunk))
    return ReadPlan(
      file: file, position: position, length: end - position, from: offset, begins: place?.offset ?? points[point].offset,
      endsWhole: end == durableEnd || end == firstEndsBy)
  }
}
