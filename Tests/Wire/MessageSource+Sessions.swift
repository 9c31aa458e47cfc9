import Core
import Feeds
import Wire

extension MessageSource {
  mutating func claim() -> SessionClaim { SessionClaim(client: id(), epoch: random.next()) }
  mutating func owner() -> SessionOwner { SessionOwner(high: random.next(), low: random.next()) }

  mutating func sessionOperations() -> [SessionRequest.Operation] {
    let save = SessionSave(claim(), number: random.next(), subscriptions: blob(), progress: blob())
    let will = SessionWill(record: blob(), delay: 7)
    return [
      .change(.open(SessionOpening(client: id(), owner: owner(), nonce: random.next(), isClean: true, expiry: .max, will: nil))),
      .change(.open(SessionOpening(client: id(), owner: owner(), nonce: random.next(), isClean: false, expiry: 0, will: will))),
      .change(.save(save)), .change(.save(SessionSave(claim(), number: 1, subscriptions: nil, progress: nil))),
      .change(.close(SessionClosing(save, expiry: 9, will: .waits(seconds: 3)))), .change(.close(SessionClosing(save, expiry: 9, will: .due))),
      .change(.close(SessionClosing(save, expiry: 9, will: .dropped))), .change(.lose(owner())), .change(.settle(claim())),
      .change(.forgetWill(random.next())), .alive(owner()), .claim(owner(), []), .claim(owner(), [claim(), claim()]),
    ]
  }

  mutating func sessionReplies() -> [ShardReply] {
    let kept = SessionKept(subscriptions: blob(), progress: blob(), isExact: random.below(2) == 0)
    let answers: [Result<SessionReply.Answer, Refusal>] = [
      .success(.opened(SessionOpened(epoch: random.next(), identity: random.next(), kept: nil))),
      .success(.opened(SessionOpened(epoch: random.next(), identity: random.next(), kept: kept))), .success(.done),
      .success(.alive(term: random.next())), .success(.lost([])), .success(.lost([claim()])), .failure(.sessionLost),
    ]
    return answers.map { .session(SessionReply(shard: shard(), ticket: ticket(), result: $0)) } + [
      .sessionNotice(.takenOver(shard(), claim())), .sessionNotice(.willDue(shard(), number: random.next(), record: blob())),
    ]
  }
}
