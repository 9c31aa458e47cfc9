import Glibc

/// A POSIX thread that runs one closure. Signals meant for the process do not interrupt it.
public struct PlainThread: Sendable {
  private let handle: pthread_t

  public static func start(named name: String, _ body: @escaping @Sendable () -> Void) throws(ReactorError) -> PlainThread {
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var handle = pthread_t()
    let failure = pthread_create(&handle, nil, { argument in
      guard let argument else { return nil }
      Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run()
      return nil
    }, start.toOpaque())
    guard failure == 0 else {
      start.release()
      throw .call("pthread_create", failure)
    }
    return PlainThread(handle: handle)
  }

  /// Waits until the closure has returned. Once per thread.
  public func join() {
    let failure = pthread_join(handle, nil)
    precondition(failure == 0, "pthread_join failed: \(ReactorError.text(of: failure))")
  }

  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }

    func run() {
      SystemCalls.nameThread(name)
      SignalSource.blockInThisThread()
      body()
    }
  }
}
