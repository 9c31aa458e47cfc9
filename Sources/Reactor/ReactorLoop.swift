public import Core

/// One event loop: descriptors, timers and mail, told to one application on one thread.
///
/// Generic over the application, so that telling it about an event is a direct call. Not `Sendable`: what other
/// threads hold is the `mailbox`.
public final class ReactorLoop<Application: ReactorApplication> {
  public let index: Int
  /// How other threads reach this loop.
  public let mailbox: Mailbox<Application.Mail>
  /// Monotonic time, read once per turn.
  public private(set) var now: Instant
  /// The calendar's time, read once per turn, put right where this machine's clock is known to be wrong.
  public private(set) var wallTime: WallTime
  /// How many milliseconds this machine's clock is behind what time it is.
  public private(set) var clockCorrection: Int64 = 0
  public internal(set) var counters = ReactorCounters()

  @usableFromInline let poller: Poller
  @usableFromInline var timers: TimerWheel
  @usableFromInline var mustNotSleep = false
  @usableFromInline var isStopping = false
  private var isRunning = false
  /// When this turn's work began; `now` may have been refreshed since.
  private var awakeSince: Instant

  public convenience init(index: Int, settings: ReactorSettings = ReactorSettings()) throws(ReactorError) {
    let mailbox = try Mailbox<Application.Mail>()
    let poller = try Poller()
    try poller.add(mailbox.bell, .mailbox, .readable)
    self.init(index: index, settings: settings, mailbox: mailbox, poller: poller)
  }

  private init(index: Int, settings: ReactorSettings, mailbox: Mailbox<Application.Mail>, poller: consuming Poller) {
    self.index = index
    self.mailbox = mailbox
    self.poller = poller
    now = SystemClock.monotonic()
    awakeSince = now
    wallTime = SystemClock.wall()
    timers = TimerWheel(now: now, capacity: settings.timerCapacity)
  }

  /// Runs until `stop`, or until the mailbox is asked to stop the loop.
  @inlinable
  public func run(_ application: Application) {
    begin()
    application.started(on: self)
    var mail: [Application.Mail] = []
    while !isStopping { turn(application, &mail) }
    mail = end()
    if !mail.isEmpty { application.received(&mail) }
    application.turnEnds()
    application.stopped()
  }

  /// Ends the loop after this turn. From the loop's own thread; others ask the mailbox.
  public func stop() { isStopping = true }

  /// Asks for another turn without sleeping before it: there is work left over, and others shall have their turn first.
  @inlinable public func wakeImmediately() { mustNotSleep = true }

  /// Reads the clocks again, inside a turn that has become long.
  public func refreshClock() {
    now = SystemClock.monotonic()
    wallTime = WallTime(milliseconds: SystemClock.wall().milliseconds &+ clockCorrection)
  }

  /// From here on `wallTime` is what this machine's clock says and so many milliseconds more.
  public func correctClock(by milliseconds: Int64) {
    clockCorrection = milliseconds
    refreshClock()
  }

  /// The calendar's time as this machine's clock has it, right or wrong.
  public var clockTime: WallTime { WallTime(milliseconds: wallTime.milliseconds &- clockCorrection) }

  // MARK: Descriptors

  /// Tells the application about this descriptor from now on, until it is closed or unwatched.
  public func watch(_ descriptor: FileDescriptor, _ token: PollToken, _ interest: Interest) throws(ReactorError) {
    precondition(token.kind != PollToken.reservedKind, "this kind of token is the loop's own")
    try poller.add(descriptor, token, interest)
  }

  /// Changes what a watched descriptor is watched for; where the new condition holds already it is told again.
  public func rewatch(_ descriptor: FileDescriptor, _ token: PollToken, _ interest: Interest) throws(ReactorError) {
    precondition(token.kind != PollToken.reservedKind, "this kind of token is the loop's own")
    try poller.change(descriptor, token, interest)
  }

  /// Tells nothing more about this descriptor. Not needed before closing it.
  public func unwatch(_ descriptor: FileDescriptor) { poller.remove(descriptor) }

  // MARK: Timers

  /// Sets a timer; one whose time has come already expires in the next turn.
  public func schedule(_ key: TimerKey, at deadline: Instant) -> TimerID { timers.schedule(key, at: deadline) }

  /// Takes a timer back; false when it has expired or was cancelled before.
  @discardableResult
  public func cancel(_ timer: TimerID) -> Bool { timers.cancel(timer) }

  /// Gives a timer another time; false when it has expired or was cancelled.
  @discardableResult
  public func reschedule(_ timer: TimerID, at deadline: Instant) -> Bool { timers.reschedule(timer, at: deadline) }

  // MARK: Turns

  @usableFromInline
  func begin() {
    precondition(!isRunning, "a loop runs once at a time")
    isRunning = true
    refreshClock()
    awakeSince = now
    timers.advance(to: now)
  }

  @usableFromInline
  func end() -> [Application.Mail] {
    isRunning = false
    let mail = mailbox.close()
    counters.mails += mail.count
    return mail
  }

  @inlinable
  func turn(_ application: Application, _ mail: inout [Application.Mail]) {
    let events = waitForEvents()
    let tokens = poller.tokens
    let readiness = poller.readiness
    for index in 0..<events {
      let token = PollToken(rawValue: tokens[index])
      // The bell has done its work when it ended the wait.
      if token.kind != PollToken.reservedKind { application.ready(token, Readiness(rawValue: readiness[index])) }
    }
    if takeMail(&mail) { application.received(&mail) }
    var expired = 0
    while let key = timers.popDue() {
      expired += 1
      application.expired(key)
    }
    application.turnEnds()
    finishTurn(events: events, timers: expired)
  }

  /// Sleeps until something is to be done, reads the clocks and makes timers due.
  @usableFromInline
  func waitForEvents() -> Int {
    let began = SystemClock.monotonic()
    counters.working.nanoseconds += (began - awakeSince).nanoseconds
    var timeout = timeoutMilliseconds(at: began)
    let sleeps = timeout != 0 && mailbox.beginSleep()
    if !sleeps { timeout = 0 }
    mustNotSleep = false
    let events = poller.wait(timeoutMilliseconds: timeout)
    refreshClock()
    awakeSince = now
    timers.advance(to: now)
    counters.waiting.nanoseconds += (now - began).nanoseconds
    timers.advance(to: now)
    return events
  }

  /// Rounded up, so that a wait never ends just before its timer.
  private func timeoutMilliseconds(at instant: Instant) -> Int32 {
    if mustNotSleep { return 0 }
    guard let deadline = timers.nextDeadline else { return -1 }
    let remaining = (deadline - instant).nanoseconds
    return remaining <= 0 ? 0 : Int32(clamping: (remaining + 999_999) / 1_000_000)
  }

  @usableFromInline
  func takeMail(_ mail: inout [Application.Mail]) -> Bool {
    guard mailbox.endSleep() else { return false }
    if mailbox.take(into: &mail) { isStopping = true }
    counters.mails += mail.count
    return !mail.isEmpty
  }

  @usableFromInline
  func finishTurn(events: Int, timers expired: Int) {
    counters.turns += 1
    counters.events += events
    counters.timers += expired
  }
}
