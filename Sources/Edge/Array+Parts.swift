extension Array {
  /// In the same order, none longer than `limit`.
  func parts(ofAtMost limit: Int) -> [[Element]] {
    stride(from: 0, to: count, by: limit).map { Array(self[$0..<Swift.min(count, $0 + limit)]) }
  }
}
