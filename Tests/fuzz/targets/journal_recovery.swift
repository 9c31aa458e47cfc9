// rooms: Journal
// with: Tests/Journal/SimulatedDisk.swift
// max_len: 4096
import Core
import Journal

// An input is a directory: files one after another, each u8 kind, u8 offset, u16 length and its bytes.

private let settings: JournalSettings = {
  var settings = JournalSettings()
  settings.firstReserveBytes = 1024
  settings.largestReserveBytes = 2048
  settings.segmentBytes = 1500
  settings.indexSpacingBytes = 256
  settings.indexSaveBytes = 700
  settings.scanBytes = 512
  return settings
}()

private func name(_ kind: UInt8, _ offset: UInt8) -> JournalFileName {
  switch kind % 5 {
  case 0: .segment(Offset(UInt64(offset)))
  case 1: .index(Offset(UInt64(offset)))
  case 2: .snapshot(Offset(UInt64(offset)))
  case 3: .mark
  default: .hardState
  }
}

private func file(_ name: JournalFileName, _ bytes: [UInt8]) -> [UInt8] {
  let (kind, offset): (UInt8, UInt64) =
    switch name {
    case .segment(let offset): (0, offset.value)
    case .index(let offset): (1, offset.value)
    case .snapshot(let offset): (2, offset.value)
    case .mark: (3, 0)
    case .hardState: (4, 0)
    }
  return [kind, UInt8(truncatingIfNeeded: offset), UInt8(bytes.count & 0xff), UInt8(bytes.count >> 8)] + bytes
}

private func directory(of disk: SimulatedDisk) -> [UInt8] {
  disk.files.sorted { $0.key.text < $1.key.text }.flatMap { file($0.key, $0.value.bytes) }
}

/// Appends `count` entries, carries everything out, and keeps how the directory looked on the way.
private func written(_ count: Int) -> [[UInt8]] {
  var disk = SimulatedDisk()
  guard let opening = try? JournalLog.open(disk: &disk, settings: settings) else { return [] }
  var log = opening.log
  var output = JournalOutput()
  var seen: [[UInt8]] = [directory(of: disk)]
  func carryOut() {
    while !output.batches.isEmpty {
      let batches = output.batches
      output.removeAll()
      for batch in batches {
        for operation in batch.operations { insist((try? disk.perform(operation)) != nil, "the disk refuses") }
        log.completed(batch.ticket, into: &output)
      }
    }
  }
  for number in 1...count {
    var entry = ByteBuffer(capacity: 200)
    RecordDraft().encode(topic: "t", payload: [UInt8](repeating: 7, count: 60), into: &entry)
    let stamp = RecordStamp(offset: Offset(UInt64(number)), previous: .zero, time: WallTime(milliseconds: 5), term: 1)
    entry.withUnsafeMutableBytes { stamp.stamp($0.baseAddress!) }
    _ = log.append(entry, into: &output)
    carryOut()
    log.tick(at: Instant.zero + .milliseconds(number * 1000), into: &output)
    carryOut()
    if number.isMultiple(of: 5) { seen.append(directory(of: disk)) }
  }
  return seen
}

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant { written(20) }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = copied(start, count)
  for isSealed in [false, true] {
    var disk = SimulatedDisk()
    var at = 0
    while input.count - at >= 4, disk.files.count < 12 {
      let length = min(Int(input[at + 2]) | Int(input[at + 3]) << 8, input.count - at - 4)
      var bytes = Array(input[at + 4..<at + 4 + length])
      let name = name(input[at], input[at + 1])
      if isSealed, case .segment = name { seal(&bytes, from: 0) }
      disk.files[name] = SimulatedDisk.File(bytes: bytes, durable: bytes)
      at += 4 + length
    }
    open(&disk)
  }
  return 0
}

private func open(_ disk: inout SimulatedDisk) {
  guard var opening = try? JournalLog.open(disk: &disk, settings: settings) else { return }
  var last = Offset.zero
  do {
    while let entries = try opening.replay.next(disk: &disk) {
      entries.withUnsafeBytes { memory in
        var at = 0
        while at < memory.count {
          guard case .valid(let length) = RecordView.check(UnsafeRawBufferPointer(rebasing: memory[at...])) else {
            return insist(false, "a harmed entry is replayed")
          }
          let entry = RecordView(trusting: memory.baseAddress! + at)
          insist(last == .zero || entry.offset == last.next, "entry \(entry.offset) after \(last)")
          last = entry.offset
          at += length
        }
      }
    }
  } catch {}
}
