"""MQTT from outside: sessions that outlive their connections."""

import json
import time

from harness.node import until
from outside.mqtt import PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, V5, V31, V311, VERSIONS, ack, connack, disconnect, publish
from outside.mqtt_node import MQTTTest

#: Properties of who wants its session kept, by version.
KEPT = {V31: {"clean": False}, V311: {"clean": False}, V5: {"clean": False, "session_expiry": 300}}


class Sessions(MQTTTest):
    def kept(self, name, version, present=None):
        client = self.client(f"{name}-{version}", version, **KEPT[version])
        if present is not None:
            self.assertEqual(client.welcome.present, present if version != V31 else 0)
        return client

    def publisher(self):
        return self.client("", V5)

    def test_present(self):
        """Session present is told where one is: not the first time, not after a clean start [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.2.2-2] [MQTT-3.2.2-3]"""
        for version in (V311, V5):
            with self.subTest(version):
                self.kept("present", version, 0).close()
                self.kept("present", version, 1).close()
                self.client(f"present-{version}", version).close()
                self.kept("present", version, 0).close()
        # With clean start and an expiry it is a new one, which is kept.
        self.assertEqual(self.client("present-5", session_expiry=60).welcome.present, 0)
        self.assertEqual(self.client("present-5", clean=False).welcome.present, 1)
        # The last connection's wish counts: that one wanted none.
        self.assertEqual(self.client("present-5", clean=False).welcome.present, 0)

    def test_disconnect_changes_expiry(self):
        """DISCONNECT may change how long a session is kept, and end it"""
        client = self.client("expiring", clean=False, session_expiry=100)
        client.send(disconnect(0, session_expiry=0))
        self.assertEqual(client.said(), [])
        self.assertEqual(self.client("expiring", clean=False, session_expiry=1).welcome.present, 0)
        time.sleep(0.2)
        self.assertEqual(self.client("expiring", clean=False, session_expiry=1).welcome.present, 1)

    def test_expires(self):
        """A session is over when its time is [MQTT-3.1.2-23]"""
        self.client("mayfly", clean=False, session_expiry=1).close()
        time.sleep(1.3)
        self.assertEqual(self.client("mayfly", clean=False, session_expiry=1).welcome.present, 0)

    def test_missed(self):
        """What came for QoS 1 and 2 while a client was away comes when it is back, in order, each once [MQTT-3.1.2-4 of 3.1.1] [MQTT-4.5.0-1]"""
        for version in VERSIONS:
            with self.subTest(version):
                topics = [f"missed/{version}/{qos}" for qos in range(3)]
                client = self.kept("missed", version, 0)
                client.subscribe(*[(topic, qos) for qos, topic in enumerate(topics)])
                client.close()
                publisher = self.publisher()
                for number in range(20):
                    for topic in topics:
                        publisher.publish(topic, str(number), qos=2)
                client = self.kept("missed", version, 1)
                got = {topic: [] for topic in topics}
                for _ in range(40):
                    message = client.receive()
                    self.assertFalse(message.dup)
                    got[message.topic].append(int(message.payload))
                client.nothing_else()
                self.assertEqual(got, {topics[0]: [], topics[1]: list(range(20)), topics[2]: list(range(20))})
                # Subscriptions are there without being made again, those of QoS 0 too.
                publisher.publish(topics[0], "plain")
                self.of(client.receive(), payload=b"plain", qos=0)

    def test_sent_again(self):
        """What was not acknowledged is sent again, with the identifier it had and marked so, before anything new [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1]"""
        for version in VERSIONS:
            with self.subTest(version):
                topic = f"again/{version}"
                client = self.kept("again", version)
                client.subscribe((topic, 2))
                publisher = self.publisher()
                for number, qos in enumerate((1, 2, 1, 2, 2)):
                    publisher.publish(topic, str(number), qos=qos)
                first = [client.message() for _ in range(5)]
                self.assertEqual([message.payload for message in first], [b"0", b"1", b"2", b"3", b"4"])
                self.assertEqual([message.qos for message in first], [1, 2, 1, 2, 2])
                # The third is done, the fourth is received: only PUBREL is left of it.
                client.send(ack(PUBACK, first[2].mid) + ack(PUBREC, first[3].mid))
                release = client.packet()
                self.assertEqual(release.bytes, ack(PUBREL, first[3].mid))
                client.close()
                publisher.publish(topic, "new", qos=1)
                for _ in range(2):
                    client = self.kept("again", version)
                    packets = [client.packet() for _ in range(5)]
                    self.assertIn(ack(PUBREL, first[3].mid), [packet.bytes for packet in packets])
                    messages = [packet for packet in packets if packet.kind == PUBLISH]
                    self.assertEqual([(each.payload, each.mid, each.dup) for each in messages[:3]],
                                     [(first[index].payload, first[index].mid, True) for index in (0, 1, 4)])
                    self.assertEqual(messages[3].payload, b"new")
                    client.close()
                client = self.kept("again", version)
                packets = [client.packet() for _ in range(5)]
                for packet in packets:
                    if packet.kind == PUBREL:
                        client.send(ack(PUBCOMP, packet.mid))
                    elif packet.qos == 1:
                        client.send(ack(PUBACK, packet.mid))
                    else:
                        client.send(ack(PUBREC, packet.mid))
                        self.assertEqual(client.packet().bytes, ack(PUBREL, packet.mid))
                        client.send(ack(PUBCOMP, packet.mid))
                client.nothing_else()
                client.close()
                self.kept("again", version).nothing_else()

    def test_quota_of_resent(self):
        """The receive maximum of the new connection holds for what is sent again [MQTT-3.3.4-9]"""
        client = self.kept("quota", V5)
        client.subscribe(("quota", 1))
        publisher = self.publisher()
        for number in range(6):
            publisher.publish("quota", str(number), qos=1)
        for number in range(6):
            self.of(client.message(), payload=str(number).encode())
        client.close()
        client = self.client("quota-5", receive_maximum=2, **KEPT[V5])
        for number in range(0, 6, 2):
            pair = [client.message(), client.message()]
            self.assertEqual([(each.payload, each.dup) for each in pair], [(str(number).encode(), True), (str(number + 1).encode(), True)])
            client.nothing_else()
            for message in pair:
                client.send(ack(PUBACK, message.mid))

    def test_incoming_twice(self):
        """A message of QoS 2 that is sent again over another connection is there once, before PUBREC and after [MQTT-4.3.3-10] [MQTT-4.3.3-12]"""
        reader = self.client("counter")
        reader.subscribe(("twice/#", 2))
        for version in VERSIONS:
            with self.subTest(version):
                for waits in (True, False):
                    client = self.kept("twice", version)
                    client.send(publish(f"twice/{version}/{waits}", "x", 2, 77, version=version))
                    if waits:
                        self.assertEqual(client.packet().bytes, ack(PUBREC, 77))
                    client.close()
                    for _ in range(2):
                        client = self.kept("twice", version)
                        client.send(publish(f"twice/{version}/{waits}", "x", 2, 77, dup=True, version=version))
                        self.assertEqual(client.packet().bytes, ack(PUBREC, 77))
                        client.close()
                    client = self.kept("twice", version)
                    client.send(ack(PUBREL, 77))
                    self.assertEqual(client.packet().bytes, ack(PUBCOMP, 77))
                    # Released, and so the next with this identifier is another message, though it looks the same.
                    client.send(publish(f"twice/{version}/{waits}", "x", 2, 77, version=version))
                    self.assertEqual(client.packet().bytes, ack(PUBREC, 77))
                    client.send(ack(PUBREL, 77))
                    self.assertEqual(client.packet().bytes, ack(PUBCOMP, 77))
                    client.close()
                    got = [reader.receive().topic for _ in range(2)]
                    self.assertEqual(got, [f"twice/{version}/{waits}"] * 2)
                    reader.nothing_else()

    def test_clean_start_forgets(self):
        """A clean start forgets subscriptions, what was under way and what was received [MQTT-3.1.2-4]"""
        client = self.kept("forgetful", V5)
        client.subscribe(("forgotten", 1))
        self.publisher().publish("forgotten", "x", qos=1)
        client.message()
        client.send(publish("other", "x", 2, 5))
        self.assertEqual(client.packet().bytes, ack(PUBREC, 5))
        client.close()
        self.client("forgetful-5").close()
        client = self.kept("forgetful", V5, 0)
        client.send(ack(PUBREL, 5))
        self.assertEqual(client.packet().bytes, ack(PUBCOMP, 5, 0x92))
        self.publisher().publish("forgotten", "y", qos=1)
        client.nothing_else()

    def test_unsubscribed(self):
        """A subscription that was given up is not there again; one that changed is there as it was last [MQTT-3.10.4-1] [MQTT-3.8.4-3]"""
        client = self.kept("changing", V5)
        client.subscribe(("changing/a", 1), ("changing/b", 1), subscription_identifier=3)
        client.unsubscribe("changing/a")
        client.subscribe(("changing/b", 2), subscription_identifier=4)
        client.close()
        publisher = self.publisher()
        publisher.publish("changing/a", "x", qos=2)
        publisher.publish("changing/b", "y", qos=2)
        client = self.kept("changing", V5, 1)
        message = client.receive()
        self.assertEqual((message.topic, message.qos, message.properties["subscription_identifier"]), ("changing/b", 2, [4]))
        client.nothing_else()

    def test_retained_not_again(self):
        """Retained messages come with SUBSCRIBE, not with every connection; those not acknowledged come again as retained [MQTT-3.3.1-9]"""
        publisher = self.publisher()
        for number in range(3):
            publisher.publish(f"kept/{number}", str(number), qos=1, retain=True)
        client = self.client("holder", receive_maximum=2, **KEPT[V5])
        client.subscribe(("kept/+", 1))
        first = [client.message(), client.message()]
        client.send(ack(PUBACK, first[0].mid))
        third = client.message()
        client.close()
        client = self.client("holder", **KEPT[V5])
        again = [client.message(), client.message()]
        self.assertEqual([(each.payload, each.retain, each.dup) for each in again], [(each.payload, True, True) for each in (first[1], third)])
        for message in again:
            client.send(ack(PUBACK, message.mid))
        client.nothing_else()
        client.close()
        self.client("holder", **KEPT[V5]).nothing_else()

    def test_takeover(self):
        """A second connection takes the session over with what is under way; the first is told 0x8E [MQTT-3.1.4-3] [MQTT-3.1.4-2 of 3.1.1]"""
        for version in VERSIONS:
            with self.subTest(version):
                topic = f"taken/{version}"
                first = self.kept("taken", version)
                first.subscribe((topic, 1))
                self.publisher().publish(topic, "x", qos=1)
                message = first.message()
                second = self.kept("taken", version, 1)
                again = second.message()
                self.assertEqual((again.payload, again.mid, again.dup), (b"x", message.mid, True))
                self.ends(first, 0x8E, version)

    def test_more_than_the_window(self):
        """More than a client takes at once waits in the log, not in a queue: all of it comes, in order"""
        client = self.client("slow", receive_maximum=3, **KEPT[V5])
        client.subscribe(("slow/topic", 1))
        client.close()
        publisher = self.publisher()
        for number in range(300):
            publisher.publish("slow/topic", str(number), qos=1)
        client = self.client("slow", receive_maximum=3, **KEPT[V5])
        for number in range(300):
            self.of(client.receive(), payload=str(number).encode(), dup=False)
        client.nothing_else()

    def test_without_identifier(self):
        """A client without an identifier may have a session: under the name that it is given"""
        client = self.client("", session_expiry=60)
        name = client.welcome.properties["assigned_client_identifier"]
        client.subscribe(("nameless", 1))
        client.close()
        self.publisher().publish("nameless", "x", qos=1)
        client = self.client(name, clean=False, session_expiry=60)
        self.assertEqual(client.welcome.present, 1)
        self.of(client.receive(), payload=b"x")

    def test_exact_bytes(self):
        """CONNACK of a session that is there: 01 in its flags"""
        self.kept("bytes", V311).close()
        line = self.line(V311)
        self.assertEqual(self.kept("bytes", V311).welcome.bytes, connack(version=V311, present=1))
        line.close()


