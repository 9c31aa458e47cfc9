import CLinux
import Core
import Glibc

/// What the system says about processes and processors at one moment.
struct SystemSample {
  var time: UInt64 = 0
  /// Of the server, in seconds.
  var serverUser = 0.0
  var serverSystem = 0.0
  /// Of this process, in seconds.
  var generator = 0.0
  /// Of all processors together, in seconds: everything but idling and waiting.
  var busy = 0.0
  /// Of the server, in bytes.
  var residentBytes = 0

  var server: Double { serverUser + serverSystem }
}

/// Watches the server's process from outside.
struct ServerProbe {
  /// nil: nothing is known of the server.
  let process: Int32?

  func sample() -> SystemSample {
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    var sample = SystemSample()
    sample.time = Generator.now()
    if let process {
      // The name, in parentheses, may hold anything; what follows the last one is numbers.
      let text = SmallFile.text("/proc/\(process)/stat")
      let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
      // Fields are counted from the state, which is the third: user time is the 14th, system time the 15th.
      if fields.count > 12 {
        sample.serverUser = (Double(fields[11]) ?? 0) / ticks
        sample.serverSystem = (Double(fields[12]) ?? 0) / ticks
      }
      sample.residentBytes = ServerProbe.residentBytes(of: process)
    }
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    sample.generator = ServerProbe.seconds(usage.ru_utime) + ServerProbe.seconds(usage.ru_stime)
    if let line = SmallFile.text("/proc/stat").split(separator: "\n").first {
      // user, nice, system, idle, waiting, interrupts, soft interrupts
      let numbers = line.split(separator: " ").dropFirst().map { Double($0) ?? 0 }
      if numbers.count >= 7 { sample.busy = (numbers[0] + numbers[1] + numbers[2] + numbers[5] + numbers[6]) / ticks }
    }
    return sample
  }

  private static func residentBytes(of process: Int32) -> Int {
    for line in SmallFile.text("/proc/\(process)/status").split(separator: "\n") where line.hasPrefix("VmRSS:") {
      let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
      return (kibibytes ?? 0) << 10
    }
    return 0
  }

  private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
}

/// Files of the system that fit a page or two.
enum SmallFile {
  private static let longest = 64 << 10

  /// The file's text; empty when it cannot be read, as files of processes that ended cannot.
  static func text(_ path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: longest)
    var count = 0
    while count < longest {
      let more = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress.unsafelyUnwrapped + count, longest - count) }
      if more <= 0 { break }
      count += more
    }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
