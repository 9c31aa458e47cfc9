"""MQTT from outside: what a client may not say. It is sent whole and byte by byte, and behind it stands a message that must not be taken."""

import json

from harness.node import until
from outside.mqtt import (
    AUTH, CONNACK, Client, NO_LOCAL, PINGREQ, PINGRESP, PONG, PUBACK, PUBLISH, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, V31, V311, V5, VERSIONS, ack,
    connect, data, disconnect, inner, own, packet, publish, subscribe, unsubscribe)
from outside.mqtt_node import MALFORMED, PROTOCOL_ERROR, MQTTTest


class Hostile(MQTTTest):
    def cases(self, version):
        p = lambda topic, payload=b"x", qos=0, mid=0, **more: publish(topic, payload, qos, mid, version=version, **more)
        none = own(version, b"")
        yield "type 0", "table 2-1", b"\x00\x00", MALFORMED
        yield "SUBSCRIBE with wrong flags", "3.8.1-1", b"\x80" + subscribe(1, ("a", 0), version=version)[1:], MALFORMED
        yield "UNSUBSCRIBE with wrong flags", "3.10.1-1", b"\xa0" + unsubscribe(1, "a", version=version)[1:], MALFORMED
        yield "PUBREL with wrong flags", "3.6.1-1", b"\x60\x02\x00\x01", MALFORMED
        yield "PINGREQ with flags", "2.1.3-1", b"\xc1\x00", MALFORMED
        yield "DISCONNECT with flags", "3.14.1-1", b"\xe1\x00", MALFORMED
        yield "PUBACK with flags", "2.1.3-1", b"\x41\x02\x00\x01", MALFORMED
        yield "a length of five bytes", "1.5.5", b"\x30\xff\xff\xff\xff\x7f", MALFORMED
        yield "PINGREQ with a body", "3.12", b"\xc0\x01\x00", MALFORMED
        yield "a topic longer than its packet", "1.5.4", b"\x30\x03\x00\x05a", MALFORMED
        yield "PUBACK without an identifier", "3.4.2", b"\x40\x00", MALFORMED
        yield "PUBREL of one byte", "3.6.2", b"\x62\x01\x01", MALFORMED
        for name, text in (("a broken sequence", b"\xc3("), ("a surrogate", b"\xed\xa0\x80"), ("an overlong slash", b"\xc0\xaf"), ("a lone byte", b"\xff")):
            yield f"a topic with {name}", "1.5.4-1", packet(PUBLISH, 0, data(text) + none + b"x"), MALFORMED
        yield "a topic with a null", "1.5.4-2", packet(PUBLISH, 0, data(b"a\0b") + none), MALFORMED
        yield "a filter that is not UTF-8", "1.5.4-1", packet(SUBSCRIBE, 2, b"\0\1" + none + data(b"\xff") + b"\0"), MALFORMED
        yield "QoS 3", "3.3.1-4", packet(PUBLISH, 6, data("a") + b"\0\1" + none), MALFORMED
        if version != V31:
            yield "QoS 0 sent again", "3.3.1-2", p("hostile/again", dup=True), MALFORMED
            yield "reserved bits of a subscription", "3.8.3-5", subscribe(1, ("a", 0xC0), version=version), MALFORMED
        yield "an empty filter", "4.7.3-1", subscribe(1, ("", 0), version=version), MALFORMED
        yield "an empty filter to leave", "4.7.3-1", unsubscribe(1, "", version=version), MALFORMED
        yield "a second CONNECT", "3.1.0-2", connect("again", version), PROTOCOL_ERROR
        for name, kind, body in (("CONNACK", CONNACK, b"\0\0"), ("SUBACK", SUBACK, b"\0\1" + none + b"\0"), ("UNSUBACK", UNSUBACK, b"\0\1" + none), ("PINGRESP", PINGRESP, b"")):
            yield f"{name} of a client", "table 2-1", packet(kind, 0, body), PROTOCOL_ERROR
        yield "PUBLISH with identifier 0", "2.2.1-3", packet(PUBLISH, 2, data("a") + b"\0\0" + none), PROTOCOL_ERROR
        yield "SUBSCRIBE with identifier 0", "2.2.1-3", subscribe(0, ("a", 0), version=version), PROTOCOL_ERROR
        yield "UNSUBSCRIBE with identifier 0", "2.2.1-3", unsubscribe(0, "a", version=version), PROTOCOL_ERROR
        yield "SUBSCRIBE to nothing", "3.8.3-2", packet(SUBSCRIBE, 2, b"\0\1" + none), PROTOCOL_ERROR
        yield "UNSUBSCRIBE from nothing", "3.10.3-2", packet(UNSUBSCRIBE, 2, b"\0\1" + none), PROTOCOL_ERROR
        yield "a subscription of QoS 3", "3.8.3", subscribe(1, ("a", 3), version=version), PROTOCOL_ERROR
        for topic in ("a/+", "#", "a/b#", "+"):
            yield f"a message to {topic}", "3.3.2-2", p(topic), 0x90
            yield f"a message of QoS 1 to {topic}", "3.3.2-2", p(topic, qos=1, mid=1), 0x90
        yield "a packet that is too large", "3.2.2-15", b"\x30" + b"\xff\xff\xff\x7f" + b"\0\1a", 0x95
        yield "too many filters", "limits", subscribe(1, *[(f"f/{number}", 0) for number in range(1025)], version=version), 0x97
        if version != V5:
            yield "AUTH", "3.1.1 has none", b"\xf0\x00", MALFORMED
            yield "a message to nothing", "4.7.3-1", p(""), 0x90
            if version == V311:
                yield "subscription options of 5.0", "3-8.3-4 of 3.1.1", subscribe(1, ("a", 0x04), version=version), MALFORMED
            return
        yield "a length longer than need be", "1.5.5-1", b"\xc0\x80\x00", MALFORMED
        yield "an unknown property", "2.2.2-1", packet(PUBLISH, 0, data("a") + b"\x01\x7f"), MALFORMED
        yield "a property of CONNACK", "2.2.2", p("a", raw=inner(server_keep_alive=5)), MALFORMED
        yield "properties longer than their packet", "2.2.2", packet(PUBLISH, 0, data("a") + b"\x20\x01\x01"), MALFORMED
        yield "half a property", "2.2.2", packet(PUBLISH, 0, data("a") + b"\x02\x02\x00"), MALFORMED
        yield "a content type twice", "3.3.2.3.9", p("a", content_type=["x", "y"]), PROTOCOL_ERROR
        yield "payload format 2", "3.3.2.3.2", p("a", payload_format=2), PROTOCOL_ERROR
        yield "a response topic with a wildcard", "3.3.2-14", p("a", response_topic="b/+"), PROTOCOL_ERROR
        yield "a user property that is not UTF-8", "1.5.7-1", p("a", user_property=[(b"\xff", "x")]), MALFORMED
        yield "too many user properties", "limits", p("a", user_property=[("a", "b")] * 257), 0x97
        yield "neither a topic nor an alias", "3.3.2.1", p(""), PROTOCOL_ERROR
        yield "alias 0", "3.3.2-8", p("a", topic_alias=0), 0x94
        yield "an alias above the maximum", "3.3.2-9", p("a", topic_alias=65), 0x94
        yield "an alias that stands for nothing", "3.3.4", p("", topic_alias=7), PROTOCOL_ERROR
        yield "a subscription identifier of a client", "3.3.4-6", p("a", subscription_identifier=1), PROTOCOL_ERROR
        yield "subscription identifier 0", "3.8.2.1.2", subscribe(1, ("a", 0), subscription_identifier=0), PROTOCOL_ERROR
        yield "two subscription identifiers", "3.8.2.1.2", subscribe(1, ("a", 0), subscription_identifier=[1, 2]), PROTOCOL_ERROR
        yield "retain handling 3", "3.8.3.1", subscribe(1, ("a", 0x30)), PROTOCOL_ERROR
        yield "no local on a shared subscription", "3.8.3-4", subscribe(1, ("$share/g/a", NO_LOCAL)), PROTOCOL_ERROR
        yield "a reason code that PUBACK has not", "3.4.2-1", ack(PUBACK, 1, 0x92), PROTOCOL_ERROR
        yield "a reason code that there is not", "3.14.2-1", disconnect(0x7E), PROTOCOL_ERROR
        yield "a session that is to stay after all", "3.14.2.2.2", disconnect(0, session_expiry=10), PROTOCOL_ERROR
        yield "AUTH", "4.12.0-7", packet(AUTH, 0, b""), PROTOCOL_ERROR

    def test_everything(self):
        """What may not be sent is told its reason in 5.0 and closed before, and nothing behind it is taken [MQTT-4.13.1-1] [MQTT-4.13.2-1]"""
        for version in VERSIONS:
            leak = publish("hostile/leak", "taken", retain=True, version=version)
            for number, (name, statement, said, code) in enumerate(self.cases(version)):
                for size in (len(said) + len(leak), 1):
                    if size == 1 and len(said) > 300:
                        continue
                    with self.subTest(f"{name} [{statement}]", version=version, size=size):
                        with Client(self.mqtt, "hostile", version) as client:
                            client.dribble(said + leak, size)
                            self.ends(client, code, version)
        self.assertIsNone(self.value_of("hostile/leak"))

    def test_as_allowed(self):
        """What looks wrong and is allowed: odd but right packets are taken, and a topic that begins with U+FEFF is another one [MQTT-1.5.4-3]"""
        client = self.client("odd")
        for topic in ("/", "//", "a//b", "/leading", "trailing/", "with space", "\u2603", "\U0001F680/x", "\ufeffbom"):
            with self.subTest(topic):
                self.assertEqual(client.publish(topic, "x", 1), 0)
        client.subscribe(("bom", 0), ("\ufeffbom", 0))
        writer = self.client("marks")
        writer.publish("bom", "plain", 1)
        writer.publish("\ufeffbom", "marked", 1)
        self.assertEqual({(message := client.message()).topic: message.payload for _ in range(2)}, {"bom": b"plain", "\ufeffbom": b"marked"})
        # QoS 0 with an alias and a topic, then the alias alone.
        client.send(publish("odd/alias", "1", topic_alias=64) + publish("", "2", topic_alias=64))
        client.nothing_else()
        client.send(packet(PINGREQ, 0, b""))
        self.assertEqual(client.packet().bytes, PONG)
        self.assertEqual(client.publish("odd/nothing", b"", 1), 0)

    def test_names_that_are_none_here(self):
        """Topics of the system and those too long are refused: 0x90 in PUBACK and PUBREC [MQTT-4.7.3-3]"""
        client = self.client("names")
        for topic in ("$SYS/x", "$share/a/b", "$tidings/gap", "t" * 1025, "bell\x07"):
            with self.subTest(topic[:20]):
                self.assertEqual(client.publish(topic, "x", 1), 0x90)
                self.assertEqual(client.publish(topic, "x", 2), 0x90)
        client.nothing_else()

    def test_names_before_5(self):
        """Before 5.0 what is published to the system's topics is acknowledged and nobody's, as bridges do [MQTT-3.3.5-2 of 3.1.1]"""
        for version in (V31, V311):
            client = self.client("bridge", version)
            for qos in (0, 1, 2):
                self.assertEqual(client.publish("$SYS/broker/connection/bridge/state", b"1", qos, retain=True), 0)
            client.nothing_else()
            client.close()

    def batch(self, event):
        """What became of one event that is published as a batch."""
        answer = self.ask("POST", "/v1/publish", [("Content-Type", "application/json")], json.dumps([event]).encode())
        return answer.json()["results"][0]

    def test_kinds_that_are_none(self):
        """What would be another line of a stream, or is the system's own kind, is refused: 0x83, and 400 by HTTP"""
        client = self.client("kinds")
        for kind in ("a\n\nevent: forged\ndata: forged", "a\rid: 1", "tab\t", "k" * 257, "tidings.gap"):
            with self.subTest(kind[:10]):
                self.assertEqual(client.publish("kinds", "x", 1, user_property=("tidings-event", kind)), 0x83)
                self.assertEqual(self.batch({"topic": "kinds", "data": 1, "type": kind})["error"]["status"], 400)
        self.assertEqual(self.ask("POST", "/v1/topics/kinds", [("Tidings-Event", "tidings.gap")], b"x").status, 400)
        self.assertEqual(client.publish("kinds", "x", 1, content_type="text/plain\r\nA: b"), 0x83)
        client.nothing_else()

    def test_wills_that_cannot_be(self):
        """A will is held to what messages are held to, when it is left; one to the system's topics is nobody's"""
        def will(topic="will", payload=b"x", **values):
            return topic, payload, 0, False, values

        large = [("a", "b" * 33_000)] * 2
        cases = [
            (will(user_property=large), 0x97), (will(correlation_data=b"c" * 65_000, response_topic="r" * 600), 0x97), (will(content_type="c" * 257), 0x83),
            (will(user_property=("tidings-event", "a\nb")), 0x83), (will(user_property=("tidings-event", "e" * 60_000)), 0x83),
            (will(user_property=("tidings-key", "k" * 60_000)), 0x83), (will("$SYS/x"), 0),
        ]
        for number, (one, code) in enumerate(cases):
            with self.subTest(number):
                line = self.line()
                line.send(connect(f"will-{number}", V5, will=one))
                self.assertEqual(line.packet().code, code)
                line.close()
        # A message as large as any may be left, and in 3.1.1 too.
        for version in (V5, V311):
            line = self.line(version)
            line.send(connect("will-large", version, will=will(payload=b"w" * 65_535)))
            self.assertEqual(line.packet().code, 0)
            line.close()
        self.assertEqual(self.ask("GET", "/healthz").status, 200)

    def test_counted(self):
        """What is refused is counted as a protocol error"""
        def errors():
            return sum(float(line.rsplit(" ", 1)[1]) for line in self.ask("GET", "/metrics").body.decode().splitlines() if line.startswith("tidings_protocol_errors_total"))
        before = errors()
        for said in (b"\x00\x00", connect("x", V5), publish("#", "x")):
            with Client(self.mqtt, "counted") as client:
                client.send(said)
                client.said()
        self.line().send(b"\xc0\x00").said()
        until(lambda: errors() >= before + 4, 3, "the count of errors")
