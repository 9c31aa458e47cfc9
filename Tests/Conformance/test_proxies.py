"""Behind nginx, HAProxy and Caddy, with the files of docs/proxies: nothing is held back, nothing is cut off, nothing is lost."""

import socket
import ssl
import time
import unittest

from harness.cluster import Cluster
from harness.mqtt_publisher import MQTTPublisher, SocketClient
from harness.node import free_port
from harness.sse import HTTPStream
from harness.websocket import WebSocket
from harness.witness import Witness
from outside import mqtt, proxies

AT_ONCE = 2.0  # seconds: far less than any buffer or time-out would keep something
EVENTS = {"Accept": "text/event-stream"}


class Address:
    """Where a publisher goes."""

    host = "127.0.0.1"

    def __init__(self, port):
        self.port = port


class Behind:
    kind = None

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(brokers=1, edges=2)
        cls.addClassCleanup(cls.cluster.stop)
        for edge in cls.cluster.edges:
            edge.mqtt = free_port()
            edge.options += ("--mqtt", f"127.0.0.1:{edge.mqtt}", "--heartbeat", "1s", "--drain-window", "2s")
        cls.cluster.start()
        cls.proxy = cls.kind(cls.cluster.edges)
        cls.addClassCleanup(cls.proxy.stop)
        cls.proxy.start()

    def at_once(self, began):
        self.assertLess(time.monotonic() - began, AT_ONCE, f"{self.proxy.file} holds it back")

    def lines(self, path, headers):
        stream = HTTPStream(self.proxy.port, path, headers, timeout=5)
        self.addCleanup(stream.close)
        self.assertEqual(stream.status, 200)
        return iter(lambda: stream.file.readline().decode(), "")

    def test_streams(self):
        """Events and heartbeats of Server-Sent Events come through one by one and at once, and lines of NDJSON too"""
        lines = self.lines("/v1/events?topic=stream", EVENTS)
        next(line for line in lines if line.startswith("id:"))
        for number in range(5):
            began = time.monotonic()
            self.proxy.publish("stream", f"event {number}")
            self.assertEqual(next(line for line in lines if line.startswith("data:")), f"data: event {number}\n")
            self.at_once(began)
        began = time.monotonic()
        self.assertTrue(next(line for line in lines if line.startswith(":")))
        self.assertLess(time.monotonic() - began, 1 + AT_ONCE)
        lines = self.lines("/v1/events?topic=stream", {"Accept": "application/x-ndjson"})
        began = time.monotonic()
        self.proxy.publish("stream", "a line")
        self.assertIn("a line", next(line for line in lines if "data" in line))
        self.at_once(began)

    def test_long_polling(self):
        """A long-poll is answered when there is something, and not before"""
        cursor = self.proxy.get("/v1/events?topic=poll")[1]["Tidings-Cursor"]
        stream = HTTPStream(self.proxy.port, f"/v1/events?topic=other&wait=1&cursor={cursor}", timeout=5)
        self.assertEqual(stream.status, 204)
        stream.close()
        with socket.create_connection(("127.0.0.1", self.proxy.port), timeout=5) as line:
            line.sendall(f"GET /v1/events?topic=poll&wait=20&cursor={cursor} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            began = time.monotonic()
            self.proxy.publish("poll", "something")
            self.assertIn(b"200 OK", line.recv(1 << 16))
            self.at_once(began)

    def test_websocket(self):
        """A WebSocket is followed and published through, both ways at once"""
        stream = WebSocket(self.proxy.port, timeout=5)
        self.addCleanup(stream.close)
        stream.subscribe("socket/#")
        began = time.monotonic()
        stream.send({"op": "publish", "ref": "p", "topic": "socket/a", "data": "hello"})
        self.assertEqual({stream.message()["op"], stream.message()["op"]}, {"event", "published"})
        self.at_once(began)

    def test_origin(self):
        """A page of the proxy's own address may use the node, another page may not"""
        for origin, status in ((f"http://127.0.0.1:{self.proxy.port}", 200), ("https://elsewhere.example", 403)):
            self.assertEqual(self.proxy.request("POST", "/v1/topics/page", b"x", {"Origin": origin})[0], status, origin)

    def clients(self, name):
        yield SocketClient(self.proxy.port, f"{name}-socket")
        if self.proxy.speaks_mqtt:
            yield mqtt.Client(self.proxy.mqtt, f"{name}-tcp")

    def test_mqtt(self):
        """MQTT passes, over TCP where the proxy has it and over WebSocket: published, followed, pinged"""
        for client, other in zip(self.clients("a"), self.clients("b")):
            self.addCleanup(client.close)
            self.addCleanup(other.close)
            client.subscribe(("devices/#", 1))
            began = time.monotonic()
            self.assertEqual(other.publish("devices/a", b"on", 1), 0)
            self.assertEqual(client.receive().payload, b"on")
            self.at_once(began)
            client.nothing_else()

    def test_z_drain(self):
        """A node that drains loses its clients to the other one, and no message"""
        address = Address(self.proxy.port)
        devices = [MQTTPublisher([address], "drained/socket", 10, 1, sockets=True)]
        if self.proxy.speaks_mqtt:
            devices.append(MQTTPublisher([Address(self.proxy.mqtt)], "drained/tcp", 10, 2))
        edge = self.cluster.edges[0]
        with Witness(None, ["drained/a", "drained/b"], rate=10, followers=6, edges=[self.proxy], others=devices) as witness:
            witness.progress()
            self.assertEqual(edge.terminate(), 0)
            witness.progress()
            edge.start()
            witness.progress()
            witness.finish().check()


class TLS(Behind):
    def test_tls(self):
        """HTTPS and MQTT with TLS end at the proxy"""
        context = ssl.create_default_context(cafile=self.proxy.certificate)
        with socket.create_connection(("127.0.0.1", self.proxy.tls), timeout=5) as plain, context.wrap_socket(plain, server_hostname="localhost") as line:
            origin = f"https://localhost:{self.proxy.tls}"
            line.sendall(f"POST /v1/topics/tls HTTP/1.1\r\nHost: localhost:{self.proxy.tls}\r\nOrigin: {origin}\r\nContent-Length: 1\r\n\r\nx".encode())
            self.assertIn(b"200 OK", line.recv(1 << 16))
        with socket.create_connection(("127.0.0.1", self.proxy.mqtts), timeout=5) as plain, context.wrap_socket(plain, server_hostname="localhost") as line:
            line.sendall(mqtt.connect("secret"))
            self.assertEqual(line.recv(2)[0] >> 4, mqtt.CONNACK)


class NginxTests(TLS, unittest.TestCase):
    kind = proxies.Nginx


class HAProxyTests(TLS, unittest.TestCase):
    kind = proxies.HAProxy


class CaddyTests(Behind, unittest.TestCase):
    kind = proxies.Caddy


if __name__ == "__main__":
    unittest.main()
