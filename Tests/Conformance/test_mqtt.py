"""MQTT 3.1, 3.1.1 and 5.0 from outside: exact bytes, and what a client may not say.

Statements are numbered as in the specification of 5.0; those of 3.1.1 say so. What is wrong is sent whole and byte by
byte, and behind it stands a message that must not be taken.
"""

import select
import struct
import threading
import time

from harness.node import free_port, until
from outside.frames import BINARY, TEXT, Socket, frame, handshake, key
from outside.mqtt import (
    AS_PUBLISHED, AUTH, CONNACK, CONNECT, DISCONNECT, IF_NEW, NEVER, NO_LOCAL, PING, PINGREQ, PINGRESP, PONG, PUBACK, PUBCOMP, PUBLISH, PUBREC,
    PUBREL, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, V31, V311, V5, VERSIONS, Client, Line, ack, block, connack, connect, data, disconnect, inner,
    own, packet, properties, publish, suback, subscribe, unsuback, unsubscribe)
from outside.node import NodeTest
from outside.wire import Ended, Wire

MALFORMED, PROTOCOL_ERROR = 0x81, 0x82
LARGEST = (1 << 20) + (64 << 10)
# What CONNACK of 5.0 says of a node as it is without options.
TERMS = {"receive_maximum": 1024, "maximum_packet_size": LARGEST, "topic_alias_maximum": 64, "shared_available": 0}


class MQTTTest(NodeTest):
    limits = ()

    @classmethod
    def setUpClass(cls):
        cls.mqtt = free_port()
        cls.options = ("--mqtt", f"127.0.0.1:{cls.mqtt}", *cls.limits)
        super().setUpClass()

    def client(self, name="", version=V5, **more):
        client = Client(self.mqtt, name, version, **more)
        self.addCleanup(client.close)
        return client

    def line(self, version=V5, **more):
        line = Line(self.mqtt, version, **more)
        self.addCleanup(line.close)
        return line

    def ends(self, line, code=None, version=V5):
        """That the server ends the connection, having said why where the version has words for it, and nothing else."""
        said = line.said()
        if version == V5 and code is not None:
            self.assertEqual([(each.kind, each.code) for each in said], [(DISCONNECT, code)], said)
        else:
            self.assertEqual(said, [])

    def of(self, message, **expected):
        """That a message has these fields and properties."""
        for name, value in expected.items():
            found = getattr(message, name) if name in ("topic", "payload", "qos", "retain", "dup", "mid") else message.properties.get(name)
            self.assertEqual(found, value, f"{name} of {message}")
        return message

    def value_of(self, topic):
        answer = self.ask("GET", f"/v1/topics/{topic}")
        return answer.body if answer.status == 200 else None


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
            V5: (bytes.fromhex("10 0e 00 04 4d 51 54 54 05 02 00 3c 00 00 01 61"), bytes.fromhex("20 10 00 00 0d 21 04 00 27 00 11 00 00 22 00 40 2a 00")),
        }
        for version, (said, expected) in cases.items():
            for suffix, size in (("", len(said)), (", byte by byte", 1)):
                with self.subTest(f"{version}{suffix}"):
                    line = self.line(version).dribble(said, size)
                    self.assertEqual(line.packet().bytes, expected)
                    line.send(PING)
                    self.assertEqual(line.packet().bytes, PONG)

    def test_terms(self):
        """CONNACK announces the limits of a node, and that a session ends with its connection [MQTT-3.2.2-2] [MQTT-3.2.2-3]"""
        self.assertEqual(self.client("terms").welcome.properties, TERMS)
        self.assertEqual(self.client("expiry", session_expiry=300).welcome.properties, {"session_expiry": 0, **TERMS})
        self.assertEqual(self.client("kept", V311, clean=False).welcome.present, 0)
        self.assertEqual(self.client("kept", V5, clean=False).welcome.present, 0)

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
        """Whatever comes before CONNECT ends the connection without a word [MQTT-3.1.0-1]"""
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
        """What looks wrong and is allowed: odd but right packets are taken"""
        client = self.client("odd")
        for topic in ("/", "//", "a//b", "/leading", "trailing/", "with space", "\u2603", "\U0001F680/x", "\ufeffbom"):
            with self.subTest(topic):
                self.assertEqual(client.publish(topic, "x", 1), 0)
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
        """Acknowledgements come in the order of the messages, of whatever topics [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4]"""
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
        """A topic alias stands for the topic it was last given, and for one connection only [MQTT-3.3.2-7] [MQTT-3.3.2-10]"""
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


