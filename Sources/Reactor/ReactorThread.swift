import Glibc

/// A thread of its own for one loop and its application.
public final class ReactorThread<Application: ReactorApplication> {
  /// How the loop is reached from other threads.
  public let mailbox: Mailbox<Application.Mail>
  private let thread: PlainThread
  private var isJoined = false

  private init(mailbox: Mailbox<Application.Mail>, thread: PlainThread) {
    self.mailbox = mailbox
    self.thread = thread
  }

  /// Starts a thread, makes the application on it and runs the loop until it is stopped.
  public static func start(
    index: Int, settings: ReactorSettings = ReactorSettings(),
    making makeApplication: @escaping @Sendable (ReactorLoop<Application>) -> Application
  ) throws(ReactorError) -> ReactorThread {
    let loop = Handover(try ReactorLoop<Application>(index: index, settings: settings))
    let mailbox = loop.value.mailbox
    let thread = try PlainThread.start(named: "\(settings.threadName)-\(index)") {
      let loop = loop.value
      loop.run(makeApplication(loop))
    }
    return ReactorThread(mailbox: mailbox, thread: thread)
  }

  /// Waits until the loop has stopped.
  public func join() {
    precondition(!isJoined, "a thread is joined once")
    isJoined = true
    thread.join()
  }
}

// Sendable because it is made by one thread, which keeps no reference to what is in it, and opened by one other.
private struct Handover<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
