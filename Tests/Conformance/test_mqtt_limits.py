"""MQTT from outside: the limits of operators, and MQTT over WebSocket."""

import select
import struct
import time

from harness.node import until
from outside.frames import BINARY, Socket, TEXT, frame, handshake, key
from outside.mqtt import (
    CONNACK, PING, PONG, PUBACK, PUBCOMP, PUBREC, PUBREL, V311, V5, VERSIONS, ack, connack, connect, disconnect, publish, suback, subscribe)
from outside.mqtt_node import TERMS, MQTTTest
from outside.wire import Wire


class Limits(MQTTTest):
    limits = (
        "--mqtt-max-keepalive", "1s", "--mqtt-receive-maximum", "3", "--mqtt-max-packet", "1KiB", "--mqtt-max-inflight", "2", "--mqtt-max-qos", "1",
        "--mqtt-topic-alias-maximum", "1", "--max-connections", "20")

    def test_announced(self):
        """Every limit that an operator sets is announced, byte for byte [MQTT-3.2.2-9] [MQTT-3.2.2-21]"""
        line = self.line().send(connect("limits", keep_alive=60))
        self.assertEqual(
            line.packet().bytes,
            connack(receive_maximum=3, maximum_qos=1, maximum_packet_size=1024, topic_alias_maximum=1, server_keep_alive=1))
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
