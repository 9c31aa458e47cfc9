/// The key an edge gives a record whose publisher gave none, so that it can be sent again without becoming two.
///
/// A zero byte, which no publisher's key begins with, eight bytes drawn by the edge at its start, and a number.
public struct RetryKey: Sendable {
  public static let length = 17
  static let mark: UInt8 = 0

  private var bytes = [UInt8](repeating: 0, count: RetryKey.length)
  private var number: UInt64 = 0

  /// `edge` is drawn anew for every start of every reactor.
  public init(edge: UInt64) {
    withUnsafeBytes(of: edge.littleEndian) { drawn in bytes.replaceSubrange(1..<9, with: drawn) }
  }

  /// The next key, for the duration of the call.
  public mutating func withNext<T>(_ body: (UnsafeRawBufferPointer) -> T) -> T {
    number += 1
    withUnsafeBytes(of: number.littleEndian) { counted in bytes.replaceSubrange(9..<17, with: counted) }
    return bytes.withUnsafeBytes(body)
  }

  public static func isOne(_ key: UnsafeRawBufferPointer) -> Bool { key.count == length && key[0] == mark }
}
