extension Array {
  /// The first place whose element is not below, in an array that is in order.
  @inlinable public func firstNotBelow(_ isBelow: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if isBelow(self[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
