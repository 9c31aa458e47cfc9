import Core

/// Values of options as text; `name` is how the person wrote the option, and every error says it.
enum OptionValue {
  static func number(_ text: String, in range: ClosedRange<Int>, of name: String) throws(UsageError) -> Int {
    guard let value = Int(text), range.contains(value) else {
      throw UsageError(
        "\(name) cannot be '\(text)'", hint: "it is a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  static func duration(_ text: String, in range: ClosedRange<TimeSpan>, of name: String) throws(UsageError) -> TimeSpan {
    let value: TimeSpan
    do throws(UnreadableText) {
      value = try TimeSpan(reading: text)
    } catch {
      throw UsageError("\(name): \(error)")
    }
    guard range.contains(value) else {
      let isBounded = range.upperBound.nanoseconds < Int64.max
      let bounds =
        isBounded ? "from \(range.lowerBound.text) to \(range.upperBound.text)" : "of at least \(range.lowerBound.text)"
      throw UsageError("\(name) cannot be '\(text)'", hint: "it is a time \(bounds)")
    }
    return value
  }

  static func size(_ text: String, in range: ClosedRange<Int>, of name: String) throws(UsageError) -> Int {
    let value: Int
    do throws(UnreadableText) {
      value = try ByteSize.read(text)
    } catch {
      throw UsageError("\(name): \(error)")
    }
    guard range.contains(value) else {
      let isBounded = range.upperBound < Int.max
      let least = ByteSize.text(range.lowerBound)
      let bounds = isBounded ? "from \(least) to \(ByteSize.text(range.upperBound))" : "of at least \(least)"
      throw UsageError("\(name) cannot be '\(text)'", hint: "it is a size \(bounds)")
    }
    return value
  }

  static func choice(_ text: String, of words: [String], for name: String) throws(UsageError) -> String {
    if words.contains(text) { return text }
    let all = words.map { "'\($0)'" }.joined(separator: ", ")
    let near = NearestName.of(text, among: words).map { "did you mean '\($0)'? " } ?? ""
    throw UsageError("\(name) cannot be '\(text)'", hint: "\(near)it is one of \(all)")
  }

  static func flag(_ text: String, of name: String) throws(UsageError) -> Bool {
    guard let state = Switch.read(text) else { throw UsageError("\(name) cannot be '\(text)'", hint: "it is 'on' or 'off'") }
    return state
  }

  static func endpoint(_ text: String, of name: String) throws(UsageError) -> Endpoint {
    do throws(UnreadableText) {
      return try Endpoint(reading: text)
    } catch {
      throw UsageError("\(name): \(error)")
    }
  }
}
