import Core
import Glibc

/// Standard output and standard error: results on the one, problems on the other, colour only where a person looks.
enum Console {
  enum Style: String {
    case bold = "1"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case dim = "2"
  }

  /// Whether a person looks at standard output.
  static let isTerminal = isatty(1) == 1

  private static func wantsColour(_ descriptor: Int32) -> Bool {
    isatty(descriptor) == 1 && getenv("NO_COLOR") == nil && getenv("TERM").map { String(cString: $0) } != "dumb"
  }

  private static let colourOnOutput = wantsColour(1)

  /// `text` in `style` when a person looks at standard output, else as it is.
  static func styled(_ text: String, _ style: Style) -> String {
    colourOnOutput ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
  }

  /// Writes to standard output; false when nobody takes it any more (`tidings sub | head`).
  @discardableResult static func print(_ text: String) -> Bool { write(text, to: 1) }

  /// What went wrong, and what to do about it.
  static func show(problem: String, hint: String) {
    let name = wantsColour(2) ? "\u{1b}[31mtidings:\u{1b}[0m" : "tidings:"
    write("\(name) \(problem)\n", to: 2)
    if !hint.isEmpty { write("  hint: \(hint)\n", to: 2) }
  }

  /// What is not wrong, and may be regretted.
  static func show(warning: String, hint: String) {
    write("\(wantsColour(2) ? "\u{1b}[33mwarning:\u{1b}[0m" : "warning:") \(warning)\n", to: 2)
    if !hint.isEmpty { write("  hint: \(hint)\n", to: 2) }
  }

  /// A remark that is no result, for whoever watches.
  static func remark(_ text: String) { write(text + "\n", to: 2) }

  @discardableResult private static func write(_ text: String, to descriptor: Int32) -> Bool {
    var text = text
    return text.withUTF8 { write(UnsafeRawBufferPointer($0), to: descriptor) }
  }

  /// Writes all bytes; false when they cannot go there.
  @discardableResult static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32 = 1) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        guard errno == EAGAIN else { return false }
        var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&ready, 1, -1)
        continue
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return true
  }
}
