"""MQTT from outside: CONNECT and what comes before, beside and instead of it, in 3.1, 3.1.1 and 5.0.

Statements are numbered as in the specification of 5.0; those of 3.1.1 say so.
"""

import threading
import time

from outside.mqtt import (
    AUTH, CONNACK, IF_NEW, Line, PING, PINGRESP, PONG, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, SUBSCRIBE, UNSUBACK, V31, V311, V5, VERSIONS,
    ack, connack, connect, disconnect, packet, properties, publish, suback, subscribe, unsuback, unsubscribe)
from outside.mqtt_node import MALFORMED, PROTOCOL_ERROR, TERMS, MQTTTest


class Connecting(MQTTTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Who says nothing, or not all of a CONNECT, has ten seconds; the last test of the class looks.
        cls.began = time.monotonic()
        cls.silent = {"nothing": Line(cls.mqtt, timeout=15), "half a CONNECT": Line(cls.mqtt, timeout=15), "the first byte": Line(cls.mqtt, timeout=15)}
        cls.silent["half a CONNECT"].send(connect("half")[:9])
        cls.silent["the first byte"].send(b"\x10")
        cls.ended = {}

        def wait(name, line):
            cls.ended[name] = (line.said(), time.monotonic() - cls.began)

        cls.waiting = [threading.Thread(target=wait, args=each, daemon=True) for each in cls.silent.items()]
        for thread in cls.waiting:
            thread.start()

    def test_exact(self):
        """CONNECT is answered CONNACK, in each version its own bytes [MQTT-3.2.0-1] [MQTT-3.2.2-1] [MQTT-3.2.2-2]"""
        cases = {
            V31: (bytes.fromhex("10 0f 00 06 4d 51 49 73 64 70 03 02 00 3c 00 01 61"), bytes.fromhex("20 02 00 00")),
            V311: (bytes.fromhex("10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61"), bytes.fromhex("20 02 00 00")),
            V5: (bytes.fromhex("10 0e 00 04 4d 51 54 54 05 02 00 3c 00 00 01 61"), bytes.fromhex("20 0e 00 00 0b 21 04 00 27 00 11 00 00 22 00 40")),
        }
        for version, (said, expected) in cases.items():
            for suffix, size in (("", len(said)), (", byte by byte", 1)):
                with self.subTest(f"{version}{suffix}"):
                    line = self.line(version).dribble(said, size)
                    self.assertEqual(line.packet().bytes, expected)
                    line.send(PING)
                    self.assertEqual(line.packet().bytes, PONG)

    def test_terms(self):
        """CONNACK announces the limits of a node, and how long a session is kept where that is less than asked for"""
        self.assertEqual(self.client("terms").welcome.properties, TERMS)
        self.assertEqual(self.client("expiry", session_expiry=300).welcome.properties, TERMS)
        self.assertEqual(self.client("expiry", session_expiry=0xFFFFFFFF).welcome.properties, {"session_expiry": 7 * 24 * 3600, **TERMS})

    def test_assigned_identifier(self):
        """A client without an identifier gets one in 5.0 that is nobody else's, and may have one in 3.1.1 [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]"""
        names = {self.client().welcome.properties["assigned_client_identifier"] for _ in range(5)}
        self.assertEqual(len(names), 5)
        self.assertNotIn("", names)
        self.assertEqual(self.client("", V311).welcome.bytes, connack(version=V311))

    def test_empty_identifier(self):
        """Without an identifier 3.1.1 keeps no session and 3.1 knows no client: return code 2 [MQTT-3.1.3-8 of 3.1.1] [MQTT-3.1.3-9 of 3.1.1]"""
        for version, clean in ((V311, False), (V31, True), (V31, False)):
            with self.subTest(version=version, clean=clean):
                line = self.line(version).send(connect("", version, clean))
                self.assertEqual([each.bytes for each in line.said()], [connack(2, version=version)])

    def test_names_and_levels(self):
        """Wrong protocol names are closed, wrong levels answered 0x84 or return code 1 [MQTT-3.1.2-1] [MQTT-3.1.2-2] [MQTT-3.1.2-2 of 3.1.1]"""
        for name in ("MQTTX", "mqtt", "", "MQIsdP", "HTTP", "M" * 60):
            with self.subTest(name):
                self.ends(self.line().send(connect("a", V311, name=name)))
        cases = (("MQTT", 6, V5, 0x84), ("MQTT", 3, V311, 1), ("MQTT", 2, V311, 1), ("MQTT", 0x84, V311, 1), ("MQIsdp", 4, V31, 1), ("MQIsdp", 5, V31, 1))
        for name, level, answered, code in cases:
            with self.subTest(name, level=level):
                said = self.line(answered).send(connect("a", V311, name=name, level=level)).said()
                self.assertEqual([(each.kind, each.code, each.present) for each in said], [(CONNACK, code, 0)])

    def test_before_connect(self):
        """Whatever comes before CONNECT ends the connection without a word [MQTT-3.1.0-1] [MQTT-3.14.0-1]"""
        early = {
            "PUBLISH": publish("early/message", "x", retain=True, version=V311), "SUBSCRIBE": subscribe(1, ("#", 0), version=V311), "PINGREQ": PING,
            "DISCONNECT": disconnect(), "PUBREL": ack(PUBREL, 1), "UNSUBSCRIBE": unsubscribe(1, "#", version=V311), "AUTH": packet(AUTH, 0, b""),
            "CONNACK": connack(), "an HTTP request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "zeros": bytes(20), "TLS": bytes.fromhex("16 03 01 02 00 01 00"),
        }
        for name, said in early.items():
            with self.subTest(name):
                self.ends(self.line().send(said + connect("late")))
        self.assertIsNone(self.value_of("early/message"))

    def test_bad_connects(self):
        """A CONNECT that is none is refused in 5.0 with its reason, and closed before [MQTT-3.1.2-3] [MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13] [MQTT-3.1.4-1] [MQTT-3.1.4-6] [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-4.12.0-1]"""
        will = ("w", "x")
        cases = [
            ("a reserved flag", dict(flags=0x03), MALFORMED),
            ("will QoS without a will", dict(flags=0x0A), MALFORMED),
            ("will retain without a will", dict(flags=0x22), MALFORMED),
            ("will QoS 3", dict(will=will, flags=0x1E), MALFORMED),
            ("a user name that is not there", dict(flags=0x82), MALFORMED),
            ("an identifier that is not UTF-8", dict(client=b"\xc3\x28"), MALFORMED),
            ("an identifier with a null", dict(client=b"a\0b"), MALFORMED),
            ("an identifier that is too long", dict(client="x" * 1025), 0x85),
            ("a will to a filter", dict(client="a", will=("w/#", "x")), 0x90),
            ("a will to nothing", dict(client="a", will=("", "x")), 0x90),
        ]
        for version in (V311, V5):
            for name, more, code in cases:
                with self.subTest(name, version=version):
                    said = self.line(version).send(connect(version=version, **{"client": "bad", **more}) + publish("bad/connect", "x", retain=True, version=version)).said()
                    expected = [(CONNACK, code)] if version == V5 else [(CONNACK, 2)] if code == 0x85 else []
                    self.assertEqual([(each.kind, each.code) for each in said], expected)
        fives = [
            ("a receive maximum of 0", dict(receive_maximum=0), PROTOCOL_ERROR), ("a packet size of 0", dict(maximum_packet_size=0), PROTOCOL_ERROR),
            ("request problem information 2", dict(request_problem_information=2), PROTOCOL_ERROR),
            ("session expiry twice", dict(session_expiry=[1, 2]), PROTOCOL_ERROR), ("a property of PUBLISH", dict(topic_alias=1), MALFORMED),
            ("authentication data without a method", dict(authentication_data=b"x"), PROTOCOL_ERROR),
            ("authentication", dict(authentication_method="SCRAM-SHA-1", authentication_data=b"x"), 0x8C),
            ("a will delay outside of the will", dict(will_delay=3), MALFORMED),
            ("a will said to be UTF-8 that is not", dict(will=("w", b"\xff", 0, False, {"payload_format": 1})), 0x99),
        ]
        for name, more, code in fives:
            with self.subTest(name):
                said = self.line().send(connect(**{"client": "bad", **more})).said()
                self.assertEqual([(each.kind, each.code) for each in said], [(CONNACK, code)])
        with self.subTest("bytes behind the payload"):
            whole = connect("a")
            said = self.line().send(bytes([0x10, whole[1] + 1]) + whole[2:] + b"x").said()
            self.assertEqual([(each.kind, each.code) for each in said], [(CONNACK, MALFORMED)])
        with self.subTest("a password without a name [MQTT-3.1.2-22 of 3.1.1]"):
            self.ends(self.line(V311).send(connect("a", V311, password="x")))
            self.assertEqual(self.client("a", V5, password="x").welcome.code, 0)
        self.assertIsNone(self.value_of("bad/connect"))

    def test_lenient(self):
        """3.1 and 3.1.1 come in as their texts have it: user names, passwords, wills, and a 3.1 client with a long name"""
        for version in VERSIONS:
            client = self.client("n" * 100, version, user="me", password=b"\xff\0", will=("will/here", b"\xff", 1, True))
            client.nothing_else()
            client.send(disconnect())
            self.ends(client)
        self.assertIsNone(self.value_of("will/here"))

    def test_at_once(self):
        """A client need not wait for CONNACK: what it says at once, in one write, is answered behind it [MQTT-3.2.0-1] [MQTT-3.2.0-2]"""
        for version in VERSIONS:
            with self.subTest(version):
                line = self.line(version)
                line.send(
                    connect("eager", version) + subscribe(1, ("eager/+", 1), version=version) + publish("eager/one", "1", 1, 2, version=version)
                    + publish("eager/two", "2", version=version) + unsubscribe(3, "eager/+", version=version) + PING + disconnect())
                said = line.said()
                kinds = [each.kind for each in said]
                self.assertEqual(kinds[0], CONNACK)
                self.assertEqual(kinds.count(CONNACK), 1)
                self.assertIn(PINGRESP, kinds)

    def test_pipelined(self):
        """Packets in one write are all answered, each kind in its order [MQTT-3.8.4-1] [MQTT-2.2.1-5] [MQTT-2.2.1-6]"""
        for version in VERSIONS:
            with self.subTest(version):
                client = self.client("pipes", version)
                client.send(
                    subscribe(3, ("pipe/b", 1), ("pipe/c", 2), version=version) + subscribe(4, ("pipe/b", 2), version=version)
                    + publish("pipe/x", "1", 1, 5, version=version) + publish("pipe/x", "2", 2, 6, version=version) + PING)
                answers = [client.packet().bytes for _ in range(5)]
                expected = [suback(3, 1, 2, version=version), suback(4, 2, version=version), ack(PUBACK, 5), ack(PUBREC, 6), PONG]
                self.assertEqual(sorted(answers), sorted(expected))
                self.assertLess(answers.index(expected[0]), answers.index(expected[1]))
                self.assertLess(answers.index(expected[2]), answers.index(expected[3]))
                client.send(ack(PUBREL, 6))
                self.assertEqual(client.packet().bytes, ack(PUBCOMP, 6))

    def test_there_and_back(self):
        """SUBSCRIBE and UNSUBSCRIBE of the same filters in one write are answered, and leave what they should [MQTT-3.8.4-1] [MQTT-3.10.4-4]"""
        self.publish("back/a", "value", method="PUT")
        for version in VERSIONS:
            for held in (False, True):
                with self.subTest(version=version, held=held):
                    client = self.client("back", version)
                    if held:
                        client.subscribe(("other", 1))
                    client.send(subscribe(11, ("back/a", 0), version=version) + unsubscribe(12, "back/a", version=version) + PING)
                    said = [client.packet() for _ in range(3)]
                    self.assertEqual(sorted(each.kind for each in said if each.kind != PUBLISH), [SUBACK, UNSUBACK, PINGRESP])
                    client.send(subscribe(13, ("back/b", 0), ("back/c", 1), version=version) + unsubscribe(14, "back/b", "back/a", version=version))
                    said = [client.packet().bytes for _ in range(2)]
                    self.assertEqual(said, [suback(13, 0, 1, version=version), unsuback(14, 0, 0x11, version=version)])
                    self.publish("back/b", "no")
                    self.publish("back/c", "yes")
                    self.of(client.receive(), topic="back/c")
                    client.nothing_else()
                    # What was left is no more: a new subscription is new.
                    options = IF_NEW if version == V5 else 0
                    codes, got = client.subscribe(("back/a", options))
                    while not got:
                        got.append(client.message())
                    self.assertEqual([each.payload for each in got], [b"value"])

    def test_slow_senders(self):
        """How slowly a client sends makes no difference: whole conversations byte by byte"""
        for version in VERSIONS:
            with self.subTest(version):
                client = self.client("slow", version)
                client.dribble(subscribe(9, ("slow/topic", 1), version=version))
                self.assertEqual(client.packet().bytes, suback(9, 1, version=version))
                client.dribble(publish("slow/topic", "a" * 200, 1, 10, version=version))
                said = {each.kind: each for each in (client.packet(), client.packet())}
                self.assertEqual(said[PUBACK].bytes, ack(PUBACK, 10))
                self.of(said[PUBLISH], topic="slow/topic", payload=b"a" * 200, qos=1)
                client.dribble(ack(PUBACK, said[PUBLISH].mid) + unsubscribe(11, "slow/topic", version=version))
                self.assertEqual(client.packet().bytes, unsuback(11, 0, version=version))

    def test_takeover(self):
        """A client identifier is one connection's: who comes later has it, and the earlier is told 0x8E [MQTT-3.1.4-3]"""
        for version in VERSIONS:
            with self.subTest(version):
                last = self.client("the same", version)
                for _ in range(30):  # On one reactor, and from one to another.
                    first, last = last, self.client("the same", version)
                    self.ends(first, 0x8E, version)
                    last.nothing_else()
        # Names are bytes: these only look alike.
        one, other = self.client("caf\u00e9"), self.client("cafe\u0301")
        one.nothing_else()
        other.nothing_else()

    def test_authentication(self):
        """AUTH is an error for who named no method, and no packet at all before 5.0 [MQTT-4.12.0-7]"""
        client = self.client("auth")
        client.send(packet(AUTH, 0, b"\x18" + properties(authentication_method="x")))
        self.ends(client, PROTOCOL_ERROR)
        client = self.client("auth", V311)
        client.send(packet(AUTH, 0, b""))
        self.ends(client, None, V311)

    def test_problem_information(self):
        """Reasons in words come only to clients that want them [MQTT-3.1.2-29]"""
        for wanted in (1, 0):
            client = self.client("words", request_problem_information=wanted)
            client.send(packet(SUBSCRIBE, 2, b"\0\1\0"))
            (said,) = client.said()
            self.assertEqual((said.code, "reason_string" in said.properties), (PROTOCOL_ERROR, bool(wanted)))

    def test_zz_half_open(self):
        """Who says nothing, or only half a CONNECT, is let go after ten seconds"""
        for thread in self.waiting:
            thread.join(15)
        for name, line in self.silent.items():
            with self.subTest(name):
                said, after = self.ended[name]
                self.assertEqual(said, [])
                self.assertTrue(9.5 < after < 13, after)
                line.close()
