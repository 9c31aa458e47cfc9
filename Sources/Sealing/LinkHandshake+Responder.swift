import Core
import Gossip

extension LinkHandshake {
  mutating func receiveHello(_ input: RawSpan, into output: inout ByteBuffer) throws(LinkRefusal) -> LinkProgress {
    typealias Hello = LinkMessage.Hello
    guard LinkMessage.beginsAsOurs(input) else { throw .notOurs }
    // The versions first, and as soon as they are there: what follows may be otherwise in versions to come.
    guard input.byteCount >= Hello.keyAt else { return LinkProgress(taken: 0, established: nil) }
    guard let theirs = LinkMessage.versions(input, at: Hello.versionsAt) else { throw .malformed }
    guard theirs.overlaps(versions) else { throw .unsupportedVersion(ours: versions, theirs: theirs) }
    guard input.byteCount >= Hello.length else { return LinkProgress(taken: 0, established: nil) }
    let id = SealKeyID(
      UInt32(littleEndian: unsafe input.unsafeLoadUnaligned(fromByteOffset: Hello.keyAt, as: UInt32.self)))
    guard let key = secret.keys.first(where: { $0.id == id }) else { throw .unknownKey(id) }
    // Before any work with public keys: strangers cost one hash.
    let code = LinkSchedule.helloCode(input.extracting(0..<Hello.macAt), cluster: key.link)
    guard isSame(code.bytes, input.extracting(Hello.macAt..<Hello.length)) else { throw .badMAC }
    guard let shared = ephemeral!.shared(with: input.extracting(Hello.publicKeyAt..<Hello.macAt)) else {
      throw .malformed
    }
    let version = min(theirs.upperBound, versions.upperBound)
    transcript.append(input.extracting(0..<Hello.length))
    transcript.append(LinkMessage.magic)
    transcript.append(LinkMessage.Kind.answer.rawValue)
    transcript.append(version)
    ephemeral!.appendPublicKey(to: &transcript)
    ephemeral = nil
    let schedule = LinkSchedule(cluster: key.link, shared: shared, transcript: transcript.bytes)
    let answerCode = schedule.answerCode(transcript.bytes)
    transcript.append(answerCode.bytes)
    output.append(transcript.bytes.extracting(Hello.length..<transcript.count))
    stage = .awaitsConfirm(schedule, version: version)
    return LinkProgress(taken: Hello.length, established: nil)
  }

  mutating func receiveConfirm(
    _ input: RawSpan, _ schedule: LinkSchedule, _ version: UInt8
  ) throws(LinkRefusal) -> LinkProgress {
    let length = LinkMessage.macLength
    guard input.byteCount >= length else { return LinkProgress(taken: 0, established: nil) }
    let code = schedule.confirmCode(transcript.bytes)
    guard isSame(code.bytes, input.extracting(0..<length)) else { throw .badMAC }
    stage = .established
    return LinkProgress(taken: length, established: LinkEstablished(keys: schedule.responderKeys, version: version))
  }
}
