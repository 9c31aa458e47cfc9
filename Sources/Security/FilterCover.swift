/// Whether everything one filter matches is also matched by another, level by level, as MQTT's wildcards mean.
///
/// ```
///   allowed     wanted       covered
///   a/#         a, a/b, a/+/c, a/#     yes    # is the parent too
///   a/+         a/b, a/+               yes
///   a/+         a/#, a/b/c             no
///   #           $SYS/x                 no     wildcards at the first level leave the system's topics out
/// ```
///
/// A topic is a filter without wildcards, so this also decides whether a filter matches a topic.
public enum FilterCover {
  /// `allowed` and `wanted` must be valid filters (UTF-8, wildcards alone in their levels, `#` last).
  public static func covers(_ allowed: UnsafeRawBufferPointer, _ wanted: UnsafeRawBufferPointer) -> Bool {
    var allowedLevels = Levels(allowed)
    var wantedLevels = Levels(wanted)
    var isFirst = true
    while true {
      let wantedLevel = wantedLevels.next()
      guard let allowedLevel = allowedLevels.next() else { return wantedLevel == nil }
      guard let wantedLevel else { return allowedLevel.isHash && allowedLevels.next() == nil }
      let isSystem = isFirst && wantedLevel.first == UInt8(ascii: "$")
      if allowedLevel.isHash { return !isSystem }
      if allowedLevel.isPlus {
        guard !isSystem else { return false }
        // Every topic has a first level, so `+/#` is as wide as `#`; further down `#` is also the parent.
        if wantedLevel.isHash { return isFirst && allowedLevels.next()?.isHash == true }
      } else if !allowedLevel.elementsEqual(wantedLevel) {
        return false
      }
      isFirst = false
    }
  }

  public static func covers(_ allowed: String, _ wanted: String) -> Bool {
    var (allowed, wanted) = (allowed, wanted)
    return allowed.withUTF8 { allowed in
      wanted.withUTF8 { covers(UnsafeRawBufferPointer(allowed), UnsafeRawBufferPointer($0)) }
    }
  }
}

/// The levels of a topic or filter; `a//b` has an empty one in the middle.
private struct Levels {
  private let text: UnsafeRawBufferPointer
  private var at = 0
  private var isDone = false

  init(_ text: UnsafeRawBufferPointer) { self.text = text }

  mutating func next() -> UnsafeRawBufferPointer? {
    guard !isDone else { return nil }
    var end = at
    while end < text.count, text[end] != UInt8(ascii: "/") { end &+= 1 }
    let level = UnsafeRawBufferPointer(rebasing: text[at..<end])
    isDone = end == text.count
    at = end + 1
    return level
  }
}

extension UnsafeRawBufferPointer {
  fileprivate var isHash: Bool { count == 1 && self[0] == UInt8(ascii: "#") }
  fileprivate var isPlus: Bool { count == 1 && self[0] == UInt8(ascii: "+") }
}
