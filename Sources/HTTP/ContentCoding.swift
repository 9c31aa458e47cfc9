import Core

/// Which compression the client understands, from its `Accept-Encoding` lines.
public enum ContentCoding {
  /// Whether an answer may be compressed with gzip. Without the field it is not: tools that forget to ask often cannot read it.
  public static func acceptsGzip(_ fields: HTTPFields, in input: RawSpan) -> Bool {
    var wildcard = false
    for value in fields.all(.acceptEncoding) {
      var list = HTTPList(value)
      while let element = list.next(in: input) {
        let parameters = HTTPList.separator(UInt8(ascii: ";"), in: input, from: element.lowerBound, to: element.upperBound)
        let coding = input.trimmed(element.lowerBound..<parameters)
        let isWanted = QualityValue.read(element, from: parameters, in: input) ?? 0 > 0
        if input.equalsIgnoringCase(coding, "gzip") || input.equalsIgnoringCase(coding, "x-gzip") { return isWanted }
        if input.equals(coding, "*") { wildcard = isWanted }
      }
    }
    return wildcard
  }
}
