"""MQTT with the clients that people have, mosquitto's and paho, beside the other transports."""

import json
import signal
import subprocess
import unittest

from harness.mqtt import PATIENCE, V5, V31, V311, Client, NodeTestCase, wire
from harness.node import Node, free_port, until
from harness.sse import SSEStream
from harness.websocket import WebSocket

NAMES = {V31: "mqttv31", V311: "mqttv311", V5: "mqttv5"}


def property_of(message, name):
    return getattr(message.properties, name, None)


class OneNode(NodeTestCase):
    def client(self, name="", version=V5, **more):
        port = self.node.port if more.get("transport") == "websockets" else self.mqtt
        client = Client(port, name, version, **more)
        self.addCleanup(client.close)
        return client

    def sse(self, query):
        stream = SSEStream(self.node.port, query, timeout=PATIENCE)
        self.addCleanup(stream.close)
        return stream.begun()

    def websocket(self, *topics, **start):
        socket = WebSocket(self.node.port)
        self.addCleanup(socket.close)
        socket.message("welcome")
        socket.subscribe(*topics, **start)
        return socket

    # -- mosquitto's clients

    def mosquitto(self, tool, *arguments, version=V5, feed=None, seconds=PATIENCE):
        command = [f"mosquitto_{tool}", "-h", "127.0.0.1", "-p", str(self.mqtt), "-V", NAMES[version], *arguments]
        return subprocess.run(command, input=feed, capture_output=True, text=True, timeout=seconds, check=True).stdout

    def mosquitto_sub(self, *arguments, version=V5):
        """A subscriber that is subscribed, and will say what it hears."""
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.mqtt), "-V", NAMES[version], "-d", *arguments]
        process = subprocess.Popen(["stdbuf", "-oL", *command], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        while not (line := process.stdout.readline()).startswith("Subscribed"):
            self.assertTrue(line, "mosquitto_sub ended before it was subscribed")
        return process

    def heard(self, process):
        """What it printed, without what it told of packets."""
        text, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0)
        return [line for line in text.splitlines() if not line.startswith(("Client ", "Subscribed"))]

    def test_mosquitto(self):
        """mosquitto_pub to mosquitto_sub: every version, every QoS, a hundred lines of each in order"""
        lines = [str(number) for number in range(100)]
        for version in (V31, V311, V5):
            for qos in ("0", "1", "2"):
                with self.subTest(version=version, qos=qos):
                    topic = f"tools/{version}/{qos}"
                    reader = self.mosquitto_sub("-t", "tools/+/#", "-q", qos, "-C", "100", "-F", "%t %q %r %p", version=version)
                    self.mosquitto("pub", "-t", topic, "-q", qos, "-l", version=version, feed="\n".join(lines) + "\n")
                    self.assertEqual(self.heard(reader), [f"{topic} {qos} 0 {line}" for line in lines])

    def test_mosquitto_retained(self):
        """mosquitto_pub -r is there for who comes later, HTTP too; -r -n clears it; its will is left by --will-retain"""
        self.mosquitto("pub", "-t", "tools/kept", "-q", "1", "-r", "-m", "value")
        for version in (V31, V311, V5):
            self.assertEqual(self.mosquitto("sub", "-t", "tools/kept", "-C", "1", "-F", "%r %p", version=version), "1 value\n")
        self.assertEqual(self.node.get("/v1/topics/tools/kept")[2], b"value")
        self.mosquitto("pub", "-t", "tools/kept", "-q", "1", "-r", "-n")
        self.assertEqual(self.node.get("/v1/topics/tools/kept")[0], 404)
        dying = self.mosquitto_sub("-t", "nothing", "--will-topic", "tools/will", "--will-payload", "gone", "--will-qos", "1", "--will-retain")
        dying.kill()
        until(lambda: self.node.get("/v1/topics/tools/will")[2] == b"gone", what="the will")

    def test_mosquitto_properties(self):
        """mosquitto's properties come through: content type, expiry, correlation data, response topic, user properties"""
        reader = self.mosquitto_sub("-t", "tools/properties", "-q", "1", "-C", "1", "-F", "%C %D %E %R %P %p")
        self.mosquitto(
            "pub", "-t", "tools/properties", "-q", "1", "-m", "x", "-D", "publish", "content-type", "text/css", "-D", "publish", "correlation-data", "me",
            "-D", "publish", "message-expiry-interval", "100", "-D", "publish", "response-topic", "a/b", "-D", "publish", "user-property", "k", "v")
        self.assertEqual(self.heard(reader), ["text/css me 100 a/b k:v x"])

    def test_mosquitto_rr(self):
        """mosquitto_rr asks over MQTT, and is answered by HTTP"""
        with self.subTest("request and response"):
            asked = self.client()
            asked.subscribe("service/ask")
            command = ["mosquitto_rr", "-h", "127.0.0.1", "-p", str(self.mqtt), "-V", "5", "-t", "service/ask", "-e", "service/answer", "-m", "1+1", "-q", "1", "-W", "10"]
            asking = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            self.addCleanup(asking.stdout.close)
            question = asked.message()
            self.assertEqual((question.payload, property_of(question, "ResponseTopic")), (b"1+1", "service/answer"))
            self.node.publish("service/answer", "2")
            self.assertEqual(asking.communicate(timeout=PATIENCE)[0], "2\n")

    # -- One log, many views

    def test_from_mqtt(self):
        """What MQTT publishes is seen by SSE, long-poll and WebSocket: content type, event type, life, all"""
        for version in (V31, V311, V5):
            with self.subTest(version):
                topic = f"from/{version}"
                stream, socket = self.sse({"topic": topic}), self.websocket(topic)
                start = self.node.json(f"/v1/events?topic={topic}&since=latest")["cursor"]
                client = self.client(version=version)
                values = {"ContentType": "application/json", "UserProperty": [("tidings-event", "changed"), ("tidings-key", "k1"), ("other", "x")],
                          "MessageExpiryInterval": 60} if version == V5 else {}
                client.publish(topic, '{"a": 1}', 1, **values)
                _, kind, data = stream.message()
                event = socket.message("event")
                (polled,) = self.node.json(f"/v1/events?topic={topic}&cursor={start}&wait=5s")["events"]
                self.assertEqual(event["topic"], topic)
                if version == V5:
                    self.assertEqual((kind, json.loads(data)), ("changed", {"a": 1}))
                    for each in (event, polled):
                        self.assertEqual((each["type"], each["datacontenttype"], each["data"]), ("changed", "application/json", {"a": 1}))
                else:
                    self.assertEqual((kind, data), (None, '{"a": 1}'))
                    self.assertEqual((event["data"], polled["data"]), ('{"a": 1}', '{"a": 1}'))
                    self.assertNotIn("type", event)

    def test_bytes_from_mqtt(self):
        """Payloads that are no text come whole: base64 in events, as they were in GET"""
        socket = self.websocket("binary")
        client = self.client(version=V311)
        client.publish("binary", b"\xff\x00\xfe", 2, retain=True)
        self.assertEqual(socket.message("event")["data_base64"], "/wD+")
        self.assertEqual(self.node.get("/v1/topics/binary")[2], b"\xff\x00\xfe")

    def test_to_mqtt(self):
        """What HTTP and WebSocket publish is seen by MQTT: content type, event type, what is left of its life"""
        readers = {version: self.client(version=version).subscribe("to/#", 2) for version in (V31, V311, V5)}
        self.node.publish("to/mqtt", '{"a":1}', {"Content-Type": "application/json", "Tidings-Event": "changed", "Tidings-TTL": "100s"})
        socket = self.websocket("elsewhere")
        socket.send({"op": "publish", "ref": "p", "topic": "to/mqtt", "type": "said", "data": "text", "ttl": "50s"})
        socket.frame(2, b'{"op":"publish","ref":"b","topic":"to/mqtt"}\n\xff\x00')
        for version, reader in readers.items():
            with self.subTest(version):
                first, second, third = (reader.message() for _ in range(3))
                self.assertEqual([each.payload for each in (first, second, third)], [b'{"a":1}', b"text", b"\xff\x00"])
                self.assertEqual({each.qos for each in (first, second, third)}, {2})
                if version == V5:
                    self.assertEqual(property_of(first, "ContentType"), "application/json")
                    self.assertEqual(property_of(first, "UserProperty"), [("tidings-event", "changed")])
                    self.assertTrue(95 <= property_of(first, "MessageExpiryInterval") <= 100)
                    self.assertEqual(property_of(second, "UserProperty"), [("tidings-event", "said")])
                    self.assertTrue(45 <= property_of(second, "MessageExpiryInterval") <= 50)
                    self.assertIsNone(property_of(third, "UserProperty"))

    def test_retained(self):
        """Retained messages are PUT, GET and DELETE of /v1/topics; a clearing is told by HTTP and MQTT alike"""
        reader, stream = self.client().subscribe("shared/#"), self.sse({"topic": "shared/#"})
        self.node.publish("shared/door", "open", {"Content-Type": "text/plain"}, method="PUT")
        self.assertEqual(reader.message().payload, b"open")
        stream.message()
        late = self.client(version=V311).subscribe("shared/#")
        message = late.message()
        self.assertEqual((message.payload, message.retain), (b"open", True))
        late.publish("shared/door", "closed", 2, retain=True)
        self.assertEqual(self.node.get("/v1/topics/shared/door")[2], b"closed")
        self.assertEqual((reader.message().payload, late.message().payload, stream.message()[2]), (b"closed", b"closed", "closed"))
        self.assertEqual(self.node.request("DELETE", "/v1/topics/shared/door")[0], 200)
        message = reader.message()
        self.assertEqual((message.payload, message.retain, property_of(message, "UserProperty")), (b"", False, [("tidings-event", "tidings.cleared")]))
        self.assertEqual(late.message().payload, b"")
        self.node.publish("shared/door", "ajar", method="PUT")
        late.publish("shared/door", b"", 1, retain=True)
        self.assertEqual(self.node.get("/v1/topics/shared/door")[0], 404)

    def test_cursor(self):
        """MQTT goes on where an SSE client stopped, with `tidings-cursor`: nothing lost, nothing twice"""
        stream = self.sse({"topic": "walk/#"})
        for number in range(10):
            self.node.publish(f"walk/{number % 3}", str(number))
        seen = [stream.message() for _ in range(4)]
        stream.close()
        reader = self.client().subscribe("walk/#", 1, cursor=seen[-1][0])
        rest = [reader.message().payload.decode() for _ in range(6)]
        self.assertEqual(sorted([data for _, _, data in seen] + rest), [str(number) for number in range(10)])
        self.node.publish("walk/0", "live")
        self.assertEqual(reader.message().payload, b"live")

    def test_gap(self):
        """A cursor of another cluster is told as a message of $tidings/gap, never silently"""
        self.node.publish("gap/a", "1")
        reader = self.client()
        reader.subscribe("gap/#", 1, cursor="v1~000000000000~3.7")
        first = reader.message()
        self.assertEqual(first.topic, "$tidings/gap")
        self.assertEqual(json.loads(first.payload)["reason"], "foreign")
        self.assertEqual(reader.message().payload, b"1")

    def test_websockets(self):
        """paho over WebSocket: every version, QoS 2 both ways, large messages, wills"""
        watcher = self.client().subscribe("web/will")
        for version in (V31, V311, V5):
            with self.subTest(version):
                client = self.client(version=version, transport="websockets", will=("web/will", "gone", 1))
                client.subscribe("web/echo", 2)
                for payload in (b"", b"x" * 125, bytes(range(256)) * 1000):
                    client.publish("web/echo", payload, 2)
                    self.assertTrue(client.message().payload == payload)
                client.paho._sock_close()  # As a browser's tab that is gone.
                self.assertEqual(watcher.message().payload, b"gone")

    # -- Operating

    def connections(self):
        lines = self.node.get("/metrics")[2].decode().splitlines()
        metric = {line.split('transport="')[1].split('"')[0]: int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith("tidings_connections{")}
        return metric["mqtt"], self.node.json("/v1/cluster")["nodes"][0]["connections"]

    def test_counted(self):
        """Connections of MQTT are counted by status and metrics, over TCP and WebSocket, and what they send and hear"""
        def delivered():
            lines = self.node.get("/metrics")[2].decode().splitlines()
            return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("tidings_delivered") and 'transport="mqtt"' in line)

        before, _ = self.connections()
        shared, alone = self.client(transport="websockets").subscribe("counted", 0), self.client().subscribe("counted", 1)
        until(lambda: self.connections()[0] == before + 2, what="two more connections")
        status = self.connections()[1]
        self.assertEqual(status["mqtt"] if isinstance(status, dict) else status >= before + 2, before + 2 if isinstance(status, dict) else True)
        count = delivered()
        self.node.publish("counted", "x")
        shared.message(), alone.message()
        until(lambda: delivered() == count + 2, what="the count of two deliveries")
        shared.close()
        alone.close()
        until(lambda: self.connections()[0] == before, what="their leaving")


class DrainTests(unittest.TestCase):
    def test_drain(self):
        """A node that drains tells its clients of 5.0 so, 0x8B, closes the others, and ends with 0"""
        port = free_port()
        with Node("--mqtt", f"127.0.0.1:{port}", "--drain-window", "0s") as node:
            clients = {version: wire.Client(port, f"drained {version}", version, will=("drain/will", "x", 1, True)) for version in wire.VERSIONS}
            for version, client in clients.items():
                client.subscribe(("drain/#", version - 3))
            node.process.send_signal(signal.SIGTERM)
            for version, client in clients.items():
                said = [each for each in client.said() if each.kind != wire.PUBLISH]
                self.assertEqual([(each.kind, each.code) for each in said], [(wire.DISCONNECT, 0x8B)] if version == wire.V5 else [])
                client.close()
            self.assertEqual(node.process.wait(PATIENCE), 0)


if __name__ == "__main__":
    unittest.main()
