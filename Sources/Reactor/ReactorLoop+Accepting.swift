extension ReactorLoop {
  /// Starts accepting: watches the listener by levels.
  public func startAccepting<Source: AcceptSource>(
    _ acceptor: borrowing Acceptor<Source>, _ token: PollToken
  ) throws(ReactorError) {
    try watch(acceptor.source.descriptor, token, .listener)
  }

  /// Takes the connections that wait at a listener that is ready. When the machine has run dry the listener is
  /// no longer watched, and `resumeKey` expires when it is time to call `resumeAccepting`.
  public func accept<Source: AcceptSource>(
    _ acceptor: inout Acceptor<Source>, resumeKey: TimerKey,
    _ handle: (FileDescriptor, SocketAddress) -> Void
  ) -> Acceptor<Source>.Outcome {
    // An event that was under way when the pause began.
    guard acceptor.pausedUntil == nil else { return .drained }
    let accepted = acceptor.accepted
    let refused = acceptor.refused
    let outcome = acceptor.accept(now: now, handle)
    counters.accepted += acceptor.accepted - accepted
    counters.refused += acceptor.refused - refused
    if let resumption = acceptor.pausedUntil {
      counters.acceptPauses += 1
      unwatch(acceptor.source.descriptor)
      _ = schedule(resumeKey, at: resumption)
    }
    return outcome
  }

  /// Watches a paused listener again.
  public func resumeAccepting<Source: AcceptSource>(
    _ acceptor: inout Acceptor<Source>, _ token: PollToken
  ) throws(ReactorError) {
    guard acceptor.pausedUntil != nil else { return }
    acceptor.resume()
    try watch(acceptor.source.descriptor, token, .listener)
  }
}
