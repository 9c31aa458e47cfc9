import Core

/// Which of the forms a resource has the client likes best, from its `Accept` lines.
public enum MediaPreference {
  /// The index of the best of `offers` (essences in lower case, the server's favourite first); nil when none will do.
  ///
  /// Without an `Accept` anything will do. A malformed element counts as not there.
  public static func best(of offers: [StaticString], for fields: HTTPFields, in input: RawSpan) -> Int? {
    guard fields.contains(.accept) else { return offers.isEmpty ? nil : 0 }
    var best: (index: Int, quality: Int)?
    var hasElement = false
    for (index, offer) in offers.enumerated() {
      let quality = quality(of: offer, for: fields, in: input, &hasElement)
      if quality > best?.quality ?? 0 { best = (index, quality) }
    }
    // An Accept that says nothing asks for nothing in particular.
    return hasElement ? best?.index : (offers.isEmpty ? nil : 0)
  }

  /// Whether the client names `type` itself, not by a wildcard, and does not refuse it.
  public static func names(_ type: StaticString, in fields: HTTPFields, _ input: RawSpan) -> Bool {
    for value in fields.all(.accept) {
      var list = HTTPList(value)
      while let element = list.next(in: input) {
        let essence = MediaType.essence(element, in: input)
        if input.equalsIgnoringCase(essence, type) {
          return QualityValue.read(element, from: parametersStart(element, in: input), in: input) ?? 0 > 0
        }
      }
    }
    return false
  }

  /// The weight that the most specific element matching `offer` gives it.
  private static func quality(of offer: StaticString, for fields: HTTPFields, in input: RawSpan, _ hasElement: inout Bool) -> Int {
    var chosen = (specificity: 0, quality: 0)
    for value in fields.all(.accept) {
      var list = HTTPList(value)
      while let element = list.next(in: input) {
        guard let quality = QualityValue.read(element, from: parametersStart(element, in: input), in: input) else { continue }
        hasElement = true
        let specificity = specificity(of: MediaType.essence(element, in: input), for: offer, in: input)
        if specificity > chosen.specificity { chosen = (specificity, quality) }
      }
    }
    return chosen.quality
  }

  /// 3 for the type itself, 2 for `type/*`, 1 for `*/*`, 0 for another type.
  private static func specificity(of essence: Range<Int>, for offer: StaticString, in input: RawSpan) -> Int {
    if input.equalsIgnoringCase(essence, offer) { return 3 }
    if input.equals(essence, "*/*") { return 1 }
    guard essence.count >= 3, input.starts(with: "/*", at: essence.upperBound - 2) else { return 0 }
    let length = essence.count - 1
    guard offer.utf8CodeUnitCount > length else { return 0 }
    for index in 0..<length where input.byte(at: essence.lowerBound + index).folded != offer.utf8Start[index] { return 0 }
    return 2
  }

  private static func parametersStart(_ element: Range<Int>, in input: RawSpan) -> Int {
    HTTPList.separator(UInt8(ascii: ";"), in: input, from: element.lowerBound, to: element.upperBound)
  }
}
