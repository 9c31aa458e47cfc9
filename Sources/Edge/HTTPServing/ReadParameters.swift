internal import Core
internal import HTTP
internal import JSON

/// What a reading request asks for, whether it came as a query or as a JSON body. Every member is checked here,
/// once; what is wrong is said by name.
struct ReadParameters {
  var filters: [Filter] = []
  var start = ReadWish.Start.latest
  var hasStart = false
  var consumer: String?
  var acknowledgesItself = true
  var waitSeconds: Int?
  var limit = RequestLimits.eventsPerAnswer
  var isWholeEvents = false
  var retained = false
  var before: Cursor?
  var presence = PresenceWish()

  /// A length of time counts back from the moment of asking, which is known last.
  private enum Since: Equatable {
    case place(ReadWish.Start)
    case ago(TimeSpan)
  }

  private var cursor: Cursor?
  private var since: Since?
  private var last: Int?

  /// Takes one parameter. Nil if it is well, else what is wrong with it. Unknown names are refused: a misspelt
  /// `cursor` must not start at the end in silence.
  mutating func take(_ name: String, _ value: String) -> Problem? {
    switch name {
    case "topic", "topics":
      guard filters.count < RequestLimits.filters else {
        return Problem(.badRequest, "A reader has at most \(RequestLimits.filters) filters.")
      }
      if value.hasPrefix("$share/") {
        return Problem(.badRequest, "Shared subscriptions ('$share/…') are for MQTT; use consumer=NAME to read as a named consumer.")
      }
      do throws(TopicError) {
        let filter = try Filter(value)
        if !filters.contains(filter) { filters.append(filter) }
      } catch {
        return Problem(.badRequest, "topic: \(error.description).")
      }
    case "cursor", "lastEventId", "lastEventID", "last-event-id":
      if value.isEmpty { return nil }
      do throws(CursorError) { cursor = try Cursor(parsing: value) } catch { return Problem(.badRequest, "\(error.description).") }
    case "since":
      switch value {
      case "latest": since = .place(.latest)
      case "earliest": since = .place(.earliest)
      default:
        if let time = WallTime(timestamp: value) {
          since = .place(.time(time))
        } else if let span = try? TimeSpan(reading: value) {
          since = .ago(span)
        } else {
          return Problem(.badRequest, "since is 'latest', 'earliest', a length of time such as 5m, or an RFC 3339 time; '\(value.prefix(64))' is none of them.")
        }
      }
    case "last":
      guard let count = Int(value), count >= 0, count <= RequestLimits.last else {
        return Problem(.badRequest, "last is a number from 0 to \(RequestLimits.last).")
      }
      last = count
    case "consumer":
      guard ReadParameters.isConsumerName(value) else {
        return Problem(.badRequest, "A consumer's name has 1 to 128 letters, digits and '.', '_', '-', ':'.")
      }
      consumer = value
    case "ack":
      guard value == "auto" || value == "explicit" else { return Problem(.badRequest, "ack is 'auto' or 'explicit'.") }
      acknowledgesItself = value == "auto"
    case "wait":
      guard let seconds = Int(value.hasSuffix("s") ? String(value.dropLast()) : value), seconds >= 0 else {
        return Problem(.badRequest, "wait is a number of seconds.")
      }
      // Any longer one is as good, and need not fit a length of time.
      waitSeconds = min(seconds, RequestLimits.waitSeconds)
    case "limit":
      guard let count = Int(value), count >= 1 else { return Problem(.badRequest, "limit is a number from 1 on.") }
      limit = min(count, RequestLimits.eventsPerAnswer)
    case "format":
      guard value == "json" || value == "raw" else { return Problem(.badRequest, "format is 'json', or left out for the bare payload.") }
      isWholeEvents = value == "json"
    case "retained":
      guard value == "true" || value == "false" else { return Problem(.badRequest, "retained is 'true' or 'false'.") }
      retained = value == "true"
    case "before":
      do throws(CursorError) { before = try Cursor(parsing: value) } catch { return Problem(.badRequest, "before: \(error.description).") }
    case "enter": return presence.enter(value)
    case "presence": return presence.hear(value)
    case "member": return presence.member(value)
    case "memberData": return presence.memberData(Bytes(value).bytes)
    case "access_token", "_":
      break
    default:
      return Problem(.badRequest, "There is no parameter '\(name.prefix(64))' here.")
    }
    return nil
  }

