/// What this process may use of the machine.
public enum Machine {
  /// Raises the limit on open descriptors as far as permitted and returns it.
  public static func raiseDescriptorLimit() throws(ReactorError) -> Int {
    try SystemCalls.raiseDescriptorLimit()
  }

  /// Processors this process may keep busy: those it is allowed to run on, or fewer when its control group
  /// has a quota. At least one.
  public static func usableProcessors() -> Int {
    var usable = max(1, SystemCalls.allowedProcessors())
    for quota in controlGroupQuotas() { usable = min(usable, quota) }
    return max(1, usable)
  }

  /// Bytes the allocator has handed out and not got back.
  public static func allocatedBytes() -> Int { Int(clamping: SystemCalls.allocatedBytes()) }

  /// The quotas of this process's control group and of all above it; each binds.
  private static func controlGroupQuotas() -> [Int] {
    let root = "/sys/fs/cgroup"
    var path = SystemCalls.text(ofFile: "/proc/self/cgroup").flatMap(unifiedGroup(in:)) ?? "/"
    var quotas: [Int] = []
    while true {
      let file = path == "/" ? "\(root)/cpu.max" : "\(root)\(path)/cpu.max"
      if let quota = SystemCalls.text(ofFile: file).flatMap(processors(ofQuota:)) { quotas.append(quota) }
      guard path != "/", let slash = path.lastIndex(of: "/") else { break }
      path = slash == path.startIndex ? "/" : String(path[..<slash])
    }
    // The older hierarchy keeps the two numbers in two files.
    if let quota = SystemCalls.text(ofFile: "\(root)/cpu/cpu.cfs_quota_us"),
      let period = SystemCalls.text(ofFile: "\(root)/cpu/cpu.cfs_period_us"),
      let processors = processors(ofQuota: "\(quota) \(period)")
    {
      quotas.append(processors)
    }
    return quotas
  }

  /// The path in the line `0::/path`, the one of the unified hierarchy.
  static func unifiedGroup(in text: String) -> String? {
    for line in text.split(separator: "\n") where line.hasPrefix("0::/") {
      return String(line.dropFirst(3))
    }
    return nil
  }

  /// Whole processors in `QUOTA PERIOD`, rounded up; nothing when there is no limit (`max`, or below zero).
  static func processors(ofQuota text: String) -> Int? {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count == 2, let quota = Int(words[0]), let period = Int(words[1]), quota > 0, period > 0
    else { return nil }
    return (quota + period - 1) / period
  }
}
