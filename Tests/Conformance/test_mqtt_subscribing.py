"""MQTT from outside: what clients subscribe to, and how it comes."""

import time

from harness.node import until
from outside.mqtt import NO_LOCAL, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, V31, V311, VERSIONS, ack, publish, subscribe, unsuback, unsubscribe
from outside.mqtt_node import PROTOCOL_ERROR, MQTTTest


class Subscribing(MQTTTest):
    def test_granted(self):
        """Each filter gets its code, in order; bad ones theirs [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-4.7.1-1] [MQTT-4.7.1-2]"""
        wishes = [("a", 0), ("b/+", 1), ("c/#", 2), ("a/#/b", 1), ("a+", 1), ("a/b#", 0), ("#", 0), ("+", 2), ("$share/g/a", 1), ("/", 0), ("+/+", 1)]
        codes, _ = self.client("codes").subscribe(*wishes)
        self.assertEqual(codes, [0, 1, 2, 0x8F, 0x8F, 0x8F, 0, 2, 1, 0, 1])
        codes, _ = self.client("codes", V311).subscribe(*wishes)
        self.assertEqual(codes, [0, 1, 2, 0x80, 0x80, 0x80, 0, 2, 1, 0, 1])

    def test_unsubscribe(self):
        """UNSUBSCRIBE says of each filter whether there was one; what is left goes on [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1]"""
        client = self.client("leaving")
        client.subscribe(("leave/a", 0), ("leave/b", 1), ("leave/+", 0))
        self.assertEqual(client.unsubscribe("leave/a", "leave/never", "leave/b", "a/#/b", "leave/a"), [0, 0x11, 0, 0x8F, 0x11])
        client.send(publish("leave/a", "still"))
        self.of(client.message(), payload=b"still", qos=0)
        self.assertEqual(client.unsubscribe("leave/+"), [0])
        client.publish("leave/a", "gone", 1)
        client.nothing_else()
        old = self.client("leaving", V311)
        old.send(unsubscribe(7, "never/was", version=V311))
        self.assertEqual(old.packet().bytes, unsuback(7, version=V311))

    def test_matching(self):
        """Wildcards match as they should, and not what begins with '$' [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.2-1] [MQTT-4.7.3-4] [MQTT-3.3.2-3]"""
        cases = [
            ("sport/tennis/#", ["sport/tennis", "sport/tennis/a", "sport/tennis/a/b"], ["sport", "sport/tenni", "sport/tenniss"]),
            ("m/+", ["m/a", "m/"], ["m", "m/a/b"]), ("+/fin", ["/fin", "a/fin"], ["fin", "a/b/fin"]), ("n/+/z", ["n/y/z", "n//z"], ["n/z", "n/y/z/"]),
            ("Case/a", ["Case/a"], ["case/a", "Case/A", "Case/a/"]),
        ]
        for filter, yes, no in cases:
            with self.subTest(filter):
                client = self.client("matching")
                client.subscribe((filter, 1))
                for topic in [*no, *yes]:
                    client.send(publish(topic, topic))
                client.send(publish(yes[0], "last", 1, 900))
                got = set()
                while True:
                    said = client.packet()
                    if said.kind == PUBACK:
                        continue
                    if said.payload == b"last":
                        break
                    got.add(said.topic)
                while got != set(yes):  # Other shards may be a little later.
                    got.add(client.message().topic)
                client.nothing_else()

    def test_qos_downgrade(self):
        """A message comes with the lower QoS of publisher and subscriber, byte for byte [MQTT-3.8.4-8] [MQTT-3.3.1-3]"""
        for version in VERSIONS:
            client = self.client("down", version)
            for granted in (0, 1, 2):
                self.assertEqual(client.subscribe(("down", granted)), ([granted], []))
                for sent in (0, 1, 2):
                    with self.subTest(version=version, granted=granted, sent=sent):
                        writer = self.client("writer", version)
                        self.assertEqual(writer.publish("down", "x", sent), 0)
                        message = client.receive()
                        qos = min(granted, sent)
                        self.assertEqual(message.bytes, publish("down", "x", qos, message.mid, version=version))

    def test_delivery_of_qos_2(self):
        """QoS 2 to a client goes in four steps; PUBREC twice is PUBREL twice; a PUBREC that refuses ends it [MQTT-4.3.3-1] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.4.0-2]"""
        for version in VERSIONS:
            with self.subTest(version):
                client = self.client("steps", version)
                client.subscribe(("steps", 2))
                self.publish("steps", "x")
                message = self.of(client.message(), qos=2, dup=False)
                for _ in range(2):
                    client.send(ack(PUBREC, message.mid))
                    self.assertEqual(client.packet().bytes, ack(PUBREL, message.mid))
                client.send(ack(PUBCOMP, message.mid))
                client.nothing_else()
        client = self.client("steps")
        client.subscribe(("steps", 2))
        self.publish("steps", "y")
        client.send(ack(PUBREC, client.message().mid, 0x83))
        client.nothing_else()

    def test_order_of_releases(self):
        """PUBRELs are in the order in which PUBRECs came, whatever that is [MQTT-4.6.0-4]"""
        client = self.client("releases")
        client.subscribe(("released", 2))
        for number in range(9):
            self.publish("released", str(number))
        mids = [client.message().mid for _ in range(9)]
        shuffled = mids[1::2] + mids[::2]
        client.send(b"".join(ack(PUBREC, mid) for mid in shuffled))
        self.assertEqual([client.packet().bytes for _ in mids], [ack(PUBREL, mid) for mid in shuffled])

    def test_unsubscribe_in_flight(self):
        """What was on its way when UNSUBSCRIBE came goes all its steps, and nothing else comes [MQTT-3.10.4-3]"""
        client = self.client("in flight")
        client.subscribe(("flying", 2))
        self.publish("flying", "x")
        mid = client.message().mid
        self.assertEqual(client.unsubscribe("flying"), [0])
        self.publish("flying", "y")
        client.send(ack(PUBREC, mid))
        self.assertEqual(client.packet().bytes, ack(PUBREL, mid))
        client.send(ack(PUBCOMP, mid))
        client.nothing_else()

    def test_wrong_acknowledgements(self):
        """A message acknowledged as one of another QoS is an error: 0x82"""
        for qos, kind in ((1, PUBREC), (1, PUBCOMP), (2, PUBACK), (2, PUBCOMP)):
            with self.subTest(qos=qos, kind=kind):
                client = self.client("crossed")
                client.subscribe(("crossed", qos))
                self.publish("crossed", "x")
                client.send(ack(kind, client.message().mid))
                self.ends(client, PROTOCOL_ERROR)

    def test_order(self):
        """Messages of one publisher to one topic come in their order, with QoS 1 and 2 in flight together [MQTT-4.6.0-5] [MQTT-4.6.0-6]"""
        for version in VERSIONS:
            with self.subTest(version):
                client = self.client("ordered", version)
                client.subscribe(("ordered", 2))
                writer = self.client("orderer", version)
                writer.send(b"".join(publish("ordered", str(number), 1 + number % 2, number + 1, version=version) for number in range(100)))
                got = [client.message() for _ in range(100)]
                self.assertEqual([int(each.payload) for each in got], list(range(100)))
                self.assertEqual(len({each.mid for each in got}), 100)
                self.assertTrue(all(not each.dup for each in got))

    def test_window(self):
        """No more is in flight than the client's receive maximum; QoS 0 goes on meanwhile, and acknowledgements open the window [MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-2] [MQTT-4.9.0-3]"""
        client = self.client("window", receive_maximum=2)
        client.subscribe(("window", 2))
        for number in range(6):
            self.publish("window", str(number))
        first, second = client.message(), client.message()
        client.nothing_else()
        client.send(ack(PUBREC, first.mid))
        self.assertEqual(client.packet().bytes, ack(PUBREL, first.mid))
        client.nothing_else()  # Only PUBCOMP gives the place back.
        client.send(ack(PUBCOMP, first.mid))
        third = client.message()
        client.send(ack(PUBREC, second.mid, 0x80))  # As does a PUBREC that refuses.
        fourth = client.message()
        self.assertEqual([each.payload for each in (first, second, third, fourth)], [b"0", b"1", b"2", b"3"])
        client.nothing_else()

    def test_no_local(self):
        """No local keeps a client's own messages from it and no others [MQTT-3.8.3-3]"""
        client = self.client("local")
        client.subscribe(("local/own", NO_LOCAL | 1), ("local/all", 1))
        other = self.client("stranger")
        self.assertEqual(client.publish("local/own", "mine", 1), 0)
        other.publish("local/own", "theirs", 1)
        self.of(client.receive(), topic="local/own", payload=b"theirs")
        client.send(publish("local/all", "mine"))
        self.of(client.message(), topic="local/all", payload=b"mine")
        client.nothing_else()
        # A client that comes again with its name is no stranger to itself, whichever connection sent it.
        self.publish("local/own", "by HTTP")
        self.of(client.receive(), payload=b"by HTTP")

    def test_overlapping(self):
        """A message that several subscriptions want comes once, with the highest QoS and every identifier [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4]"""
        client = self.client("overlap")
        client.subscribe(("over/+", 0), subscription_identifier=1)
        client.subscribe(("over/#", 2), subscription_identifier=268435455)
        client.subscribe(("over/lap", 1))
        client.subscribe(("elsewhere", 2), subscription_identifier=7)
        self.publish("over/lap", "x")
        message = self.of(client.receive(), qos=2)
        self.assertEqual(sorted(message.properties["subscription_identifier"]), [1, 268435455])
        self.assertEqual(client.unsubscribe("over/#"), [0])
        self.publish("over/lap", "y")
        self.of(client.receive(), qos=1, payload=b"y", subscription_identifier=[1])
        client.nothing_else()
        for version in (V31, V311):
            old = self.client("overlap", version)
            old.subscribe(("over/+", 0), ("over/#", 1), ("over/lap", 0))
            self.publish("over/lap", "z")
            self.assertEqual((message := old.receive()).bytes, publish("over/lap", "z", 1, message.mid, version=version))
            old.nothing_else()

    def test_subscribing_again(self):
        """SUBSCRIBE to a filter that is held takes its place: other QoS, other identifier, and nothing twice [MQTT-3.8.4-3]"""
        client = self.client("again")
        client.subscribe(("again", 2), subscription_identifier=1)
        client.subscribe(("again", 0), subscription_identifier=2)
        self.publish("again", "x")
        self.of(client.message(), qos=0, subscription_identifier=[2])
        client.subscribe(("again", 1))
        self.publish("again", "y")
        self.of(client.receive(), qos=1, subscription_identifier=None)
        client.nothing_else()

    def test_expiry(self):
        """Message expiry is counted down by what a message waited, and what is expired is not delivered [MQTT-3.3.2-5] [MQTT-3.3.2-6]"""
        client = self.client("expiring")
        self.assertEqual(client.publish("expiry/long", "x", 1, retain=True, message_expiry=100), 0)
        self.assertEqual(client.publish("expiry/short", "x", 1, retain=True, message_expiry=1), 0)
        began = time.monotonic()
        until(lambda: self.value_of("expiry/short") is None, 4, "the end of a message")
        _, before = client.subscribe(("expiry/#", 0))
        message = before[0] if before else client.message()
        waited = time.monotonic() - began
        self.of(message, topic="expiry/long", retain=True)
        self.assertTrue(100 - waited - 2 < message.properties["message_expiry"] <= 100 - int(waited - 0.5), message)
        client.nothing_else()

    def test_largest_for_client(self):
        """What is larger than the client takes is not sent to it, as if it had been; what fits goes on [MQTT-3.1.2-24] [MQTT-3.1.2-25]"""
        client = self.client("small", maximum_packet_size=60)
        client.subscribe(("small", 1))
        self.publish("small", "x" * 100)
        self.publish("small", "fits")
        self.of(client.receive(), payload=b"fits")
        client.nothing_else()
        plain = self.client("small and plain", maximum_packet_size=60)
        plain.subscribe(("small", 0))
        self.publish("small", "x" * 100)
        self.publish("small", "fits")
        self.of(plain.message(), payload=b"fits")
        exact = publish("small", "x" * 50)
        self.assertEqual(len(exact), 60)
        self.publish("small", "x" * 50)
        self.assertEqual(plain.packet().bytes, exact)
        self.publish("small", "x" * 51)
        plain.nothing_else()

    def test_aliases_out(self):
        """Towards a client that allows them topics are told once and then by their number [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11]"""
        client = self.client("aliased", topic_alias_maximum=2)
        client.subscribe(("aliased/#", 0))
        topics, known = ["one", "one", "two", "one", "three", "three", "two"], {}
        for number, name in enumerate(topics):
            self.publish(f"aliased/{name}", str(number))
            message = self.of(client.message(), payload=str(number).encode())
            alias = message.properties["topic_alias"]
            self.assertIn(alias, (1, 2))
            if message.topic:
                known[alias] = message.topic
            self.assertEqual(known[alias], f"aliased/{name}")
        self.assertEqual(len(known), 2)
        none = self.client("not aliased")
        none.subscribe(("aliased/#", 0))
        for _ in range(2):
            self.publish("aliased/one", "x")
            self.assertEqual(none.packet().bytes, publish("aliased/one", "x"))

    def test_cursor(self):
        """A subscription may begin at a cursor of HTTP; one that is none is refused"""
        first = self.publish("resumed/a", "before")["cursor"]
        for name in ("b", "a"):
            self.publish(f"resumed/{name}", f"after {name}")
        client = self.client("resumed")
        codes, before = client.subscribe(("resumed/#", 1), user_property=[("tidings-cursor", first)])
        self.assertEqual(codes, [1])
        got = [*before]
        while not any(each.payload == b"after a" for each in got):
            got.append(client.message())
        self.assertNotIn(b"before", [each.payload for each in got])
        self.assertTrue(all(not each.retain for each in got))
        codes, _ = client.subscribe(("resumed/b", 1), user_property=[("tidings-cursor", "nonsense")])
        self.assertEqual(codes, [0x83])

    def test_gap_in_few_bytes(self):
        """A gap is told in as many bytes as the client takes [MQTT-3.1.2-24]"""
        self.publish("few/a", "1")
        for largest, told in ((200, b'"from":'), (60, b'{"reason":"foreign"}'), (30, b"")):
            client = self.client(f"few-{largest}", maximum_packet_size=largest)
            _, before = client.subscribe(("few/#", 1), user_property=("tidings-cursor", "v1~000000000000~3.7"))
            gap = before[0] if before else client.packet()
            self.assertEqual(gap.topic, "$tidings/gap")
            self.assertIn(told, gap.payload)
            self.assertLessEqual(len(gap.bytes), largest)
            self.assertEqual(client.receive().payload, b"1")

    def test_bad_cursor_keeps_what_there_was(self):
        """A SUBSCRIBE that is refused leaves the subscription as it was [MQTT-3.8.4-3]"""
        client = self.client("unharmed")
        client.subscribe(("unharmed", 1), subscription_identifier=3)
        self.assertEqual(client.subscribe(("unharmed", 0), user_property=[("tidings-cursor", "nonsense")])[0], [0x83])
        self.publish("unharmed", "x")
        self.of(client.receive(), qos=1, subscription_identifier=[3])

    def test_burst(self):
        """Hundreds of messages on every shard come once each and in order, whatever the window"""
        writer = self.client("burster")
        for name, options, more in (("one", 1, {"receive_maximum": 1}), ("seven", 2, {"receive_maximum": 7}), ("all", 1, {}), ("zero", 0, {}), ("aliases", 0, {"topic_alias_maximum": 5})):
            with self.subTest(name):
                reader = self.client(f"reader {name}", **more)
                reader.subscribe((f"burst/{name}/#", options))
                topics, each = [f"burst/{name}/{number}" for number in range(20)], 20
                for number in range(each):
                    writer.send(b"".join(publish(topic, str(number), 1, 1 + place) for place, topic in enumerate(topics)))
                    for place in range(len(topics)):
                        self.assertEqual(writer.packet().bytes, ack(PUBACK, 1 + place))
                seen, aliases = {}, {}
                for _ in range(len(topics) * each):
                    message = reader.receive()
                    if (alias := message.properties.get("topic_alias")) and message.topic:
                        aliases[alias] = message.topic
                    seen.setdefault(message.topic or aliases[alias], []).append(int(message.payload))
                self.assertEqual(seen, {topic: list(range(each)) for topic in topics})
                reader.nothing_else()

    def test_subscriptions_come_and_go(self):
        """While messages flow other subscriptions come and go; those that stay miss nothing and get nothing twice"""
        for qos in (0, 1):
            with self.subTest(qos=qos):
                reader, writer = self.client(f"changing {qos}"), self.client("flowing")
                reader.subscribe((f"flow/{qos}/+", qos))
                got, total, mid = [], 200, 1000
                for number in range(total):
                    writer.send(publish(f"flow/{qos}/{number % 7}", str(number)))
                    mid += 1
                    if number % 4 == 0:
                        reader.send(subscribe(mid, (f"flow/{qos}/#", qos) if number % 8 else (f"elsewhere/{number}", qos)))
                    elif number % 4 == 2:
                        reader.send(unsubscribe(mid, f"flow/{qos}/#"))
                while len(got) < total:
                    said = reader.packet()
                    if said.kind == PUBLISH:
                        if said.qos:
                            reader.send(ack(PUBACK, said.mid))
                        got.append((int(said.topic.rsplit("/", 1)[1]), int(said.payload)))
                self.assertEqual(sorted(number for _, number in got), list(range(total)))
                for topic in range(7):
                    mine = [number for place, number in got if place == topic]
                    self.assertEqual(mine, sorted(mine))
                writer.nothing_else()

    def test_slow_reader(self):
        """A client that does not read is read for again when it does: nothing is lost or doubled, in any QoS"""
        for qos in (0, 1):
            with self.subTest(qos=qos):
                reader = self.client(f"slow reader {qos}", receive_buffer=4096, timeout=10)
                reader.subscribe((f"slow/{qos}", qos))
                writer = self.client("fast", timeout=10)
                body = b"x" * 20_000
                for start in range(0, 400, 100):
                    writer.send(b"".join(publish(f"slow/{qos}", b"%d " % number + body, 1, 1 + number) for number in range(start, start + 100)))
                    for number in range(100):
                        self.assertEqual(writer.packet().kind, PUBACK)
                got = []
                while len(got) < 400:
                    message = reader.message()
                    if message.qos:
                        reader.send(ack(PUBACK, message.mid))
                    got.append(int(message.payload.split()[0]))
                self.assertEqual(got, list(range(400)))
                reader.nothing_else()

    def test_many_filters(self):
        """A hundred filters in one SUBSCRIBE, and as many subscriptions one by one, are all live when answered"""
        client = self.client("many")
        codes, _ = client.subscribe(*[(f"many/{number}", 1) for number in range(100)])
        self.assertEqual(codes, [1] * 100)
        for number in range(100, 130):
            client.subscribe((f"many/{number}", 0))
        for number in (0, 50, 99, 100, 129):
            self.publish(f"many/{number}", str(number))
            self.of(client.receive(), topic=f"many/{number}", payload=str(number).encode())
