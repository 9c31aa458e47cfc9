"""What operators and browsers see: health, metrics, the cluster's status, pages, origins."""

import json
import re
import time

from outside import prometheus
from outside.frames import Socket
from outside.node import NodeTest
from outside.streams import SSEClient
from outside.wire import Wire, ask, request
from test_socket_protocol import Client


class Operations(NodeTest):
    def metrics(self):
        answer = self.ask("GET", "/metrics")
        self.assertEqual(answer.status, 200)
        self.assertRegex(answer["Content-Type"], r"^text/plain; version=0\.0\.4")
        return prometheus.read(answer.body.decode())

    def total(self, samples, name, **labels):
        return sum(value for (each, pairs), value in samples.items() if each == name and labels.items() <= dict(pairs).items())

    def test_health(self):
        """healthz and readyz answer 200 in a word"""
        for path in ("/healthz", "/readyz"):
            answer = self.ask("GET", path)
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer["Content-Type"].startswith("text/plain"))

    def test_metrics(self):
        """The metrics are Prometheus text, in base units, and count what happens"""
        before, _ = self.metrics()
        with SSEClient(self.port, "topic=measured/%23") as sse, Client(self.port) as socket, Wire(self.port) as poll:
            sse.begun()
            socket.subscribe("measured/#")
            cursor = ask(self.port, "GET", "/v1/events?topic=measured/%23").json()["cursor"]
            poll.send(request("GET", f"/v1/events?topic=measured/%23&wait=10&cursor={cursor}"))
            time.sleep(0.1)
            during, kinds = self.metrics()
            for _ in range(10):
                self.publish("measured/a", "x")
            for _ in range(10):
                sse.event()
                socket.events(1)
            poll.answer()
        after, kinds = self.metrics()
        names = {name for name, _ in after}
        for wanted in (r"publish", r"deliver", r"connections", r"latency|_seconds_bucket", r"journal", r"bytes", r"uptime|start_time"):
            self.assertTrue(any(re.search(wanted, name) for name in names), f"nothing about {wanted} in {sorted(names)}")
        self.assertIn("histogram", kinds.values())
        grew = [key for key in after if after[key] > before.get(key, 0)]
        self.assertTrue(any("publish" in name for name, _ in grew))
        for (name, labels), value in before.items():
            if kinds.get(name) == "counter":
                self.assertGreaterEqual(after[name, labels], value, f"{name} went back")
        published = [name for name in kinds if "publish" in name and kinds[name] == "counter" and "error" not in name and "bytes" not in name and "refus" not in name]
        self.assertTrue(any(self.total(after, name) - self.total(before, name) == 10 for name in published), {name: self.total(after, name) - self.total(before, name) for name in published})
        histograms = [name for name, kind in kinds.items() if kind == "histogram"]
        self.assertTrue(any(len({dict(pairs).get("transport") for (each, pairs) in after if each == f"{name}_count"} - {None}) >= 3 for name in histograms), "a latency histogram per transport")

    def test_cluster(self):
        """The status of the one node has every member that the interface names"""
        status = self.ask("GET", "/v1/cluster")
        self.assertEqual(status["Content-Type"], "application/json")
        document = status.json()
        self.assertEqual(document.keys() >= {"cluster", "nodes", "shards", "totals"}, True)
        cluster, (node,), shards, totals = document["cluster"], document["nodes"], document["shards"], document["totals"]
        self.assertRegex(cluster["id"], r"^[0-9a-f]{12}$")
        self.assertEqual((cluster["state"], cluster["shards"]), ("healthy", 16))
        self.assertIsInstance(cluster["why"], list)
        self.assertIn("replicas", cluster)
        self.assertLessEqual({"id", "name", "role", "state", "http", "cluster", "version", "uptime", "incarnation", "connections", "behind", "shards", "rates", "latency"}, node.keys())
        self.assertEqual((node["role"], node["state"]), ("all", "alive"))
        self.assertIn(str(self.port), node["http"])
        self.assertLessEqual({"sse", "websocket", "longpoll", "total"}, node["connections"].keys())
        self.assertEqual(node["shards"]["leader"], 16)
        self.assertEqual([shard["id"] for shard in shards], list(range(16)))
        for shard in shards:
            self.assertLessEqual({"id", "leader", "term", "state", "replicas", "first", "committed", "bytes"}, shard.keys())
            self.assertEqual((shard["state"], shard["leader"]), ("ok", node["id"]))
        self.assertLessEqual({"connections", "topics", "published", "delivered", "publishRate", "deliverRate", "behind", "latency"}, totals.keys())
        self.publish("counted", "x")
        self.assertGreaterEqual(self.ask("GET", "/v1/cluster").json()["totals"]["published"], totals["published"] + 1)

    def test_cluster_events(self):
        """The status follows as SSE, with one at once"""
        with Wire(self.port) as wire:
            wire.send(request("GET", "/v1/cluster/events", {"Accept": "text/event-stream"}))
            self.assertEqual(wire.head()["Content-Type"], "text/event-stream")
            wire.until(b"data: ")
            self.assertIn("cluster", json.loads(wire.until(b"\n\n")))

    def test_pages(self):
        """The page and the browser client come with their types, tags and guards"""
        for path, kind in (("/", "text/html; charset=utf-8"), ("/tidings.js", "text/javascript; charset=utf-8"), ("/dashboard.js", "text/javascript; charset=utf-8"), ("/messages.js", "text/javascript; charset=utf-8"), ("/dashboard.css", "text/css; charset=utf-8")):
            answer = self.ask("GET", path)
            self.assertEqual((answer.status, answer["Content-Type"]), (200, kind))
            self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
            again = self.ask("GET", path, {"If-None-Match": answer["ETag"]})
            self.assertEqual((again.status, again.body), (304, b""))
        self.assertIn(b"connect", self.ask("GET", "/tidings.js").body)
        policy = self.ask("GET", "/")["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)

    def test_origins(self):
        """Pages of this machine and of the same origin may read and publish; others are refused everywhere"""
        for origin, host, allowed in (
            ("http://localhost:3000", "127.0.0.1", True), ("http://127.0.0.1", "x.example", True), ("http://[::1]:9", "x.example", True), ("https://x.example", "x.example", True), ("http://x.example:8080", "x.example:8080", True),
            ("https://evil.example", "x.example", False), ("null", "x.example", False), ("http://x.example:81", "x.example", False), ("https://x.example.evil.example", "x.example", False), ("http://localhost.evil.example", "x.example", False), ("nonsense", "x.example", False), ("http://127.0.0.1.evil.example", "x.example", False),
        ):
            for method, path, headers, body in (("GET", "/v1/events?topic=a", {}, None), ("POST", "/v1/topics/a", {}, "x"), ("GET", "/v1/events?topic=a", {"Accept": "text/event-stream"}, None), ("GET", "/healthz", {}, None), ("GET", "/v1/cluster", {}, None)):
                with self.subTest(f"{origin} {method} {path} {headers}"), Wire(self.port) as wire:
                    wire.send(request(method, path, {"Origin": origin, **headers}, body, host=host))
                    answer = wire.head()
                    if allowed:
                        self.assertEqual(answer.status, 200, answer)
                        self.assertEqual(answer["Access-Control-Allow-Origin"], origin)
                        self.assertIn("Origin", answer["Vary"])
                        self.assertIn("Tidings-Cursor", answer["Access-Control-Expose-Headers"])
                    else:
                        self.assertEqual(answer.status, 403, answer)
                        self.assertNotIn("Access-Control-Allow-Origin", answer)

    def test_preflight(self):
        """A preflight names the methods and headers that pages need"""
        asked = {"Origin": "http://localhost:1234", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type, idempotency-key, if-match"}
        for path in ("/v1/topics/a", "/v1/publish", "/v1/events", "/v1/consumers/a/ack"):
            answer = self.ask("OPTIONS", path, asked)
            self.assertEqual(answer.status, 204)
            self.assertEqual(answer["Access-Control-Allow-Origin"], asked["Origin"])
            self.assertLessEqual({"GET", "POST", "PUT", "DELETE"}, set(answer["Access-Control-Allow-Methods"].split(", ")))
            allowed = {each.lower() for each in answer["Access-Control-Allow-Headers"].split(", ")}
            self.assertLessEqual({"content-type", "idempotency-key", "if-match", "if-none-match", "last-event-id", "tidings-event", "tidings-ttl", "tidings-ack", "authorization"}, allowed)
            self.assertNotIn("Content-Length", answer)
        self.problem(self.ask("OPTIONS", "/v1/topics/a", {**asked, "Origin": "https://evil.example"}), 403)


class AnyOrigin(NodeTest):
    options = ("--origins", "https://app.example.com,https://*.example.org")

    def test_listed_origins(self):
        """--origins lets in what it lists, and no longer loopback"""
        for origin, status in (("https://app.example.com", 200), ("https://a.b.example.org", 200), ("https://example.org", 403), ("http://app.example.com", 403), ("https://app.example.com:8443", 403), ("http://localhost", 403)):
            with self.subTest(origin):
                self.assertEqual(self.ask("GET", "/v1/events?topic=a", {"Origin": origin}, host="x.example").status, status)


class WithoutDiagnostics(NodeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from harness.node import Node
        cls.plain = Node()
        cls.addClassCleanup(cls.plain.stop)
        cls.plain.start()

    def test_no_echo(self):
        """Without --diagnostics there is no echo"""
        self.assertEqual(ask(self.plain.port, "GET", "/v1/echo").status, 404)
        with self.assertRaises(ConnectionError):
            Socket(self.plain.port, "/v1/echo")
