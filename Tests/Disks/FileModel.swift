import Core
import Journal

/// What a journal's file may hold after a cut: everything that was answered, and of the rest any part that the order of the
/// operations allows.
struct FileModel {
  enum Edit {
    case write(Int, [UInt8])
    /// What the file holds afterwards; nil when it is gone.
    case remake(@Sendable ([UInt8]?) -> [UInt8]?)
  }

  private(set) var settled: [UInt8]?
  /// `promise` is the batch whose answer says that it is durable: the first with a sync from there on.
  private var open: [(edit: Edit, promise: JournalTicket?)] = []

  init(_ settled: [UInt8]?) { self.settled = settled }

  mutating func add(_ operation: DiskOperation, _ ticket: JournalTicket) {
    let edit: Edit
    switch operation {
    case .write(_, let position, let bytes): edit = .write(position, bytes.array)
    case .sync: return promise(ticket)
    // Space that is set aside reads as zeroes, and so does what is not there.
    case .reserve: return
    case .create(_, let reserve): edit = .remake { _ in [UInt8](repeating: 0, count: reserve) }
    case .truncate(_, let length): edit = .remake { $0.map { Array($0.prefix(length)) } }
    case .delete: edit = .remake { _ in nil }
    case .replace(_, let header, let body):
      let all = header.array + body.array
      edit = .remake { _ in all }
    }
    open.append((edit, nil))
    if case .remake = edit { promise(ticket) }
  }

  private mutating func promise(_ ticket: JournalTicket) {
    for number in open.indices where open[number].promise == nil { open[number].promise = ticket }
  }

  mutating func settle(upTo ticket: JournalTicket) {
    while let promise = open.first?.promise, promise <= ticket { settled = Self.apply(open.removeFirst().edit, to: settled) }
  }

  func allows(_ found: [UInt8]?) -> Bool {
    var base = settled
    var number = 0
    while true {
      var optional: [(Int, [UInt8])] = []
      while number < open.count, case .write(let position, let bytes) = open[number].edit {
        optional.append((position, bytes))
        number += 1
      }
      if Self.isMade(found, of: base, optional) { return true }
      guard number < open.count else { return false }
      // A file is remade only when everything before is durable.
      for (position, bytes) in optional { base = Self.apply(.write(position, bytes), to: base) }
      base = Self.apply(open[number].edit, to: base)
      number += 1
    }
  }

  /// What is expected, for whoever reads of a failure.
  func describe(_ found: [UInt8]?) -> String {
    let settledCount = settled?.count ?? -1
    let first = zip(found ?? [], settled ?? []).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    return "found \(found?.count ?? -1) bytes, settled \(settledCount), differing from byte \(first ?? -1); unanswered: "
      + open.map { entry in
        if case .write(let position, let bytes) = entry.edit { "\(position)+\(bytes.count)" } else { "remake" }
      }.joined(separator: " ")
  }

  private static func isMade(_ found: [UInt8]?, of base: [UInt8]?, _ optional: [(Int, [UInt8])]) -> Bool {
    guard let found, let base else { return found == nil && base == nil }
    if found == base { return true }
    // What was set aside and never written may be gone; it reads as zeroes.
    for place in 0..<max(found.count, base.count) {
      let byte = place < found.count ? found[place] : 0
      if byte == (place < base.count ? base[place] : 0) { continue }
      guard optional.contains(where: { $0 <= place && place < $0 + $1.count && $1[place - $0] == byte }) else { return false }
    }
    return true
  }

  private static func apply(_ edit: Edit, to bytes: [UInt8]?) -> [UInt8]? {
    switch edit {
    case .remake(let make): return make(bytes)
    case .write(let position, let new):
      guard var bytes else { return nil }
      let end = position + new.count
      if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
      bytes.replaceSubrange(position..<end, with: new)
      return bytes
    }
  }
}