  static func isConsumerName(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count)
      && text.utf8.allSatisfy {
        $0.isDigit || ($0 | 0x20 >= UInt8(ascii: "a") && $0 | 0x20 <= UInt8(ascii: "z")) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_")
          || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ":")
      }
  }

  /// Takes the pairs of a query.
  mutating func takeQuery(_ query: Range<Int>?, in span: RawSpan) -> Problem? {
    ReadParameters.pairs(of: query, in: span) { name, value in take(name, value) }
  }

  /// Hands on the pairs of a query, decoded, until there is something wrong with one.
  static func pairs(of query: Range<Int>?, in span: RawSpan, _ take: (String, String) -> Problem?) -> Problem? {
    var pairs = HTTPQuery(query)
    while let pair = pairs.next(in: span) {
      var name = ByteBuffer()
      var value = ByteBuffer()
      guard PercentCoding.decode(pair.name, in: span, plusIsSpace: true, into: &name),
        pair.value == nil || decodeValue(pair, span, &value),
        let nameText = name.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }),
        let valueText = value.withUnsafeBytes({ String(validating: $0, as: UTF8.self) })
      else { return Problem(.badRequest, "The query is not valid percent-encoded UTF-8.") }
      if let problem = take(nameText, valueText) { return problem }
    }
    return nil
  }

  /// In a filter a bare `+` is the wildcard: `topic=a/+/b` means what it looks like.
  private static func decodeValue(_ pair: HTTPQuery.Pair, _ span: RawSpan, _ buffer: inout ByteBuffer) -> Bool {
    guard let value = pair.value else { return true }
    let isTopic =
      pair.isNamed("topic", in: span) || pair.isNamed("topics", in: span) || pair.isNamed("enter", in: span) || pair.isNamed("presence", in: span)
    return PercentCoding.decode(value, in: span, plusIsSpace: !isTopic, into: &buffer)
  }

  /// Takes the members of a JSON object; `topics` may be an array.
  mutating func takeBody(_ body: RawSpan) -> Problem? {
    if let error = JSONValidator.validate(body) { return Problem(.badRequest, "The body is not JSON: \(error.description).") }
    do throws(JSONError) {
      var members = JSONObjectReader(body)
      while let member = try members.next() {
        let name = try JSONText.name(of: member, in: body)
        if name == "memberData" {
          if let problem = presence.memberData(body.extracting(member.value)) { return problem }
          continue
        }
        if member.kind == .array, name == "topic" || name == "topics" || name == "enter" || name == "presence" {
          var elements = JSONArrayReader(body, in: member.value)
          while let element = try elements.next() {
            guard element.kind == .string else { return Problem(.badRequest, "'\(name)' is a list of strings.") }
            if let problem = take(name, try JSONText.string(body, element.range)) { return problem }
          }
          continue
        }
        let value: String
        switch member.kind {
        case .string: value = try JSONText.string(body, member.value)
        case .number, .boolean: value = body.text(member.value)
        case .null: continue
        default: return Problem(.badRequest, "'\(name.prefix(64))' is not a list or an object.")
        }
        if let problem = take(name, value) { return problem }
      }
    } catch {
      return Problem(.badRequest, "The body is not a JSON object: \(error.description).")
    }
    return nil
  }

  /// Decides between the ways to begin, once everything was taken. A cursor wins: it is what a client that
  /// reconnects adds to the address it was given.
  mutating func settle(lastEventID: String?, now: WallTime) -> Problem? {
    if let problem = presence.problem { return problem }
    if filters.isEmpty, consumer == nil {
      return Problem(.badRequest, "Say what to read: topic=FILTER, once or more. '+' stands for one level, '#' for the rest.")
    }
    if let lastEventID, !lastEventID.isEmpty {
      do throws(CursorError) { cursor = try Cursor(parsing: lastEventID) } catch {
        return Problem(.badRequest, "Last-Event-ID: \(error.description).")
      }
    }
    if let cursor {
      start = .cursor(cursor)
      hasStart = true
      return nil
    }
    if [since != nil, last != nil, retained].filter({ $0 }).count > 1, !(retained && since == .place(.latest)) {
      return Problem(.badRequest, "since, last and retained exclude each other; choose one.")
    }
    if retained {
      start = .current
    } else if let last {
      start = .last(last)
    } else if let since {
      switch since {
      case .place(let place): start = place
      case .ago(let span): start = .time(WallTime(milliseconds: now.milliseconds - Int64(span.milliseconds)))
      }
    } else {
      return nil
    }
    hasStart = true
    return nil
  }
}