class Subscribing(MQTTTest):
    def test_granted(self):
        """Each filter gets its code, in order; bad ones theirs [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-4.7.1-1] [MQTT-4.7.1-2]"""
        wishes = [("a", 0), ("b/+", 1), ("c/#", 2), ("a/#/b", 1), ("a+", 1), ("a/b#", 0), ("#", 0), ("+", 2), ("$share/g/a", 1), ("/", 0), ("+/+", 1)]
        codes, _ = self.client("codes").subscribe(*wishes)
        self.assertEqual(codes, [0, 1, 2, 0x8F, 0x8F, 0x8F, 0, 2, 0x9E, 0, 1])
        codes, _ = self.client("codes", V311).subscribe(*wishes)
        self.assertEqual(codes, [0, 1, 2, 0x80, 0x80, 0x80, 0, 2, 0x80, 0, 1])

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
        """Wildcards match as they should, and not what begins with '$' [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.2-1] [MQTT-4.7.3-4]"""
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
        """QoS 2 to a client goes in four steps; PUBREC twice is PUBREL twice; a PUBREC that refuses ends it [MQTT-4.3.3-1] [MQTT-4.3.3-4] [MQTT-4.3.3-5]"""
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


class Retained(MQTTTest):
    def values(self, client, *wishes, **more):
        """Subscribes, and hands back the retained messages that came, by topic."""
        codes, before = client.subscribe(*wishes, **more)
        client.send(PING)
        while (said := client.packet()).kind != PINGRESP:
            if said.qos:
                client.send(ack(PUBACK if said.qos == 1 else PUBREC, said.mid))
            before.append(said)
        return {each.topic: each for each in before}

    def test_set_replace_clear(self):
        """A retained message is kept, replaced by the next and cleared by an empty one [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT-3.3.1-8]"""
        for version in VERSIONS:
            with self.subTest(version):
                writer = self.client("keeper", version)
                reader = self.client("late", version)
                topic = f"kept/{version}"
                self.assertEqual(self.values(reader, (topic, 0)), {})
                writer.publish(topic, "first", 1, retain=True)
                # To who is subscribed already it is a message like any other.
                self.assertEqual(reader.packet().bytes, publish(topic, "first", version=version))
                writer.publish(topic, "passing", 1)
                self.assertEqual(reader.packet().bytes, publish(topic, "passing", version=version))
                late = self.client("later", version)
                self.assertEqual(self.values(late, (topic, 0))[topic].bytes, publish(topic, "first", retain=True, version=version))
                writer.publish(topic, "second", 2, retain=True)
                self.assertEqual(late.message().payload, b"second")
                self.assertEqual(self.values(self.client("latest", version), (topic, 0))[topic].payload, b"second")
                writer.publish(topic, b"", 1, retain=True)
                self.assertEqual(late.packet().bytes, publish(topic, b"", version=version))
                self.assertEqual(self.values(self.client("none", version), (topic, 0)), {})

    def test_wildcards(self):
        """A wildcard brings every retained message under it, once [MQTT-3.3.1-9]"""
        writer = self.client("filler")
        for number in range(40):
            writer.publish(f"wild/{number}/x", str(number), 1, retain=True)
        got = self.values(self.client("wildcards"), ("wild/+/x", 1))
        self.assertEqual({int(each.payload) for each in got.values()}, set(range(40)))
        self.assertTrue(all(each.retain and each.qos == 1 for each in got.values()))

    def test_handling(self):
        """Retain handling 0 always, 1 for new subscriptions only, 2 never [MQTT-3.3.1-9] [MQTT-3.8.4-4] [MQTT-3.3.1-10] [MQTT-3.3.1-11]"""
        self.publish("handled", "x", method="PUT")
        client = self.client("handling")
        self.assertEqual(set(self.values(client, ("handled", IF_NEW))), {"handled"})
        self.assertEqual(self.values(client, ("handled", IF_NEW)), {})
        self.assertEqual(set(self.values(client, ("handled", 0))), {"handled"})
        self.assertEqual(set(self.values(client, ("handled", 0))), {"handled"})
        self.assertEqual(self.values(client, ("handled", NEVER)), {})
        client.unsubscribe("handled")
        self.assertEqual(self.values(client, ("handled", NEVER)), {})
        client.unsubscribe("handled")
        self.assertEqual(set(self.values(client, ("handled", IF_NEW))), {"handled"})

    def test_as_published(self):
        """The retain flag of live messages is kept for who asks for it [MQTT-3.3.1-12] [MQTT-3.3.1-13]"""
        asks, plain = self.client("as published"), self.client("plain")
        asks.subscribe(("published/as", AS_PUBLISHED | 1))
        plain.subscribe(("published/as", 1))
        writer = self.client("writer")
        for retain, payload in ((True, "x"), (False, "y"), (True, b"")):
            writer.publish("published/as", payload, 1, retain=retain)
            self.of(asks.receive(), retain=retain)
            self.of(plain.receive(), retain=False)

    def test_more_than_window(self):
        """More retained messages of QoS 1 and 2 than the client's receive maximum all come, as it acknowledges"""
        writer = self.client("filler")
        count = 200
        for number in range(count):
            self.publish(f"flood/{number}", f"{number}", method="PUT")
        for number in range(0, count, 9):
            writer.publish(f"flood/{number}", f"{number}", 1, retain=True)
        for version, more in ((V5, {"receive_maximum": 3}), (V5, {"receive_maximum": 1}), (V311, {})):
            with self.subTest(version=version, **more):
                client = self.client("flooded", version, **more)
                codes, got = client.subscribe(("flood/+", 2))
                window = more.get("receive_maximum", 1024)
                self.assertLessEqual(len(got), window)
                # Acknowledges one after another, and sees everything once.
                client.early = got
                seen = [client.receive() for _ in range(count)]
                self.assertEqual(sorted(int(each.payload) for each in seen), list(range(count)))
                self.assertTrue(all(each.retain for each in seen))
                client.nothing_else()

    def test_known_while_pending(self):
        """A filter subscribed to twice in one write is new once: its retained message comes once [MQTT-3.3.1-10]"""
        self.publish("twice", "x", method="PUT")
        client = self.client("twice")
        client.send(subscribe(1, ("twice", IF_NEW)) + subscribe(2, ("twice", IF_NEW)) + subscribe(3, ("elsewhere", 0)))
        said = [client.packet() for _ in range(4)]
        self.assertEqual([each.mid for each in said if each.kind == SUBACK], [1, 2, 3])
        self.assertEqual([each.payload for each in said if each.kind == PUBLISH], [b"x"])
        # A second one would have been read from the log with the first of what comes now.
        self.publish("twice", "y")
        self.of(client.message(), payload=b"y", retain=False)
        client.nothing_else()

    def test_shared_with_http(self):
        """PUT and DELETE of HTTP set and clear what MQTT retains, and the reverse"""
        client = self.client("both ways")
        self.ask("PUT", "/v1/topics/both/a", {"Content-Type": "text/css"}, "by HTTP")
        got = self.values(client, ("both/+", 1))
        self.of(got["both/a"], payload=b"by HTTP", retain=True, content_type="text/css", qos=1)
        client.publish("both/b", "by MQTT", 1, retain=True, content_type="text/plain")
        answer = self.ask("GET", "/v1/topics/both/b")
        self.assertEqual((answer.body, answer["Content-Type"]), (b"by MQTT", "text/plain"))
        self.assertEqual(client.receive().payload, b"by MQTT")
        self.ask("DELETE", "/v1/topics/both/a")
        self.of(client.receive(), topic="both/a", payload=b"")
        client.publish("both/b", b"", 1, retain=True)
        self.assertEqual(self.ask("GET", "/v1/topics/both/b").status, 404)

    def test_atomic(self):
        """Between a retained message and what follows nothing is missed and nothing comes twice"""
        writer = self.client("racer")
        for round in range(20):
            topic = f"race/{round}"
            reader = self.client(f"racing {round}")
            writer.send(b"".join(publish(topic, str(number), 1, number, retain=True) for number in range(1, 11)))
            codes, got = reader.subscribe((topic, 0))
            writer_acks = [writer.packet() for _ in range(10)]
            self.assertEqual(len(writer_acks), 10)
            while not got or got[-1].payload != b"10":
                got.append(reader.message())
            numbers = [int(each.payload) for each in got]
            self.assertEqual(numbers, list(range(numbers[0], 11)), f"round {round}")
            self.assertEqual([each.retain for each in got if each.retain], [True] if got[0].retain else [])


