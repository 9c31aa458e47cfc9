import json
import unittest
import urllib.parse

from harness.node import Node, until
from harness.sse import SSEStream
from harness.websocket import WebSocket

CLUSTER = "0123456789ab"


class BadInputTests(unittest.TestCase):
    """Everything here has one clear answer: a problem document that names what is wrong, and the connection goes on."""

    @classmethod
    def setUpClass(cls):
        cls.node = Node().start()
        cls.addClassCleanup(cls.node.stop)
        cls.node.publish("here/a", "1")
        cls.cluster = cls.node.json("/v1/cluster")["cluster"]["id"]

    def refused(self, status, words, method, path, body=None, headers=None):
        with self.subTest(f"{method} {path[:80]} {str(body)[:60]}"):
            answered, fields, text = self.node.request(method, path, body, headers)
            self.assertEqual(answered, status, text[:300])
            self.assertEqual(fields["Content-Type"], "application/problem+json")
            problem = json.loads(text)
            self.assertEqual(problem["status"], status)
            for word in [words] if isinstance(words, str) else words:
                self.assertIn(word.lower(), problem["detail"].lower())
            # One bad request must not have harmed the node.
            self.assertEqual(self.node.get("/healthz")[0], 200)

    def test_topics(self):
        """What is not a topic is refused wherever one is published to"""
        for path, words in [
            ("a%FF", "UTF-8"), ("a%C3", "UTF-8"), ("%ED%A0%80", "UTF-8"), ("a%00b", "control"), ("a%0Ab", "control"), ("a%7F", "control"), ("a%C2%85", "control"),
            ("a%2B", "wildcards"), ("a/+/b", "wildcards"), ("%23", "wildcards"), ("a/%23", "wildcards"), ("a" * 1025, "1024"), ("a%4", "percent"), ("a%zz", "percent"),
            ("", "at least one"),
        ]:
            for method in ("POST", "PUT", "DELETE", "GET"):
                self.refused(400, words, method, f"/v1/topics/{path}", None if method in ("GET", "DELETE") else "x")
        for method in ("POST", "PUT", "DELETE"):
            self.refused(403, "system", method, "/v1/topics/$SYS/x", None if method == "DELETE" else "x")

    def test_filters(self):
        """What is not a filter is refused wherever one is read"""
        for text, words in [("a+", "whole level"), ("a/%23/b", "last level"), ("%23%23", "whole level"), ("a%FF", "UTF-8"), ("a%00", "control"), ("", "at least one"), ("b" * 1025, "1024")]:
            self.refused(400, words, "GET", f"/v1/events?topic={text}")
        self.refused(400, "topic=", "GET", "/v1/events")
        self.refused(400, "wildcards", "GET", "/v1/history?topic=a/%23")
        self.refused(400, "wildcards", "GET", "/v1/history?topic=a&topic=b")

    def test_parameters(self):
        """Parameters that cannot be, and names that nobody knows, are refused by name"""
        for query, words in [
            ("since=yesterday", "since"), ("since=-5m", "since"), ("last=x", "last"), ("last=-1", "last"), ("limit=0", "limit"), ("limit=x", "limit"), ("wait=soon", "wait"),
            ("format=xml", "format"), ("retained=yes", "retained"), ("cursr=v1", "cursr"), ("consumer=a%2Fb", "consumer"), ("consumer=" + "a" * 129, "consumer"),
            ("ack=maybe&consumer=c", "ack"), ("since=earliest&last=3", "choose one"),
        ]:
            self.refused(400, words, "GET", f"/v1/events?topic=a&{query}")

    def test_cursors(self):
        """A malformed cursor is refused, over every transport and in every place"""
        for cursor in ["x", "v1", "v1~", "v1~xyz", "v2~0123456789ab~1.2", f"v1~{CLUSTER}~1", f"v1~{CLUSTER}~1.2~1.3", f"v1~{CLUSTER}~2.1~1.1", f"v1~{CLUSTER}~70000.1",
                       f"v1~{CLUSTER}~1.99999999999999999999", f"v1~{CLUSTER}~1.-2", "v1~" + CLUSTER + "~1.1" * 5000]:
            path = f"/v1/events?topic=a&cursor={urllib.parse.quote(cursor)}"
            if len(path) < 8000:
                self.refused(400, "cursor", "GET", path)
                self.refused(400, "cursor", "GET", path + "&wait=1")
                self.refused(400, "cursor", "GET", path, headers={"Accept": "text/event-stream"})
                self.refused(400, "", "GET", "/v1/events?topic=a", headers={"Accept": "text/event-stream", "Last-Event-ID": cursor})
                self.refused(400, "cursor", "GET", f"/v1/history?topic=a&before={urllib.parse.quote(cursor)}")
            self.refused(400, "cursor", "POST", "/v1/events", json.dumps({"topics": ["a"], "cursor": cursor}), {"Content-Type": "application/json"})
            with self.subTest(f"WebSocket {cursor[:40]}"):
                socket = WebSocket(self.node.port)
                socket.send({"op": "subscribe", "id": "s", "topics": ["a"], "cursor": cursor})
                error = socket.message("error")
                self.assertEqual(error["id"], "s")
                self.assertIn("cursor", error["detail"])
                # The connection is as good as before.
                socket.subscribe("a")
                socket.close()

    def test_cursors_that_cannot_be_honoured(self):
        """A cursor of another cluster, or from the future, is answered with a gap and then everything there is"""
        for cursor, reason, expected in [
            (f"v1~{CLUSTER}~3.7", "foreign", ["1"]), (f"v1~{CLUSTER}", "foreign", ["1"]),
            (f"v1~{self.cluster}" + "".join(f"~{shard}.999999" for shard in range(16)), "future", []),
        ]:
            question = f"/v1/events?topic=here/%23&cursor={cursor}"
            with self.subTest(cursor=cursor, how="poll"):
                answer = self.node.json(question)
                self.assertEqual(answer["gap"]["reason"], reason)
                self.assertEqual([event["data"] for event in answer["events"]], expected)
                # Whoever goes on with what it was given is not told again.
                again = self.node.json(f"/v1/events?topic=here/%23&cursor={answer['cursor']}")
                self.assertNotIn("gap", again)
                self.assertEqual(again["events"], [])
            with self.subTest(cursor=cursor, how="long-poll"):
                status, _, body = self.node.get(question + "&wait=5")
                self.assertEqual((status, json.loads(body)["gap"]["reason"]), (200, reason))
            with self.subTest(cursor=cursor, how="SSE"):
                stream = SSEStream(self.node.port, f"topic=here/%23&cursor={cursor}")
                place, kind, data = stream.message()
                self.assertEqual((kind, json.loads(data)["reason"]), ("tidings.gap", reason))
                for text in expected:
                    self.assertEqual(stream.message()[2], text)
                stream.close()
            with self.subTest(cursor=cursor, how="WebSocket"):
                socket = WebSocket(self.node.port)
                socket.send({"op": "subscribe", "id": "s1", "topics": ["here/#"], "cursor": cursor})
                self.assertEqual(socket.message("gap")["reason"], reason)
                for text in expected:
                    self.assertEqual(socket.message("event")["data"], text)
                socket.close()

    def test_json(self):
        """JSON that is none is refused with line and column"""
        for body in ['[{"topic": "a",}]', '[\n  {"topic": "a" "data": 1}\n]', "[", "", "{\"topic\": \"a\", \"data\": nul}", '["\\x"]', "[1 2]"]:
            self.refused(400, ["line", "column"] if body else [], "POST", "/v1/publish", body, {"Content-Type": "application/json"})
        self.refused(400, "line", "POST", "/v1/events", "{", {"Content-Type": "application/json"})
        self.refused(400, "array", "POST", "/v1/publish", "7", {"Content-Type": "application/json"})

    def test_batches(self):
        """Of a batch all that can be published is, and each that cannot says why"""
        lines = ['{"topic":"batch/a","data":"1"}', '{"topic":"batch/+","data":"2"}', "not json", '{"data":"no topic"}', '{"topic":"batch/b","data_base64":"?"}', '{"topic":"$SYS/x"}', '{"topic":7}',
                 '{"topic":"batch/b","data":1,"data_base64":"AA=="}', '{"topic":"batch/c","ttl":"soon"}', '{"topic":"batch/d","data":"3"}']
        status, _, body = self.node.request("POST", "/v1/publish", "\n".join(lines), {"Content-Type": "application/x-ndjson"})
        self.assertEqual(status, 200)
        answer = json.loads(body)
        self.assertEqual((answer["published"], answer["failed"]), (2, 8))
        self.assertEqual([index for index, result in enumerate(answer["results"]) if "error" in result], list(range(1, 9)))
        for index, result in enumerate(answer["results"]):
            if "error" in result:
                self.assertEqual(result["index"], index)
                self.assertTrue(result["error"]["detail"])

    def test_headers(self):
        """Headers of a publish that cannot be are refused by name"""
        for headers, status, words in [
            ({"Tidings-TTL": "soon"}, 400, "ttl"), ({"Tidings-TTL": "0s"}, 400, "ttl"), ({"If-Match": "x"}, 400, "if-match"), ({"Tidings-Ack": "maybe"}, 400, "ack"),
            ({"Idempotency-Key": "k" * 257}, 400, "idempotency-key"), ({"Tidings-Event": "e" * 257}, 400, "event"), ({"Content-Type": "nonsense"}, 415, "content-type"),
            ({"If-Match": "77"}, 412, "if-match"),
        ]:
            self.refused(status, words, "POST", "/v1/topics/here/b", "x", headers)

    def test_sizes(self):
        """A message may have a mebibyte and no byte more"""
        self.assertEqual(self.node.request("POST", "/v1/topics/size/a", b"x" * (1 << 20))[0], 200)
        self.refused(413, [], "POST", "/v1/topics/size/a", b"x" * ((1 << 20) + 1))
        body = json.dumps([{"topic": "a"}] * 10_001)
        self.refused(413, "batch", "POST", "/v1/publish", body, {"Content-Type": "application/json"})

    def test_methods_and_paths(self):
        """What is not there is 404, what cannot be done with it 405 with what can"""
        self.refused(404, [], "GET", "/v2/events")
        self.refused(404, [], "GET", "/v1/topic/a")
        for method, path in [("PATCH", "/v1/topics/a"), ("DELETE", "/v1/events"), ("POST", "/v1/history"), ("PUT", "/v1/publish"), ("POST", "/healthz")]:
            self.refused(405, [], method, path, "x" if method in ("PUT", "POST", "PATCH") else None)
            self.assertIn("GET" if path != "/v1/publish" else "POST", self.node.request(method, path)[1]["Allow"])
        self.refused(406, [], "GET", "/v1/events?topic=a", headers={"Accept": "image/png"})
        self.refused(404, "current value", "GET", "/v1/topics/nothing/here")
        self.refused(404, "consumer", "GET", "/v1/consumers/nobody")

    def test_origins(self):
        """A page of a foreign origin may neither read nor publish"""
        for method, path, body in [("POST", "/v1/topics/a", "x"), ("GET", "/v1/events?topic=a", None), ("GET", "/v1/topics/a", None)]:
            self.refused(403, "origin", method, path, body, {"Origin": "https://evil.example"})
        with self.assertRaises(ConnectionError):
            WebSocket(self.node.port, headers=["Origin: https://evil.example"])
        status, fields, _ = self.node.get("/v1/events?topic=a", {"Origin": "http://localhost:3000"})
        self.assertEqual((status, fields["Access-Control-Allow-Origin"]), (200, "http://localhost:3000"))

    def test_operations(self):
        """What is no operation of tidings.v1 is answered with an error, and the connection goes on"""
        socket = WebSocket(self.node.port)
        for text in ["", "x", "[]", "7", "null", '"x"', "{}", '{"op":7}', '{"op":"fly"}', '{"op":"subscribe"}', '{"op":"subscribe","id":"s"}', '{"op":"subscribe","id":"s","topics":"a+"}',
                     '{"op":"subscribe","id":"s","topics":[7]}', '{"op":"subscribe","id":"s","topics":["a"],"cursr":"x"}', '{"op":"unsubscribe","id":"nobody"}', '{"op":"publish","topic":"a/#","ref":"p"}',
                     '{"op":"publish","ref":"p"}', '{"op":"publish","topic":"$SYS/x","ref":"p"}', '{"op":"ack"}', "{" * 2000, '{"op":"subscribe","id":"' + "x" * 300 + '","topics":["a"]}']:
            with self.subTest(text[:60]):
                socket.frame(1, text.encode())
                error = socket.message()
                while error["op"] == "welcome":
                    error = socket.message()
                self.assertEqual(error["op"], "error", error)
                self.assertTrue(error["code"] and error["detail"])
        socket.subscribe("a")
        socket.close()


