import Core
import JSON

extension BenchReport {
  /// One line of JSON for machines; times of spreads in microseconds, everything else in its base unit.
  public var json: String {
    var buffer = ByteBuffer(capacity: 2048)
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    writer.member("scenario", plan.scenario.rawValue, into: &buffer)
    writer.member("server", server, into: &buffer)
    writer.member("transport", plan.transport.rawValue, into: &buffer)
    if plan.transport == .mqtt { writer.member("qos", Int(plan.qos.rawValue), into: &buffer) }
    writer.member("subscribers", plan.subscribers, into: &buffer)
    writer.member("topics", plan.topics, into: &buffer)
    writer.member("publishers", plan.publishers, into: &buffer)
    writer.member("window", plan.window, into: &buffer)
    writer.member("pipeline", plan.pipeline, into: &buffer)
    writer.member("messageBytes", max(plan.messageBytes, Marker.length), into: &buffer)
    number("rate", plan.rate, &writer, &buffer)
    writer.member("connected", connected, into: &buffer)
    number("connectSeconds", connectSeconds, &writer, &buffer)
    spread("openMicroseconds", opening, &writer, &buffer)
    writer.member("published", published, into: &buffer)
    writer.member("acknowledged", acknowledged, into: &buffer)
    writer.member("refusedPublishes", refusedPublishes, into: &buffer)
    writer.member("expected", expected, into: &buffer)
    writer.member("delivered", delivered, into: &buffer)
    writer.member("lost", lost, into: &buffer)
    writer.member("duplicated", duplicated, into: &buffer)
    writer.member("outOfOrder", outOfOrder, into: &buffer)
    writer.member("foreign", foreign, into: &buffer)
    writer.member("disconnects", disconnects, into: &buffer)
    writer.member("connectFailures", connectFailures, into: &buffer)
    writer.member("badAnswers", badAnswers, into: &buffer)
    number("seconds", seconds, &writer, &buffer)
    number("deliveriesPerSecond", deliveriesPerSecond, &writer, &buffer)
    number("publishesPerSecond", publishesPerSecond, &writer, &buffer)
    spread("deliveryMicroseconds", delivery, &writer, &buffer)
    spread("acknowledgementMicroseconds", acknowledgement, &writer, &buffer)
    number("serverUserSeconds", knowsServer ? serverUserSeconds : nil, &writer, &buffer)
    number("serverSystemSeconds", knowsServer ? serverSystemSeconds : nil, &writer, &buffer)
    number("serverMicrosecondsPerDelivery", serverMicrosecondsPerDelivery, &writer, &buffer)
    number("serverMicrosecondsPerPublish", serverMicrosecondsPerPublish, &writer, &buffer)
    number("generatorSeconds", generatorSeconds, &writer, &buffer)
    number("generatorMicrosecondsPerDelivery", generatorMicrosecondsPerDelivery, &writer, &buffer)
    number("foreignSeconds", knowsServer ? foreignSeconds : nil, &writer, &buffer)
    number("foreignShare", foreignShare, &writer, &buffer)
    writer.member("isNoisy", isNoisy, into: &buffer)
    number("wallSeconds", wallSeconds, &writer, &buffer)
    if knowsServer {
      writer.member("residentBytesBefore", residentBytesBefore, into: &buffer)
      writer.member("residentBytesOpen", residentBytesOpen, into: &buffer)
      writer.member("residentBytesEnd", residentBytesEnd, into: &buffer)
    }
    number("bytesPerConnection", bytesPerConnection, &writer, &buffer)
    if let storm {
      writer.name("storm", into: &buffer)
      writer.beginObject(into: &buffer)
      number("closeSeconds", storm.closeSeconds, &writer, &buffer)
      number("allOpenSeconds", storm.allOpenSeconds, &writer, &buffer)
      number("allCaughtUpSeconds", storm.allCaughtUpSeconds, &writer, &buffer)
      spread("catchUpMicroseconds", storm.catchUp, &writer, &buffer)
      writer.endObject(into: &buffer)
    }
    writer.name("complaints", into: &buffer)
    writer.beginArray(into: &buffer)
    for complaint in complaints { writer.string(complaint, into: &buffer) }
    writer.endArray(into: &buffer)
    writer.endObject(into: &buffer)
    return buffer.freeze().text
  }

  /// A number that is not known is null, not absent.
  private func number(_ name: StaticString, _ value: Double?, _ writer: inout JSONWriter, _ buffer: inout ByteBuffer) {
    writer.name(name, into: &buffer)
    if let value, value.isFinite {
      // Six places are a microsecond, and as far as any of these can be trusted.
      writer.double((value * 1e6).rounded() / 1e6, into: &buffer)
    } else {
      writer.null(into: &buffer)
    }
  }

  private func spread(_ name: StaticString, _ spread: Spread, _ writer: inout JSONWriter, _ buffer: inout ByteBuffer) {
    writer.name(name, into: &buffer)
    writer.beginObject(into: &buffer)
    writer.member("count", spread.count, into: &buffer)
    number("mean", spread.mean, &writer, &buffer)
    number("p50", spread.p50, &writer, &buffer)
    number("p90", spread.p90, &writer, &buffer)
    number("p99", spread.p99, &writer, &buffer)
    number("p999", spread.p999, &writer, &buffer)
    number("max", spread.maximum, &writer, &buffer)
    writer.endObject(into: &buffer)
  }
}
