import asyncio
import base64
import json
import subprocess
import threading
import time
import unittest
import urllib.parse

import websockets

from harness.node import Node, until
from harness.sse import HTTPStream, SSEStream
from harness.websocket import WebSocket

EARLIEST = "&since=earliest"


class ReadingTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node("--heartbeat", "1s").start()
        cls.addClassCleanup(cls.node.stop)

    def events(self, filter, more=EARLIEST):
        return self.node.json(f"/v1/events?topic={urllib.parse.quote(filter, safe='')}{more}")["events"]

    # -- Publishing, seen from the reader

    def test_payloads(self):
        """Text, JSON, bytes and nothing at all arrive as what they were published as"""
        self.node.publish("kind/text", "zwei\nZeilen – ü", {"Content-Type": "text/plain", "Tidings-Event": "made"})
        self.node.publish("kind/json", '{"a": [1, 2.50, "x\\u0041"]}', {"Content-Type": "application/json"})
        self.node.publish("kind/problem", "{}", {"Content-Type": "application/problem+json"})
        self.node.publish("kind/broken", "{nope", {"Content-Type": "application/json"})
        self.node.publish("kind/bytes", bytes(range(256)), {"Content-Type": "application/octet-stream"})
        self.node.publish("kind/nothing", b"")
        found = {event["topic"]: event for event in self.events("kind/+")}
        self.assertEqual(found["kind/text"]["data"], "zwei\nZeilen – ü")
        self.assertEqual((found["kind/text"]["type"], found["kind/text"]["datacontenttype"]), ("made", "text/plain"))
        self.assertEqual(found["kind/json"]["data"], {"a": [1, 2.5, "xA"]})
        self.assertEqual(found["kind/problem"]["data"], {})
        self.assertEqual(found["kind/broken"]["data"], "{nope")
        self.assertEqual(base64.b64decode(found["kind/bytes"]["data_base64"]), bytes(range(256)))
        self.assertEqual(found["kind/nothing"]["data"], "")
        self.assertTrue(all(set(event) >= {"topic", "position", "time"} for event in found.values()))

    def test_once(self):
        """A key publishes once on its topic; the answer says where the first one stands"""
        first = self.node.publish("once/a", "1", {"Idempotency-Key": "k"})
        second = self.node.publish("once/a", "2", {"Idempotency-Key": "k"})
        other = self.node.publish("once/b", "3", {"Idempotency-Key": "k"})
        self.assertEqual((first["duplicate"], second["duplicate"], other["duplicate"]), (False, True, False))
        self.assertEqual(first["cursor"], second["cursor"])
        self.assertEqual([event["data"] for event in self.events("once/+")].count("2"), 0)

    def test_conditions(self):
        """If-Match publishes only onto the topic's last message: of many who try at once, one succeeds"""
        head = "0"
        for round in range(5):
            answers = []

            def attempt(number):
                answers.append(self.node.request("POST", "/v1/topics/condition/a", str(number), {"If-Match": head}))

            threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(status for status, _, _ in answers), [200] + [412] * 7)
            head = json.loads(next(body for status, _, body in answers if status == 200))["position"]

    def test_time_to_live(self):
        """What has outlived its time is not delivered"""
        self.node.publish("ttl/a", "short", {"Tidings-TTL": "300ms"})
        self.node.publish("ttl/a", "long", {"Tidings-TTL": "1h"})
        self.assertEqual([event["data"] for event in self.events("ttl/a")], ["short", "long"])
        until(lambda: [event["data"] for event in self.events("ttl/a")] == ["long"], 5, "the first one's expiry")
        self.assertEqual([event["data"] for event in self.node.json("/v1/history?topic=ttl/a")["events"]], ["long"])

    def test_current_value(self):
        """PUT sets a topic's current value, GET reads it, DELETE clears it"""
        self.assertEqual(self.node.get("/v1/topics/value/a")[0], 404)
        self.node.publish("value/a", "<b>1</b>", {"Content-Type": "text/html"}, method="PUT")
        status, fields, body = self.node.get("/v1/topics/value/a")
        self.assertEqual((status, body, fields["Content-Type"]), (200, b"<b>1</b>", "text/html"))
        self.assertEqual(fields["X-Content-Type-Options"], "nosniff")
        self.assertEqual(self.node.get("/v1/topics/value/a", {"If-None-Match": fields["ETag"]})[0], 304)
        self.assertEqual(self.node.request("HEAD", "/v1/topics/value/a")[2], b"")
        # A passing message changes nothing about it.
        self.node.publish("value/a", "passing")
        self.assertEqual(self.node.get("/v1/topics/value/a")[2], b"<b>1</b>")
        self.node.publish("value/a", "2", method="PUT")
        self.assertEqual(self.node.get("/v1/topics/value/a", {"If-None-Match": fields["ETag"]})[2], b"2")
        self.assertEqual(self.node.request("DELETE", "/v1/topics/value/a")[0], 200)
        self.assertEqual(self.node.get("/v1/topics/value/a")[0], 404)
        self.assertEqual(self.events("value/a", "&retained=true"), [])

    def test_snapshot_and_follow(self):
        """Current values, then every later message: nothing missed or doubled between the two, however busy it is"""
        topics = [f"snap/{index}" for index in range(20)]
        stopped = threading.Event()
        published = {topic: [] for topic in topics}

        def publish():
            number = 0
            while not stopped.is_set():
                topic = topics[number % 20]
                answer = self.node.publish(topic, str(number), method="PUT")
                published[topic].append((int(answer["position"].split(".")[1]), str(number)))
                number += 1

        publisher = threading.Thread(target=publish, daemon=True)
        publisher.start()
        try:
            until(lambda: all(published.values()), 10, "every topic's having a value")
            streams = []
            for _ in range(5):
                streams.append(("SSE", SSEStream(self.node.port, "topic=snap/%2B&retained=true&format=json")))
                socket = WebSocket(self.node.port)
                socket.send({"op": "subscribe", "id": "s", "topics": ["snap/+"], "retained": True})
                streams.append(("WebSocket", socket))
                time.sleep(0.05)
        finally:
            stopped.set()
            publisher.join()
        last = {topic: entries[-1] for topic, entries in published.items()}
        for name, stream in streams:
            received = {topic: [] for topic in topics}
            while any(not entries or entries[-1] != last[topic] for topic, entries in received.items()):
                event = json.loads(stream.message()[2]) if name == "SSE" else stream.message("event")
                entries = received[event["topic"]]
                self.assertEqual(bool(entries), not event.get("retained", False), f"{name}: {event}")
                entries.append((int(event["position"].split(".")[1]), event["data"]))
            for topic, entries in received.items():
                self.assertEqual(entries, published[topic][published[topic].index(entries[0]):], f"{name}, {topic}")
            stream.close()

    # -- Where to begin

    def test_beginnings(self):
        """since, last and cursor begin where they say"""
        answers = [self.node.publish("begin/a", str(number)) for number in range(10)]
        for number in range(5):
            self.node.publish("begin/b", f"b{number}")

        def read(more):
            return [event["data"] for event in self.events("begin/a", more)]

        everything = [str(number) for number in range(10)]
        self.assertEqual(read("&since=earliest"), everything)
        self.assertEqual(read("&since=1h"), everything)
        self.assertEqual(read("&since=latest"), [])
        self.assertEqual(read(""), [])
        self.assertEqual(read("&last=3"), everything[-3:])
        self.assertEqual(read("&last=99"), everything)
        self.assertEqual(read("&cursor=" + answers[6]["cursor"]), everything[7:])
        self.assertEqual(sorted(event["data"] for event in self.events("begin/+", "&last=2")), ["8", "9", "b3", "b4"])
        self.node.publish("begin/c", "before")
        time.sleep(0.02)
        moment = self.node.publish("begin/c", "at")["time"]
        self.node.publish("begin/c", "after")
        self.assertEqual([event["data"] for event in self.events("begin/c", f"&since={moment}")], ["at", "after"])

    def test_pages(self):
        """A limit makes pages; their cursors join without a seam"""
        for number in range(50):
            self.node.publish(f"page/{number % 7}", str(number))
        found, more = [], EARLIEST
        while True:
            answer = self.node.json(f"/v1/events?topic=page/%23&limit=8{more}")
            if not answer["events"]:
                break
            self.assertLessEqual(len(answer["events"]), 8)
            found += [event["data"] for event in answer["events"]]
            more = "&cursor=" + answer["cursor"]
        self.assertEqual(sorted(found, key=int), [str(number) for number in range(50)])

    def test_history(self):
        """History is one topic's past, newest first, page by page"""
        for number in range(25):
            self.node.publish("history/a", str(number))
            self.node.publish("history/b", "other")
        found, more = [], ""
        while True:
            answer = self.node.json(f"/v1/history?topic=history/a&limit=10{more}")
            found += [event["data"] for event in answer["events"]]
            if "before" not in answer:
                break
            more = "&before=" + answer["before"]
        self.assertEqual(found, [str(number) for number in reversed(range(25))])

    # -- The manners of reading

    def test_server_sent_events(self):
        """A stream is flushed at once with its starting cursor, splits lines, names types, encodes bytes, and beats"""
        stream = SSEStream(self.node.port, "topic=sse/%23")
        self.assertEqual(stream.headers["content-type"], "text/event-stream")
        stream.begun()
        self.assertRegex(stream.id, "^v1~[0-9a-f]{12}")
        self.assertGreater(stream.retry, 0)
        self.node.publish("sse/a", "one\ntwo\r\nthree\rfour\n", {"Tidings-Event": "lines"})
        place, kind, data = stream.message()
        self.assertEqual((kind, data), ("lines", "one\ntwo\nthree\nfour\n"))
        self.node.publish("sse/a", bytes([0xFF, 0, 1]))
        self.assertEqual(stream.message()[2], base64.b64encode(bytes([0xFF, 0, 1])).decode())
        self.node.publish("sse/a", "data: fake\n\nid: fake")
        self.assertEqual(stream.message()[2], "data: fake\n\nid: fake")
        comments = stream.comments
        self.node.publish("elsewhere", "x")
        while stream.comments == comments:  # a heartbeat, with the cursor that has moved on meanwhile
            self.assertIsNone(stream.event()[2])
        stream.close()
        resumed = SSEStream(self.node.port, "topic=sse/%23", {"Last-Event-ID": place})
        self.assertEqual(resumed.message()[2], base64.b64encode(bytes([0xFF, 0, 1])).decode())
        resumed.close()

    def test_long_poll(self):
        """A long-poll answers as soon as there is something, 204 when there was nothing, always with a cursor"""
        start = self.node.json("/v1/events?topic=poll/a")["cursor"]
        began = time.monotonic()
        status, fields, body = self.node.get(f"/v1/events?topic=poll/a&wait=1&cursor={start}")
        self.assertEqual((status, body), (204, b""))
        self.assertGreater(time.monotonic() - began, 0.9)
        threading.Timer(0.2, lambda: self.node.publish("poll/a", "x")).start()
        began = time.monotonic()
        status, again, body = self.node.get(f"/v1/events?topic=poll/a&wait=20&cursor={fields['Tidings-Cursor']}")
        self.assertEqual((status, json.loads(body)["events"][0]["data"]), (200, "x"))
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.node.get(f"/v1/events?topic=poll/a&wait=1&cursor={again['Tidings-Cursor']}")[0], 204)

    def test_poll(self):
        """A poll has an entity tag, and is 304 while nothing has changed"""
        self.node.publish("tag/a", "1")
        status, fields, body = self.node.get("/v1/events?topic=tag/a&since=earliest")
        self.assertEqual(len(json.loads(body)["events"]), 1)
        cursor = json.loads(body)["cursor"]
        self.assertEqual(fields["ETag"], f'"{cursor}"')
        unchanged = self.node.get(f"/v1/events?topic=tag/a&cursor={cursor}", {"If-None-Match": fields["ETag"]})
        self.assertEqual((unchanged[0], unchanged[2]), (304, b""))
        self.node.publish("tag/a", "2")
        self.assertEqual(self.node.get(f"/v1/events?topic=tag/a&cursor={cursor}", {"If-None-Match": fields["ETag"]})[0], 200)

    def test_posted_questions(self):
        """A question too long for an address is posted; many topics in many shards are one reader"""
        topics = [f"many/{index}/" + "x" * 40 for index in range(300)]
        cursor = json.loads(self.node.request("POST", "/v1/events", json.dumps({"topics": topics}), {"Content-Type": "application/json"})[2])["cursor"]
        for topic in topics:
            self.node.publish(topic, topic)
        self.node.publish("many/300", "not asked for")
        status, _, body = self.node.request("POST", "/v1/events", json.dumps({"topics": topics, "cursor": cursor}), {"Content-Type": "application/json"})
        self.assertEqual(status, 200)
        self.assertEqual(sorted(event["data"] for event in json.loads(body)["events"]), sorted(topics))

    def test_one_stream_of_many(self):
        """A stream of names and wildcards together is live on all of them, and gives each message once"""
        stream = SSEStream(self.node.port, "topic=mix/a&topic=mix/b&topic=mix/%2B&topic=other/exact&format=json").begun()
        for topic in ("mix/a", "mix/b", "mix/c", "other/exact", "other/else", "mix/a"):
            self.node.publish(topic, topic)
        self.assertEqual(sorted(json.loads(stream.message()[2])["topic"] for _ in range(5)), ["mix/a", "mix/a", "mix/b", "mix/c", "other/exact"])
        stream.close()

    def test_consumer(self):
        """A consumer remembers its place; with ack=explicit it moves when it is told to"""
        for number in range(6):
            self.node.publish("work/a", str(number))
        question = "/v1/events?topic=work/%23&since=earliest&limit=2&consumer=worker&ack=explicit"
        first = self.node.json(question)
        self.assertEqual([event["data"] for event in first["events"]], ["0", "1"])
        self.assertEqual(self.node.json(question)["events"], first["events"])
        status, _, _ = self.node.request("POST", "/v1/consumers/worker/ack", json.dumps({"cursor": first["cursor"]}), {"Content-Type": "application/json"})
        self.assertIn(status, (200, 204))
        until(lambda: [event["data"] for event in self.node.json(question)["events"]] == ["2", "3"], 5, "the consumer's moving on")
        self.assertIn("worker", [each["name"] for each in self.node.json("/v1/consumers")["consumers"]])
        self.assertIn(self.node.request("DELETE", "/v1/consumers/worker")[0], (200, 204))
        self.assertEqual(self.node.get("/v1/consumers/worker")[0], 404)

    # -- Clients that others wrote

    def test_websockets_client(self):
        """python3-websockets follows and publishes, compressed and plain"""
        async def talk(compression):
            async with websockets.connect(f"ws://{self.node.address}/v1/ws", subprotocols=["tidings.v1"], compression=compression) as socket:
                self.assertEqual(socket.subprotocol, "tidings.v1")
                self.assertEqual(json.loads(await socket.recv())["op"], "welcome")
                await socket.send(json.dumps({"op": "subscribe", "id": "s", "topics": ["real/#"]}))
                self.assertEqual(json.loads(await socket.recv())["op"], "subscribed")
                text = "repetitive " * 1000
                await socket.send(json.dumps({"op": "publish", "ref": "p", "topic": "real/a", "data": text}))
                await socket.send(b'{"topic":"real/b","ref":"q"}\n' + bytes(range(256)))
                found = [json.loads(await socket.recv()) for _ in range(4)]
                self.assertEqual(sorted(each["ref"] for each in found if each["op"] == "published"), ["p", "q"])
                events = {each["topic"]: each for each in found if each["op"] == "event"}
                self.assertEqual(events["real/a"]["data"], text)
                self.assertEqual(base64.b64decode(events["real/b"]["data_base64"]), bytes(range(256)))
        asyncio.run(talk("deflate"))
        asyncio.run(talk(None))

    def test_curl(self):
        """curl publishes, reads and follows"""
        def curl(*arguments):
            return subprocess.run(["curl", "-s", *arguments], capture_output=True, text=True, timeout=20).stdout
        following = subprocess.Popen(["curl", "-sN", "-H", "Accept: text/event-stream", f"{self.node.url}/v1/events?topic=curl/%23"], stdout=subprocess.PIPE, text=True)
        try:
            while not following.stdout.readline().startswith("id:"):
                pass
            self.assertIn('"duplicate":false', curl("-d", "hello", f"{self.node.url}/v1/topics/curl/a"))
            self.assertIn('"duplicate":false', curl("-X", "PUT", "-H", "Expect: 100-continue", "-d", "x" * 5000, f"{self.node.url}/v1/topics/curl/b"))
            lines = []
            while len(lines) < 2:
                line = following.stdout.readline()
                if line.startswith("data:"):
                    lines.append(line)
            self.assertEqual(lines[0], "data: hello\n")
        finally:
            following.kill()
            following.wait()
            following.stdout.close()
        self.assertEqual(len(json.loads(curl("--compressed", f"{self.node.url}/v1/events?topic=curl/%23&since=earliest"))["events"]), 2)
        self.assertEqual(curl("-o", "/dev/null", "-w", "%{http_code}", "-I", f"{self.node.url}/"), "200")

    def test_seen_from_outside(self):
        """Metrics are what Prometheus reads, and count what happened; status says who is connected"""
        stream = HTTPStream(self.node.port, "/v1/events?topic=seen", {"Accept": "application/x-ndjson"})
        self.node.publish("seen", "x")
        self.assertEqual(json.loads(stream.line())["topic"], "seen")
        status, fields, body = self.node.get("/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(fields["Content-Type"].startswith("text/plain"))
        names = set()
        for line in body.decode().splitlines():
            if line.startswith("#"):
                self.assertRegex(line, r"^# (HELP|TYPE) tidings_[a-z0-9_]+ .+")
            else:
                self.assertRegex(line, r'^[a-z_][a-z0-9_]*(\{([a-z_]+="[^"]*",?)*\})? [-+0-9.eE]+(Inf|NaN)?$')
                names.add(line.split("{")[0].split(" ")[0])
        self.assertTrue(any("published" in name for name in names), names)
        totals = self.node.json("/v1/cluster")["totals"]
        self.assertGreater(totals["published"], 0)
        stream.close()


if __name__ == "__main__":
    unittest.main()
