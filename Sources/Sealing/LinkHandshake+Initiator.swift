import Core
import Gossip

extension LinkHandshake {
  mutating func sayHello(into output: inout ByteBuffer) {
    let key = secret.sending
    transcript.append(LinkMessage.magic)
    transcript.append(versions.lowerBound)
    transcript.append(versions.upperBound)
    transcript.append(littleEndian: key.id.value)
    ephemeral!.appendPublicKey(to: &transcript)
    let code = LinkSchedule.helloCode(transcript.bytes, cluster: key.link)
    transcript.append(code.bytes)
    output.append(transcript.bytes)
  }

  mutating func receiveAnswer(_ input: RawSpan, into output: inout ByteBuffer) throws(LinkRefusal) -> LinkProgress {
    typealias Answer = LinkMessage.Answer
    guard LinkMessage.beginsAsOurs(input) else { throw .notOurs }
    guard input.byteCount > Answer.kindAt else { return LinkProgress(taken: 0, established: nil) }
    switch LinkMessage.Kind(rawValue: input.byte(at: Answer.kindAt)) {
    case nil: throw .malformed
    case .refusal:
      guard input.byteCount >= LinkMessage.Refusal.length else { return LinkProgress(taken: 0, established: nil) }
      throw LinkMessage.refusal(input, ours: versions, key: secret.sending.id)
    case .answer:
      guard input.byteCount >= Answer.length else { return LinkProgress(taken: 0, established: nil) }
    }
    // Looked at only after the proof: it is the other side that chose badly, not somebody between.
    let version = input.byte(at: Answer.versionAt)
    transcript.append(input.extracting(0..<Answer.macAt))
    let theirs = input.extracting(Answer.publicKeyAt..<Answer.macAt)
    guard let shared = ephemeral!.shared(with: theirs) else { throw .malformed }
    ephemeral = nil
    let schedule = LinkSchedule(cluster: secret.sending.link, shared: shared, transcript: transcript.bytes)
    let code = schedule.answerCode(transcript.bytes)
    guard isSame(code.bytes, input.extracting(Answer.macAt..<Answer.length)) else { throw .badMAC }
    guard versions.contains(version) else { throw .malformed }
    transcript.append(code.bytes)
    output.append(schedule.confirmCode(transcript.bytes).bytes)
    stage = .established
    return LinkProgress(
      taken: Answer.length, established: LinkEstablished(keys: schedule.initiatorKeys, version: version))
  }
}
