internal import Broker
internal import Core
internal import Disks
internal import Gossip
internal import Links
internal import Placement
internal import Wire

/// How brokers without data come to be a cluster.
extension ClusterDesk {
  func careForBirth() {
    guard birth != nil else { return }
    var output = BirthOutput()
    birth?.see(candidates, at: now, into: &output)
    carryOut(output)
    guard !plan.isBorn, let status = birth?.status else { return }
    if case .waitsForAdmission(let cluster) = status, let running, running.cluster == cluster { return plan.board.found(running) }
    let sentence = "The node waits for its cluster: \(status)."
    if plan.board.birthStatus != sentence {
      plan.board.waits(for: sentence)
      plan.log.info("waiting", sentence)
    }
  }

  func received(_ message: BirthMessage, from node: NodeID) {
    guard birth != nil else { return }
    var output = BirthOutput()
    birth?.receive(message, from: node, at: now, into: &output)
    carryOut(output)
  }

  private var candidates: [BirthCandidate] {
    members.filter { $0.profile.role.ownsShards && $0.standing.isLive }.map {
      BirthCandidate(id: $0.id, expect: Int($0.profile.bootstrapExpect), cluster: $0.profile.cluster)
    }
  }

  private func carryOut(_ output: BirthOutput) {
    if let record = output.record {
      do throws(DataDirectoryError) {
        try plan.store?.directory.write(.birth, BirthNote.text(of: record))
      } catch {
        return plan.board.failed("what was agreed on of the cluster's birth cannot be written down: \(error)")
      }
    }
    for (node, message) in output.messages { send(.birth(message), to: node) }
    if let born = output.born {
      plan.board.found(ClusterFinding(cluster: born.cluster, shards: born.terms.shards, replicas: born.terms.replicas))
    }
  }
}

/// A birth record as the text that the data directory keeps.
enum BirthNote {
  static func text(of record: BirthRecord) -> String {
    var buffer = ByteBuffer()
    record.encode(into: &buffer)
    buffer.append(littleEndian: buffer.withUnsafeBytes { CRC32C.of($0) })
    return buffer.withUnsafeBytes { $0.map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined() } + "\n"
  }

  /// nil when it cannot be read.
  static func record(in text: String) -> BirthRecord? {
    let digits = Array(text.utf8.dropLast())
    guard text.hasSuffix("\n"), digits.count.isMultiple(of: 2), digits.count >= 12 else { return nil }
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[place...place + 1], as: UTF8.self), radix: 16) else { return nil }
      bytes.append(byte)
    }
    let body = Bytes(Array(bytes.dropLast(4)))
    let sum = bytes.suffix(4).enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << UInt32(8 * $1.offset) }
    guard body.withUnsafeBytes({ CRC32C.of($0) }) == sum else { return nil }
    do throws(PlacementRefusal) { return try BirthRecord(decoding: body.bytes) } catch { return nil }
  }
}
