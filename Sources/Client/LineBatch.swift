internal import Core
internal import HTTP
internal import JSON

/// Lines of input on their way to being one request: an event each, newline-delimited.
struct LineBatch: ~Copyable {
  /// The most a request carries: half of what a node takes by default, which a single long line may exceed.
  static let maximumBytes = 512 << 10
  static let maximumLines = 1000

  private let options: PublishOptions
  /// With a prefix, every line gets a key of its own, so that a batch whose fate is unknown can be sent again.
  private let keyPrefix: String?
  private(set) var body = ByteBuffer()
  /// The number of each line in the batch, in order.
  private(set) var numbers: [Int] = []

  init(_ options: PublishOptions, keyPrefix: String?) {
    self.options = options
    self.keyPrefix = keyPrefix
  }

  enum Addition: Equatable {
    case added
    /// Send what is here first.
    case full
    /// The line is not what it is said to be.
    case unfit(String)
  }

  mutating func add(_ line: UnsafeRawBufferPointer, number: Int) -> Addition {
    guard numbers.count < LineBatch.maximumLines else { return .full }
    if let complaint = options.complaint(about: line.bytes) { return .unfit(complaint) }
    let before = body.count
    encode(line, number)
    if body.count > LineBatch.maximumBytes, !numbers.isEmpty {
      body.truncate(to: before)
      return .full
    }
    numbers.append(number)
    return .added
  }

  mutating func removeAll() {
    body.removeAll()
    numbers.removeAll(keepingCapacity: true)
  }

  private mutating func encode(_ line: UnsafeRawBufferPointer, _ number: Int) {
    var json = JSONWriter()
    json.beginObject(into: &body)
    json.member("topic", options.topic, into: &body)
    if let type = options.eventType { json.member("type", type, into: &body) }
    json.member("datacontenttype", options.contentType, into: &body)
    if options.retain { json.member("retain", true, into: &body) }
    if let span = options.timeToLive { json.member("ttl", span, into: &body) }
    if let keyPrefix { json.member("key", "\(keyPrefix)-\(number)", into: &body) }
    // A string as data is taken for text, so a payload that is a JSON string goes as its bytes.
    if options.isJSON, line.first(where: { $0 > 0x20 }) != UInt8(ascii: "\"") {
      json.name("data", into: &body)
      json.raw(line.bytes, into: &body)
    } else if !options.isJSON, UTF8Validator.isValid(line) {
      json.name("data", into: &body)
      json.string(line, into: &body)
    } else {
      json.name("data_base64", into: &body)
      json.value(into: &body)
      body.append(UInt8(ascii: "\""))
      Base64.append(encoded: line, into: &body)
      body.append(UInt8(ascii: "\""))
    }
    json.endObject(into: &body)
    body.append(UInt8(ascii: "\n"))
  }

  /// The batch as a request; the batch keeps its lines until it is emptied.
  func request() -> ClientRequest {
    var request = ClientRequest(.post, "/v1/publish")
    request.headers.append(("Content-Type", "application/x-ndjson"))
    if !options.isAcknowledged { request.headers.append(("Tidings-Ack", "none")) }
    request.body = Bytes(copying: body.bytes)
    return request
  }
}

/// What became of the messages of one batch.
struct BatchAnswer {
  /// Which messages were not published, by their place in the batch, and why.
  var failures: [(index: Int, reason: String)] = []

  /// Reads an array of results, bare or as the member `results`, in the order of the messages. A result with
  /// an `error`, or a `status` of 400 or more, is a failure.
  init(_ answer: ClientAnswer, expecting count: Int) throws(ClientFailure) {
    let document: JSONValue
    do throws(JSONError) {
      document = try JSONValue(parsing: answer.body.bytes)
    } catch {
      guard answer.isSuccess else { throw .refused(Problem(answer)) }
      throw .malformedAnswer("\(error)")
    }
    guard let results = document.array ?? document["results"]?.array else {
      guard answer.isSuccess else { throw .refused(Problem(answer)) }
      throw .malformedAnswer("it has no results")
    }
    guard results.count == count else {
      throw .malformedAnswer("\(results.count) results for \(count) messages")
    }
    for (place, result) in results.enumerated() {
      let error = result["error"]
      guard error != nil || result["status"]?.integer.map({ $0 >= 400 }) == true else { continue }
      let told = error?.string ?? error?["detail"]?.string ?? result["detail"]?.string ?? error?["title"]?.string
      failures.append((result["index"]?.integer ?? place, told ?? result["title"]?.string ?? "not published"))
    }
  }
}
