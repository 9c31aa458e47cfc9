internal import MQTT

extension EdgeReactor {
  /// What is counted in several places, together.
  var mqttTotals: MQTTTraffic {
    var total = mqttTraffic
    total.packetsReceived = mqttOutput.counters.packetsReceived
    total.publishesSent += counters.catchUpEvents[Transport.mqtt.rawValue]
    for format in EventFormat.allCases where format.transport == .mqtt {
      total.publishesSent += fanout.counters.deliveries[Int(format.rawValue)]
    }
    total.publishesDropped = mqttOutput.counters.deliveriesTooLarge
    total.payloadBytesSent += fanout.counters.mqttPayloadBytes
    total.packetsSent = mqttOutput.counters.answersSent + total.publishesSent
    total.bytesSent += fanout.counters.mqttBytes
    return total
  }
}
