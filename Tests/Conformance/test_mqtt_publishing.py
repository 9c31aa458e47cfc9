"""MQTT from outside: what clients publish, byte by byte and in every QoS."""

from outside.mqtt import PUBACK, PUBCOMP, PUBREC, PUBREL, V311, VERSIONS, ack, publish, subscribe, unsubscribe
from outside.mqtt_node import PROTOCOL_ERROR, MQTTTest


class Publishing(MQTTTest):
    def test_qos_0(self):
        """QoS 0 goes out byte for byte in each version [MQTT-3.3.1-2] [MQTT-4.3.1-1]"""
        for version in VERSIONS:
            with self.subTest(version):
                client = self.client("zero", version)
                self.assertEqual(client.subscribe(("zero/+", 0)), ([0], []))
                client.send(publish("zero/topic", b"\0\xff payload", version=version))
                self.assertEqual(client.packet().bytes, publish("zero/topic", b"\0\xff payload", version=version))

    def test_qos_1(self):
        """QoS 1 is acknowledged with its identifier, whatever that is [MQTT-4.3.2-4] [MQTT-4.3.2-5] [MQTT-2.2.1-5]"""
        for version in VERSIONS:
            client = self.client("one", version)
            for mid in (1, 2, 255, 256, 65535, 1):
                client.send(publish("one/topic", "x", 1, mid, version=version))
                self.assertEqual(client.packet().bytes, ack(PUBACK, mid))
            # A message that says it was sent before is a message like any other: its PUBACK was lost, perhaps.
            client.send(publish("one/topic", "x", 1, 9, dup=True, version=version))
            self.assertEqual(client.packet().bytes, ack(PUBACK, 9))

    def test_qos_2(self):
        """QoS 2 in four steps; sent again before PUBREL it is not a second message [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12]"""
        for version in VERSIONS:
            with self.subTest(version):
                reader = self.client("reader", version)
                reader.subscribe(("two/topic", 0))
                client = self.client("two", version)
                client.send(publish("two/topic", "once", 2, 77, version=version))
                self.assertEqual(client.packet().bytes, ack(PUBREC, 77))
                for dup in (True, True, False):
                    client.send(publish("two/topic", "once", 2, 77, dup=dup, version=version))
                    self.assertEqual(client.packet().bytes, ack(PUBREC, 77))
                client.send(ack(PUBREL, 77))
                self.assertEqual(client.packet().bytes, ack(PUBCOMP, 77))
                # Now the identifier is free for another one.
                client.send(publish("two/topic", "twice", 2, 77, version=version))
                self.assertEqual(client.packet().bytes, ack(PUBREC, 77))
                client.send(ack(PUBREL, 77))
                self.assertEqual(client.packet().bytes, ack(PUBCOMP, 77))
                self.assertEqual([reader.message().payload for _ in range(2)], [b"once", b"twice"])
                reader.nothing_else()

    def test_unknown_identifiers(self):
        """PUBREL of nothing is answered 0x92, PUBREC of nothing PUBREL 0x92; PUBACK and PUBCOMP of nothing do no harm [MQTT-4.3.3-11]"""
        client = self.client("unknown")
        client.send(ack(PUBREL, 5))
        self.assertEqual(client.packet().bytes, ack(PUBCOMP, 5, 0x92))
        client.send(ack(PUBREC, 6))
        self.assertEqual(client.packet().bytes, ack(PUBREL, 6, 0x92))
        client.send(ack(PUBACK, 7) + ack(PUBCOMP, 8))
        client.nothing_else()
        old = self.client("old", V311)
        old.send(ack(PUBREL, 5))
        self.assertEqual(old.packet().bytes, ack(PUBCOMP, 5))
        old.send(ack(PUBACK, 7) + ack(PUBCOMP, 8))
        old.nothing_else()

    def test_identifiers_in_use(self):
        """An identifier that a QoS 2 message still has is nobody else's: 0x91 [MQTT-2.2.1-3]"""
        client = self.client("in use")
        client.send(publish("use/a", "x", 2, 3))
        self.assertEqual(client.packet().bytes, ack(PUBREC, 3))
        client.send(publish("use/b", "x", 1, 3))
        self.assertEqual((answer := client.packet()).kind, PUBACK)
        self.assertEqual(answer.code, 0x91)
        client.send(subscribe(3, ("use/c", 0)))
        self.assertEqual(client.packet().codes, [0x91])
        client.send(unsubscribe(3, "use/c"))
        self.assertEqual(client.packet().codes, [0x91])
        client.send(ack(PUBREL, 3))
        self.assertEqual(client.packet().bytes, ack(PUBCOMP, 3))
        old = self.client("in use", V311)
        old.send(publish("use/a", "x", 2, 3, version=V311))
        self.assertEqual(old.packet().bytes, ack(PUBREC, 3))
        old.send(publish("use/b", "x", 1, 3, version=V311))
        self.ends(old, None, V311)

    def test_order_of_acknowledgements(self):
        """Acknowledgements come in the order of the messages, of whatever topics [MQTT-4.6.0-2] [MQTT-4.6.0-3]"""
        client = self.client("order")
        mids = list(range(1, 201))
        client.send(b"".join(publish(f"order/{mid}", "x", 1 + mid % 2, mid) for mid in mids))
        acks = [client.packet() for _ in mids]
        self.assertEqual([(each.kind, each.mid) for each in acks], [(PUBREC if mid % 2 else PUBACK, mid) for mid in mids])
        twos = [mid for mid in mids if mid % 2]
        client.send(b"".join(ack(PUBREL, mid) for mid in twos))
        self.assertEqual([(each.kind, each.mid) for each in (client.packet() for _ in twos)], [(PUBCOMP, mid) for mid in twos])

    def test_payload_format(self):
        """A payload said to be UTF-8 that is not: 0x99, and as a message of QoS 0 the end"""
        client = self.client("format")
        self.assertEqual(client.publish("format/text", "\u2603", 1, payload_format=1), 0)
        self.assertEqual(client.publish("format/text", b"\xff", 1, payload_format=1), 0x99)
        self.assertEqual(client.publish("format/text", b"\xed\xa0\x80", 2, payload_format=1), 0x99)
        self.assertEqual(client.publish("format/text", b"\xff", 1, payload_format=0), 0)
        client.send(publish("format/text", b"\xff", payload_format=1))
        self.ends(client, 0x99)

    def test_aliases_in(self):
        """A topic alias stands for the topic it was last given, and for one connection only [MQTT-3.3.2-7] [MQTT-3.3.2-12]"""
        reader = self.client("alias reader")
        reader.subscribe(("alias/#", 0))
        client = self.client("aliases")
        client.send(
            publish("alias/one", "1", topic_alias=1) + publish("alias/two", "2", topic_alias=64) + publish("", "3", topic_alias=1)
            + publish("alias/three", "4", topic_alias=1) + publish("", "5", 1, 9, topic_alias=1) + publish("", "6", topic_alias=64))
        self.assertEqual(client.packet().bytes, ack(PUBACK, 9))
        got = [reader.message() for _ in range(6)]
        told = sorted((each.payload, each.topic) for each in got)
        self.assertEqual([topic for _, topic in told], ["alias/one", "alias/two", "alias/one", "alias/three", "alias/three", "alias/two"])
        self.assertTrue(all("topic_alias" not in each.properties for each in got))
        other = self.client("other aliases")
        other.send(publish("", "7", topic_alias=1))
        self.ends(other, PROTOCOL_ERROR)

    def test_keys(self):
        """A key keeps a message from being there twice, by MQTT and by HTTP, and is not delivered"""
        reader = self.client("keys reader")
        reader.subscribe(("keyed", 2))
        client = self.client("keys")
        for qos in (1, 2, 0):
            self.assertEqual(client.publish("keyed", "once", qos, user_property=[("tidings-key", "k1"), ("own", "x")]), 0)
        self.assertTrue(self.publish("keyed", "once", {"Idempotency-Key": "k1"})["duplicate"])
        self.of(reader.receive(), payload=b"once", user_property=[("own", "x")])
        self.publish("keyed", "last")
        self.of(reader.receive(), payload=b"last")

    def test_largest(self):
        """A message of 1 MiB is taken and delivered whole; one byte more is refused, and nothing of it kept"""
        reader = self.client("large reader", timeout=10)
        reader.subscribe(("large", 1))
        client = self.client("large", timeout=10)
        body = bytes(range(256)) * 4096
        self.assertEqual(client.publish("large", body, 1), 0)
        self.assertTrue(reader.receive().payload == body)
        self.assertEqual(client.publish("large", body + b"x", 1), 0x97)
        reader.nothing_else()

    def test_end_to_end_properties(self):
        """Content type, response topic, correlation data, payload format and user properties come as they were sent, in order [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]"""
        reader = self.client("properties reader")
        reader.subscribe(("carried", 1))
        pairs = [("a", "1"), ("b", "2"), ("a", "3"), ("", ""), ("\u2603", "\U0001F680")]
        client = self.client("properties")
        self.assertEqual(client.publish(
            "carried", "text", 1, payload_format=1, content_type="text/plain; charset=utf-8", response_topic="answers/here",
            correlation_data=b"\0\xff\x01", user_property=pairs), 0)
        message = reader.receive()
        self.assertEqual(message.properties, {
            "payload_format": 1, "content_type": "text/plain; charset=utf-8", "response_topic": "answers/here", "correlation_data": b"\0\xff\x01",
            "user_property": pairs})
        # A client of 3.1.1 gets the same without them, and what it sends has none.
        old = self.client("old reader", V311)
        old.subscribe(("carried", 0))
        client.publish("carried", "text", 1, user_property=pairs)
        reader.receive()
        self.assertEqual(old.packet().bytes, publish("carried", "text", version=V311))
        old.publish("carried", "plain", 1)
        self.assertEqual(reader.receive().properties, {})