class Wills(MQTTTest):
    def watcher(self, topic, version=V5):
        watcher = self.client(f"watcher {topic}", version)
        watcher.subscribe((topic, 2))
        return watcher

    def test_lost(self):
        """A connection that is lost leaves its will, in every QoS [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-9]"""
        for version in VERSIONS:
            watcher = self.watcher("will/lost", version)
            for qos in (0, 1, 2):
                with self.subTest(version=version, qos=qos):
                    self.client("loser", version, will=("will/lost", f"{version}", qos, False)).close()
                    self.of(watcher.receive(), payload=str(version).encode(), qos=qos, retain=False)

    def test_leave(self):
        """DISCONNECT takes the will away; with 0x04, or any other reason, it is sent [MQTT-3.14.4-3] [MQTT-3.1.2-10] [MQTT-3.14.4-2]"""
        watcher = self.watcher("will/leave")
        for number, (version, said, sent) in enumerate((
            (V31, disconnect(), False), (V311, disconnect(), False), (V5, disconnect(), False), (V5, disconnect(0), False), (V5, disconnect(4), True),
            (V5, disconnect(0x80), True), (V5, disconnect(0, reason_string="bye"), False),
        )):
            with self.subTest(said.hex(), version=version):
                client = self.client("leaver", version, will=("will/leave", str(number), 1, False))
                client.send(said)
                self.ends(client)
                # What is published next tells whether there was a will before it: one topic is one order.
                if not sent:
                    self.publish("will/leave", f"after {number}")
                self.assertEqual(watcher.receive().payload.decode(), str(number) if sent else f"after {number}")

    def test_error(self):
        """A client that breaks the protocol, or whose name is taken over, leaves its will too"""
        watcher = self.watcher("will/error")
        client = self.client("breaker", will=("will/error", "broken", 1, False))
        client.send(b"\x00\x00")
        self.ends(client, MALFORMED)
        self.assertEqual(watcher.receive().payload, b"broken")
        client = self.client("twin", will=("will/error", "taken over", 1, False))
        self.client("twin")
        self.ends(client, 0x8E)
        self.assertEqual(watcher.receive().payload, b"taken over")

    def test_keep_alive(self):
        """A client that is silent for 1.5 times its keep-alive is told 0x8D and closed; its will is sent; PINGREQ prevents it [MQTT-3.1.2-22] [MQTT-3.12.4-1]"""
        watcher = self.watcher("will/alive")
        began = time.monotonic()
        silent = {version: self.client(f"silent {version}", version, keep_alive=1, will=("will/alive", str(version), 0, False)) for version in VERSIONS}
        half = self.client("half a packet", keep_alive=1)
        half.send(b"\xc0")
        lively = self.client("lively", keep_alive=1)
        without = self.client("without", keep_alive=0)
        for version, client in silent.items():
            client.socket.settimeout(0.5)
            while True:
                try:
                    self.ends(client, 0x8D, version)
                    break
                except TimeoutError:
                    lively.nothing_else()
        took = time.monotonic() - began
        self.assertTrue(1.4 < took < 2.5, took)
        self.ends(half, 0x8D)
        lively.nothing_else()
        without.nothing_else()
        self.assertEqual({watcher.receive().payload for _ in VERSIONS}, {b"3", b"4", b"5"})

    def test_retained(self):
        """A will may be retained, and has its properties; an empty one clears [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT-3.1.3-10]"""
        more = {"content_type": "text/plain", "response_topic": "a/b", "correlation_data": b"\1", "message_expiry": 500, "payload_format": 1,
                "user_property": [("x", "1"), ("x", "2"), ("tidings-event", "gone")]}
        watcher = self.watcher("will/kept")
        self.client("retainer", will=("will/kept", "offline", 1, True, more)).close()
        message = self.of(watcher.receive(), payload=b"offline", retain=False, content_type="text/plain", response_topic="a/b", correlation_data=b"\1", payload_format=1)
        self.assertEqual(sorted(message.properties["user_property"]), [("tidings-event", "gone"), ("x", "1"), ("x", "2")])
        self.assertTrue(499 <= message.properties["message_expiry"] <= 500)
        self.assertEqual(self.value_of("will/kept"), b"offline")
        self.client("retainer", will=("will/kept", b"", 1, True)).close()
        watcher.receive()
        self.assertIsNone(self.value_of("will/kept"))

    def test_delay(self):
        """A will's delay ends with the session at the latest, and here that is the connection"""
        watcher = self.watcher("will/late")
        self.client("delayer", session_expiry=60, will=("will/late", "now", 1, False, {"will_delay": 60})).close()
        self.of(watcher.receive(), payload=b"now")