class Retention(MQTTTest):
    limits = ("--retention", "1h,1MiB", "--shards", "1")

    def test_gap_is_not_lost(self):
        """A gap that was sent and may not have arrived is told again, until the client has acknowledged what came behind it"""
        reader = self.client("behind", **KEPT[V5])
        reader.subscribe(("behind", 1))
        self.publish("behind", "first")
        self.assertEqual(reader.receive().payload, b"first")
        reader.nothing_else()
        reader.send(disconnect())
        start = self.ask("GET", "/v1/events?topic=behind").json()["cursor"]

        def expired():
            for _ in range(20):
                self.publish("behind", "x" * 50_000)
            return "gap" in self.ask("GET", f"/v1/events?topic=behind&cursor={start}&limit=1").json()

        until(expired, 30, "retention")
        # It takes the gap and a message, and does not say so.
        for _ in range(2):
            reader = self.client("behind", receive_maximum=1, **KEPT[V5])
            gap = reader.packet()
            self.assertEqual((gap.topic, json.loads(gap.payload)["reason"]), ("$tidings/gap", "expired"))
            self.assertEqual(reader.message().topic, "behind")
            reader.close()
        reader = self.client("behind", receive_maximum=1, **KEPT[V5])
        self.assertEqual(reader.packet().topic, "$tidings/gap")
        self.assertEqual(reader.receive().topic, "behind")
        reader.message()
        reader.close()
        reader = self.client("behind", receive_maximum=1, **KEPT[V5])
        self.assertEqual(reader.message().topic, "behind")