class RetentionTests(unittest.TestCase):
    def test_expired(self):
        """A cursor from before what is kept is answered with a gap, over every transport, and then everything kept"""
        with Node("--shards", "1", "--retention", "2s") as node:
            first = node.publish("old/a", "gone")["cursor"]
            node.publish("old/a", "gone too")
            beginning = node.json("/v1/events?topic=old/%23&since=earliest")["events"]
            self.assertEqual(len(beginning), 2)
            # Retention takes whole segments: what makes them go is more messages after them.
            def trimmed():
                node.publish("old/a", "x" * 500_000)
                return node.json("/v1/cluster")["shards"][0]["first"] > 2
            until(trimmed, 60, "retention's passing over the first messages")
            kept = node.json("/v1/events?topic=old/%23&since=earliest&limit=1")["events"][0]["position"]
            answer = node.json(f"/v1/events?topic=old/%23&limit=1&cursor={first}")
            self.assertEqual(answer["gap"]["reason"], "expired")
            self.assertEqual(answer["gap"]["from"], first)
            stream = SSEStream(node.port, f"topic=old/%23&format=json&cursor={first}")
            self.assertEqual(stream.message()[1], "tidings.gap")
            self.assertGreaterEqual(int(json.loads(stream.message()[2])["position"].split(".")[1]), int(kept.split(".")[1]))
            stream.close()
            waited = json.loads(node.get(f"/v1/events?topic=old/%23&limit=1&wait=5&cursor={first}")[2])
            self.assertEqual(waited["gap"]["reason"], "expired")
            socket = WebSocket(node.port)
            socket.send({"op": "subscribe", "id": "s", "topics": ["old/#"], "cursor": first})
            self.assertEqual(socket.message("gap")["reason"], "expired")
            self.assertGreaterEqual(int(socket.message("event")["position"].split(".")[1]), int(kept.split(".")[1]))
            socket.close()


if __name__ == "__main__":
    unittest.main()