class Limits(MQTTTest):
    limits = (
        "--mqtt-max-keepalive", "1s", "--mqtt-receive-maximum", "3", "--mqtt-max-packet", "1KiB", "--mqtt-max-inflight", "2", "--mqtt-max-qos", "1",
        "--mqtt-topic-alias-maximum", "1", "--max-connections", "20")

    def test_announced(self):
        """Every limit that an operator sets is announced, byte for byte [MQTT-3.2.2-9] [MQTT-3.2.2-21]"""
        line = self.line().send(connect("limits", keep_alive=60))
        self.assertEqual(
            line.packet().bytes,
            connack(receive_maximum=3, maximum_qos=1, maximum_packet_size=1024, topic_alias_maximum=1, shared_available=0, server_keep_alive=1))
        # One that is short enough is not overruled.
        self.assertNotIn("server_keep_alive", self.client("short", keep_alive=1).welcome.properties)
        self.assertEqual(self.client("none", keep_alive=0).welcome.properties["server_keep_alive"], 1)

    def test_keep_alive(self):
        """The server's keep-alive is what counts [MQTT-3.2.2-22] [MQTT-3.1.2-21]"""
        clients = {version: self.client(f"overruled {version}", version, keep_alive=600) for version in VERSIONS}
        began = time.monotonic()
        for version, client in clients.items():
            self.ends(client, 0x8D, version)
        self.assertTrue(1.2 < time.monotonic() - began < 2.5)

    def test_receive_maximum(self):
        """One QoS 2 message beyond the receive maximum is answered DISCONNECT 0x93 [MQTT-3.3.4-7]"""
        # With QoS 1 the most: QoS 2 is refused before anything else.
        client = self.client("quality")
        client.send(publish("q", "x", 2, 1))
        self.ends(client, 0x9B)
        # As many as there may be, again and again.
        client = self.client("quota")
        for round in range(4):
            client.send(b"".join(publish("quota", "x", 1, mid) for mid in (1, 2, 3)))
            self.assertEqual([client.packet().bytes for _ in range(3)], [ack(PUBACK, mid) for mid in (1, 2, 3)])

    def test_in_flight(self):
        """No more than the operator allows is on its way to a client, however much it would take"""
        client = self.client("flight", keep_alive=0)
        client.subscribe(("flight", 1))
        for number in range(5):
            self.publish("flight", str(number))
        first, second = client.message(), client.message()
        client.nothing_else()
        client.send(ack(PUBACK, first.mid))
        third = client.message()
        self.assertEqual([each.payload for each in (first, second, third)], [b"0", b"1", b"2"])

    def test_qos(self):
        """Above the maximum QoS less is granted, and a message or a will of more refused: 0x9B [MQTT-3.2.2-10] [MQTT-3.2.2-11] [MQTT-3.2.2-12]"""
        client = self.client("granted")
        self.assertEqual(client.subscribe(("granted", 2), ("other", 0)), ([1, 0], []))
        self.publish("granted", "x")
        self.of(client.receive(), qos=1)
        said = self.line().send(connect("will", will=("w", "x", 2, False))).said()
        self.assertEqual([(each.kind, each.code) for each in said], [(CONNACK, 0x9B)])
        old = self.client("old", V311)
        old.send(publish("granted", "y", 2, 1, version=V311))
        self.ends(old, None, V311)

    def test_packet_size(self):
        """A packet of the largest size is taken, and one more byte ends the connection: 0x95 [MQTT-3.2.2-15]"""
        for version in VERSIONS:
            room = 1024 - len(publish("sized", "", 1, 1, version=version)) - 1
            client = self.client("sized", version)
            exact = publish("sized", "x" * room, 1, 1, version=version)
            self.assertEqual(len(exact), 1024)
            client.send(exact)
            self.assertEqual(client.packet().bytes, ack(PUBACK, 1))
            # Known from the fixed header: the rest need not come.
            client.send(publish("sized", "x" * (room + 1), 1, 1, version=version)[:3])
            self.ends(client, 0x95, version)
        self.ends(self.line(V311).send(connect("x" * 1020, V311)))

    def test_aliases(self):
        """One alias where one is allowed: a second is 0x94 [MQTT-3.3.2-9]"""
        client = self.client("alias")
        client.send(publish("alias/a", "x", topic_alias=1) + publish("", "x", 1, 1, topic_alias=1))
        self.assertEqual(client.packet().bytes, ack(PUBACK, 1))
        client.send(publish("alias/a", "x", topic_alias=2))
        self.ends(client, 0x94)

    def test_connections(self):
        """Past the most connections a client is closed without a word"""
        crowd = [self.line() for _ in range(30)]
        gone = set()

        def refused():
            readable, _, _ = select.select([line.socket for line in crowd if line.socket not in gone], [], [], 0.2)
            for each in readable:
                self.assertEqual(each.recv(100), b"")
                gone.add(each)
            return len(gone) >= 10

        until(refused, 5, "the refusal of those past the most")
        for line in crowd:
            line.close()
        until(lambda: Wire(self.port).send(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").answer().status == 200, 5, "room for a connection")


class FlowControl(MQTTTest):
    limits = ("--mqtt-receive-maximum", "3")

    def test_exceeded(self):
        """One QoS 2 message beyond the receive maximum is answered DISCONNECT 0x93; in 3.1.1 there is no such limit [MQTT-3.3.4-7]"""
        client = self.client("greedy")
        for mid in (1, 2, 3):
            client.send(publish("greedy", "x", 2, mid))
            self.assertEqual(client.packet().bytes, ack(PUBREC, mid))
        client.send(publish("greedy", "zero"))  # QoS 0 does not count.
        client.send(publish("greedy", "x", 2, 3, dup=True))  # Nor does one sent again.
        self.assertEqual(client.packet().bytes, ack(PUBREC, 3))
        client.send(ack(PUBREL, 2))
        self.assertEqual(client.packet().bytes, ack(PUBCOMP, 2))
        client.send(publish("greedy", "x", 2, 4))
        self.assertEqual(client.packet().bytes, ack(PUBREC, 4))
        client.send(publish("greedy", "leak", 2, 5, retain=True))
        self.ends(client, 0x93)
        self.assertIsNone(self.value_of("greedy"))
        old = self.client("old", V311)
        for mid in range(1, 9):
            old.send(publish("greedy", "x", 2, mid, version=V311))
            self.assertEqual(old.packet().bytes, ack(PUBREC, mid))


class OverWebSocket(MQTTTest):
    def socket(self, early=b"", **more):
        socket = Socket(self.port, "/mqtt", protocol=more.pop("protocol", "mqtt"), **more)
        self.addCleanup(socket.close)
        return socket

    def bytes_of(self, socket, count):
        """So many bytes, in binary messages however cut [MQTT-6.0.0-2]."""
        got = b""
        while len(got) < count:
            opcode, payload = socket.message()
            self.assertEqual(opcode, BINARY)
            got += payload
        self.assertEqual(len(got), count)
        return got

    def test_subprotocol(self):
        """The subprotocol is mqtt, without it there is no upgrade [MQTT-6.0.0-3] [MQTT-6.0.0-4]"""
        self.assertEqual(self.socket().protocol, "mqtt")
        for offered in (None, "tidings.v1", "mqttv5"):
            with Wire(self.port) as wire:
                wire.send(handshake("/mqtt", key(), None, offered))
                self.assertEqual(wire.head().status, 400)

    def test_conversation(self):
        """A conversation over WebSocket has the bytes it has over TCP, wherever frames are cut [MQTT-6.0.0-2]"""
        for version in VERSIONS:
            for size in (1, 3, 1000):
                with self.subTest(version=version, size=size):
                    socket = self.socket()
                    topic = "web/topic"
                    said = (
                        connect("web", version) + subscribe(1, (topic, 1), version=version))
                    for start in range(0, len(said), size):
                        socket.send(frame(BINARY, said[start:start + size]))
                    welcome = connack(version=version, **(TERMS if version == V5 else {}))
                    answer = welcome + suback(1, 1, version=version)
                    self.assertEqual(self.bytes_of(socket, len(answer)), answer)
                    socket.send(frame(BINARY, publish(topic, "x" * 300, version=version)))
                    message = publish(topic, "x" * 300, version=version)
                    self.assertEqual(self.bytes_of(socket, len(message)), message)
                    socket.send(frame(BINARY, PING + disconnect()))
                    rest = socket.everything_said()
                    self.assertEqual(rest[0], (BINARY, PONG))
                    self.assertEqual(rest[-1][:2], (8, 1000))

    def test_shared_stream(self):
        """Clients of QoS 0 share a stream: each gets whole packets in whole messages"""
        sockets = []
        for version in (V311, V5, V311, V5):
            socket = self.socket()
            socket.send(frame(BINARY, connect("", version, keep_alive=0) + subscribe(1, ("shared/#", 0), version=version)))
            suffix = suback(1, 0, version=version)
            got = b""
            while not got.endswith(suffix):
                got += socket.message()[1]
            sockets.append((socket, version))
        for number in range(20):
            self.publish("shared/x", str(number))
        for socket, version in sockets:
            expected = b"".join(publish("shared/x", str(number), version=version) for number in range(20))
            self.assertEqual(self.bytes_of(socket, len(expected)), expected)

    def test_text(self):
        """A text frame ends the connection [MQTT-6.0.0-1]"""
        socket = self.socket()
        socket.send(frame(TEXT, connect("text", V311)))
        self.assertEqual(socket.everything_said(), [(8, 1003, "MQTT comes in binary messages")])

    def test_bad(self):
        """A malformed packet is answered in a binary message, then the WebSocket is closed"""
        socket = self.socket()
        socket.send(frame(BINARY, connect("bad") + b"\x00\x00"))
        said = socket.everything_said()
        self.assertEqual(said[-1][:2], (8, 1000))
        whole = b"".join(payload for kind, payload in said[:-1])
        self.assertTrue(whole.startswith(connack(**TERMS)))
        self.assertEqual(whole[len(connack(**TERMS))], 0xE0)

    def test_will(self):
        """A WebSocket that is closed without DISCONNECT leaves a will"""
        watcher = self.client("watcher")
        watcher.subscribe(("web/will", 0))
        for ending in (frame(8, struct.pack("!H", 1000)), None):
            socket = self.socket()
            socket.send(frame(BINARY, connect("dying", will=("web/will", "gone"))))
            socket.message()
            if ending:
                socket.send(ending)
            socket.close()
            self.of(watcher.message(), payload=b"gone")
