/// Decides whether bytes are one JSON value (RFC 8259, strictly), white space around it allowed.
public enum JSONValidator {
  /// What is wrong first, or nil when the bytes are a value. UTF-8 is checked too, nothing is allocated.
  public static func validate(_ bytes: RawSpan) -> JSONError? {
    do throws(JSONError) {
      let end = try JSONSkimmer.value(bytes, from: JSONSkimmer.space(bytes, from: 0))
      let rest = JSONSkimmer.space(bytes, from: end)
      return rest == bytes.byteCount ? nil : JSONError(.textAfterValue, in: bytes, at: rest)
    } catch {
      return error
    }
  }
}
