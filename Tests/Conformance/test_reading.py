"""Reading /v1/events in all its manners: poll, long-poll, SSE, NDJSON; every start and filter."""

import base64
import json
import threading
import time

from harness.node import until
from outside.node import NodeTest
from outside.streams import LINES, SSEClient, Stream
from outside.wire import Wire, ask, request
from test_publishing import CURSOR, JSON


class Reading(NodeTest):
    options = ("--heartbeat", "1s")

    def events(self, query, headers=(), **more):
        answer = self.ask("GET", f"/v1/events?{query}", headers, **more)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def data(self, query):
        return [event["data"] for event in self.events(query)["events"]]

    # -- Poll

    def test_poll(self):
        """A poll answers at once with events and a cursor; the cursor reads on"""
        answer = self.ask("GET", "/v1/events?topic=poll/%23")
        self.assertEqual(answer["Content-Type"], "application/json")
        start = answer.json()
        self.assertEqual(start["events"], [])
        self.assertRegex(start["cursor"], CURSOR)
        self.assertEqual(answer["ETag"], f'"{start["cursor"]}"')
        self.assertEqual(answer["Tidings-Cursor"], start["cursor"])
        self.assertIn("Cache-Control", answer)
        self.assertIn("Retry-After", answer)
        for index in range(6):
            self.publish(f"poll/{index % 3}", str(index))
        page = self.events(f"topic=poll/%23&cursor={start['cursor']}")
        self.assertEqual(sorted(event["data"] for event in page["events"]), list("012345"))
        self.assertEqual(self.events(f"topic=poll/%23&cursor={page['cursor']}")["events"], [])
        found, cursor = [], start["cursor"]
        for _ in range(6):
            page = self.events(f"topic=poll/%23&limit=1&cursor={cursor}")
            found += [event["data"] for event in page["events"]]
            cursor = page["cursor"]
        self.assertEqual(sorted(found), list("012345"))
        for name, headers in (("lastEventId", {}), ("Last-Event-ID header", {"Last-Event-ID": start["cursor"]})):
            with self.subTest(name):
                query = "topic=poll/%23" + ("" if headers else f"&lastEventId={start['cursor']}")
                self.assertEqual(len(self.events(query, headers)["events"]), 6)

    def test_poll_tags(self):
        """If-None-Match with the cursor is 304 until there is more, whether the cursor is in the query or not"""
        self.publish("tags", "1")
        for query in ("topic=tags", "topic=tags&since=earliest", "topic=tags&last=5", "topic=tags&since=1h"):
            with self.subTest(query):
                first = self.ask("GET", f"/v1/events?{query}")
                tag = first["ETag"]
                again = self.ask("GET", f"/v1/events?{query}", {"If-None-Match": tag})
                self.assertEqual((again.status, again["ETag"], again.body), (304, tag, b""))
                self.assertIn("Cache-Control", again)
                cursor = first.json()["cursor"]
                onward = self.ask("GET", f"/v1/events?topic=tags&cursor={cursor}", {"If-None-Match": f'"{cursor}"'})
                self.assertEqual(onward.status, 304)
                self.publish("tags", "more")
                self.assertEqual(self.ask("GET", f"/v1/events?{query}", {"If-None-Match": tag}).status, 200)
                self.assertEqual(self.ask("GET", f"/v1/events?topic=tags&cursor={cursor}", {"If-None-Match": f'"{cursor}"'}).status, 200)

    def test_starts(self):
        """since, last and earliest begin where they say"""
        for index in range(5):
            self.publish("starts/a", f"a{index}")
        self.publish("starts/b", "b0")
        # Times are told in milliseconds: the one asked for lies clear of both neighbours.
        time.sleep(0.01)
        middle = time.time()
        time.sleep(0.01)
        self.publish("starts/a", "a5")
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(middle)) + f"{middle % 1:.3f}"[1:] + "Z"
        self.assertEqual(self.data("topic=starts/a"), [])
        self.assertEqual(self.data("topic=starts/a&since=latest"), [])
        self.assertEqual(self.data("topic=starts/a&since=earliest"), [f"a{index}" for index in range(6)])
        self.assertEqual(self.data("topic=starts/a&since=5m"), [f"a{index}" for index in range(6)])
        self.assertEqual(self.data(f"topic=starts/a&since={stamp}"), ["a5"])
        self.assertEqual(self.data("topic=starts/a&since=2001-01-01T00:00:00Z"), [f"a{index}" for index in range(6)])
        self.assertEqual(self.data("topic=starts/a&since=2001-01-01T01:00:00%2B01:00"), [f"a{index}" for index in range(6)])
        self.assertEqual(self.data("topic=starts/a&since=2999-01-01T00:00:00Z"), [])
        self.assertEqual(self.data("topic=starts/a&last=2"), ["a4", "a5"])
        self.assertEqual(self.data("topic=starts/a&last=0"), [])
        self.assertEqual(sorted(self.data("topic=starts/%23&last=2")), ["a4", "a5", "b0"], "last counts per topic")
        self.assertEqual(sorted(self.data("topic=starts/a&topic=starts/b&last=1")), ["a5", "b0"])

    def test_wildcards(self):
        """Filters match as in MQTT, over all shards, each event once"""
        for topic in ("w", "w/a", "w/a/b", "w/c/b", "w/", "w//b", "other/a"):
            self.publish(topic, topic)
        cases = {
            "w/%23": ["w", "w/", "w//b", "w/a", "w/a/b", "w/c/b"], "w/%2B": ["w/", "w/a"], "w/+": ["w/", "w/a"], "w/%2B/b": ["w//b", "w/a/b", "w/c/b"], "%2B/a": ["other/a", "w/a"], "w/a/%23": ["w/a", "w/a/b"], "w/a&topic=w/%2B&topic=w/%23": ["w", "w/", "w//b", "w/a", "w/a/b", "w/c/b"], "w": ["w"], "w/": ["w/"],
        }
        for query, topics in cases.items():
            with self.subTest(query):
                found = sorted(event["topic"] for event in self.events(f"topic={query}&since=earliest")["events"] if event["topic"].split("/")[0] in ("w", "other"))
                self.assertEqual(found, topics)
        for topic in ("w%23", "%23/a", "w/%23/a", "a%2Bb", "", "a%00", "x" * 1025, "%FF"):
            with self.subTest(topic):
                self.problem(self.ask("GET", f"/v1/events?topic={topic}"), 400)

    def test_wrong_parameters(self):
        """What cannot be read is refused by name, never started somewhere else in silence"""
        bad = [
            "", "since=earliest", "topic=a&cursor=x", "topic=a&cursor=v2~0123456789ab", "topic=a&cursor=v1", "topic=a&cursor=v1~xyz", "topic=a&cursor=v1~0123456789ab~", "topic=a&cursor=v1~0123456789ab~1", "topic=a&cursor=v1~0123456789ab~1.x", "topic=a&cursor=v1~0123456789ab~2.1~1.1",
            "topic=a&cursor=v1~0123456789ab~1.1~1.2", "topic=a&cursor=v1~0123456789ab~99999.1", "topic=a&cursor=v1~0123456789ab~1.99999999999999999999", "topic=a&cursor=v1~0123456789ab~-1.5", "topic=a&cursor=v1~0123456789AB!~1.1", "topic=a&since=yesterday", "topic=a&since=",
            "topic=a&since=5", "topic=a&since=-5m", "topic=a&since=2001-13-01T00:00:00Z", "topic=a&last=x", "topic=a&last=-1", "topic=a&last=99999999", "topic=a&last=1&since=5m", "topic=a&retained=true&last=1", "topic=a&retained=maybe", "topic=a&wait=x", "topic=a&wait=-1", "topic=a&limit=0", "topic=a&limit=x", "topic=a&format=xml", "topic=a&ack=never",
            "topic=a&consumer=", "topic=a&consumer=a/b", "topic=a&consumer=" + "c" * 129, "topic=a&curser=v1~0123456789ab", "topics=a&nonsense", "topic=$share/g/a", "topic=%zz", "topic=a&%zz=1",
        ]
        for query in bad:
            for accept in ("application/json", "text/event-stream"):
                with self.subTest(f"{accept} {query}"):
                    self.problem(self.ask("GET", f"/v1/events?{query}", {"Accept": accept}), 400)
        self.problem(self.ask("GET", "/v1/events?topic=a", {"Last-Event-ID": "nonsense"}), 400)
        for accept in ("text/html", "image/png", "application/xml, text/html;q=0.9", "application/json;q=0"):
            self.problem(self.ask("GET", "/v1/events?topic=a", {"Accept": accept}), 406)
        for accept in ("*/*", "application/*", "application/json", "text/html, */*;q=0.1", ""):
            self.assertEqual(self.ask("GET", "/v1/events?topic=a", {"Accept": accept}).status, 200)

    def test_query_with_a_body(self):
        """QUERY and POST take the same parameters as JSON"""
        for index in range(3):
            self.publish(f"query/{index}", str(index))
        for method in ("QUERY", "POST"):
            body = json.dumps({"topics": ["query/0", "query/+"], "since": "earliest", "limit": 10})
            answer = self.ask(method, "/v1/events", JSON, body)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(sorted(event["data"] for event in answer.json()["events"]), ["0", "1", "2"])
            answer = self.ask(method, "/v1/events", JSON, json.dumps({"topic": "query/1", "last": 1, "wait": 5, "retained": False}))
            self.assertEqual(answer.json()["events"][0]["data"], "1")
            many = self.ask(method, "/v1/events", JSON, json.dumps({"topics": [f"query/{index}" for index in range(1000)], "since": "earliest"}))
            self.assertEqual(len(many.json()["events"]), 3)
            with SSEClient(self.port, "", method=method, body=json.dumps({"topics": ["query/0"], "since": "earliest"}), headers=JSON) as stream:
                self.assertEqual(stream.event(), ("message", "0"))
            bad = ["", "{", "[]", "5", '{"topics":[1]}', '{"topics":[]}', '{"topics":["a"],"cursor":5}', '{"topics":["a"],"nonsense":1}', '{"topics":["a/#/b"]}', '{"topics":"a","since":{}}', '{"topics":["a"]} x', json.dumps({"topics": [f"t{index}" for index in range(1025)]})]
            for body in bad:
                with self.subTest(f"{method} {body[:60]}"):
                    self.problem(self.ask(method, "/v1/events", JSON, body), 400)

    # -- Long-poll

    def test_long_poll(self):
        """A long-poll answers as soon as there is anything, and 204 when its time is over, always with a cursor"""
        began = time.monotonic()
        idle = self.ask("GET", "/v1/events?topic=longpoll/%23&wait=1")
        self.assertEqual(idle.status, 204)
        self.assertTrue(0.9 <= time.monotonic() - began <= 1.6, time.monotonic() - began)
        cursor = idle["Tidings-Cursor"]
        self.assertRegex(cursor, CURSOR)
        with Wire(self.port) as wire:
            wire.send(request("GET", f"/v1/events?topic=longpoll/%23&wait=30&cursor={cursor}"))
            time.sleep(0.1)
            began = time.monotonic()
            self.publish("longpoll/a", "news")
            answer = wire.answer()
            self.assertLess(time.monotonic() - began, 0.5)
            self.assertEqual([event["data"] for event in answer.json()["events"]], ["news"])
            self.assertEqual(answer["Tidings-Cursor"], answer.json()["cursor"])
            cursor = answer.json()["cursor"]
            began = time.monotonic()
            self.publish("longpoll/b", "was there")
            answer = wire.send(request("GET", f"/v1/events?topic=longpoll/%23&wait=30&cursor={cursor}")).answer()
            self.assertEqual([event["data"] for event in answer.json()["events"]], ["was there"])
            self.assertLess(time.monotonic() - began, 1)
        tagged = self.ask("GET", f"/v1/events?topic=longpoll/%23&wait=1&cursor={answer.json()['cursor']}", {"If-None-Match": f'"{answer.json()["cursor"]}"'})
        self.assertEqual(tagged.status, 204)
        self.assertRegex(tagged["Tidings-Cursor"], CURSOR)

    def test_long_polls_together(self):
        """A hundred long-polls on many topics are each answered once, with what is theirs and all that is theirs"""
        answers = [None] * 100
        cursor = self.events("topic=together/%23")["cursor"]

        def wait(index):
            query = f"topic=together/{index % 10}" + ("" if index < 50 else "&topic=together/all&limit=5")
            answers[index] = self.ask("GET", f"/v1/events?{query}&wait=20&cursor={cursor}", {} if index % 3 else {"Origin": "http://localhost"}, timeout=25)
        threads = [threading.Thread(target=wait, args=(index,)) for index in range(100)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        for topic in range(10):
            self.publish(f"together/{topic}", str(topic))
        for thread in threads:
            thread.join(25)
        for index, answer in enumerate(answers):
            self.assertEqual([event["data"] for event in answer.json()["events"]], [str(index % 10)], index)

    # -- SSE

    def test_stream_begins(self):
        """A stream sends its head, retry and an id at once, before any event"""
        cursor = self.events("topic=begin")["cursor"]
        retries = set()
        for query in ("topic=begin", "topic=begin/%23", f"topic=begin&cursor={cursor}", "topic=begin&since=earliest", "topic=begin&last=3", "topic=begin&format=json") * 2:
            with self.subTest(query), SSEClient(self.port, query) as stream:
                head = stream.answer_head
                self.assertEqual((head.status, head["Content-Type"]), (200, "text/event-stream"))
                self.assertIn("no-", head["Cache-Control"])
                stream.begun()
                self.assertRegex(stream.last_id, CURSOR)
                retries.add(stream.retry)
        self.assertGreater(len(retries), 3, "retry is jittered")
        self.assertTrue(all(100 <= each <= 60_000 for each in retries), retries)

    def test_a_stream_cut_before_its_first_event(self):
        """The first id alone is enough to miss nothing"""
        with SSEClient(self.port, "topic=cut/%23") as stream:
            stream.begun()
        self.publish("cut/a", "meanwhile")
        with SSEClient(self.port, "topic=cut/%23", {"Last-Event-ID": stream.last_id}) as again:
            self.assertEqual(again.event(), ("message", "meanwhile"))

    def test_stream_formats(self):
        """Data comes by line, types as event, binary as base64; format=json puts the whole event there"""
        bodies = [
            (b"one line", "one line"), (b"two\nlines", "two\nlines"), (b"ends\n", "ends\n"), (b"\n", "\n"), (b"", ""), (b"\n\nafter", "\n\nafter"), (b"dos\r\nlines", "dos\nlines"), (b"mac\rlines", "mac\nlines"), (b"mixed\n\r\r\nx", "mixed\n\n\nx"), (b" leading space", " leading space"), (b": colon", ": colon"),
            (b"data: fake\n\nevent: x", "data: fake\n\nevent: x"), ("\u2028\u0085€".encode(), "\u2028\u0085€"), (b"nul\x00", "nul\x00"), (bytes(range(256)), base64.b64encode(bytes(range(256))).decode()), (b"x" * 100_000, "x" * 100_000), (b"\n" * 1000, "\n" * 1000),
        ]
        with SSEClient(self.port, "topic=formats/%23") as live, SSEClient(self.port, "topic=formats/%23&format=json") as whole:
            live.begun()
            whole.begun()
            for index, (body, _) in enumerate(bodies):
                self.publish(f"formats/{index}", body, {"Tidings-Event": f"type.{index}"} if index % 2 else {})
            with SSEClient(self.port, "topic=formats/%23&since=earliest") as behind:
                for stream in (live, behind):
                    got = dict()
                    for _ in bodies:
                        kind, data = stream.event()
                        got.setdefault((kind, data), 0)
                        got[kind, data] += 1
                    for index, (_, text) in enumerate(bodies):
                        self.assertIn((f"type.{index}" if index % 2 else "message", text), got, index)
                    self.assertEqual(sum(got.values()), len(bodies))
            seen = set()
            for _ in bodies:
                kind, data = whole.event()
                event = json.loads(data)
                index = int(event["topic"].split("/")[1])
                seen.add(index)
                self.assertEqual(kind, f"type.{index}" if index % 2 else "message")
                self.assertEqual(event.get("type"), f"type.{index}" if index % 2 else None)
                body = base64.b64decode(event["data_base64"]) if "data_base64" in event else event["data"].encode()
                self.assertTrue(body == bodies[index][0], index)
            self.assertEqual(len(seen), len(bodies))

    def test_stream_resumes_from_every_id(self):
        """Every id of a stream resumes right behind its event, over every transport"""
        base = self.events("topic=resume/%23")["cursor"]
        for index in range(12):
            self.publish(f"resume/{index % 5}", str(index))
        with SSEClient(self.port, f"topic=resume/%23&cursor={base}") as stream:
            stream.begun()
            order, ids = [], []
            for _ in range(12):
                order.append(stream.event()[1])
                ids.append(stream.last_id)
        self.assertEqual(sorted(map(int, order)), list(range(12)))
        for index, cursor in enumerate(ids):
            rest = sorted(order[index + 1:])
            self.assertEqual(sorted(self.data(f"topic=resume/%23&cursor={cursor}")), rest)
            with SSEClient(self.port, "topic=resume/%23", {"Last-Event-ID": cursor}) as again:
                self.assertEqual(sorted(again.event()[1] for _ in rest), rest)

    def test_heartbeat(self):
        """An idle stream says something every second or so (--heartbeat 1s), and its ids move on"""
        with SSEClient(self.port, "topic=idle/%23", timeout=3) as stream, Stream(self.port, "topic=idle/%23", LINES, timeout=3) as lines:
            stream.begun()
            began = time.monotonic()
            while stream.comments < 2:
                stream.more()
                stream.comments = stream.rest.count(b":\n")
            self.assertLess(time.monotonic() - began, 3.5)
            self.assertEqual(lines.line().strip(), b"")

    def test_lines(self):
        """NDJSON is one whole event a line"""
        self.publish("lines/a", '{"n":\n1}', JSON)
        with Stream(self.port, "topic=lines/%23&since=earliest", LINES) as stream:
            self.assertEqual((stream.answer_head.status, stream.answer_head["Content-Type"]), (200, "application/x-ndjson"))
            event = json.loads(stream.line())
            self.assertEqual((event["topic"], event["data"]), ("lines/a", {"n": 1}))
            self.publish("lines/b", b"\xff")
            while not (line := stream.line().strip()):
                pass
            event = json.loads(line)
            self.assertEqual((event["topic"], event["data_base64"]), ("lines/b", "/w=="))

    def test_retained_first(self):
        """retained=true gives the current values, then everything later, in every manner"""
        for topic in ("r/a", "r/b", "r/c"):
            self.publish(topic, f"{topic} old", method="PUT")
            self.publish(topic, f"{topic} now", method="PUT")
        self.publish("r/c", "passing")
        self.ask("DELETE", "/v1/topics/r/b")
        page = self.events("topic=r/%23&retained=true")
        self.assertEqual(sorted(event["data"] for event in page["events"]), ["r/a now", "r/c now"])
        self.publish("r/a", "later")
        self.assertEqual(self.data(f"topic=r/%23&cursor={page['cursor']}"), ["later"])
        with SSEClient(self.port, "topic=r/%23&retained=true") as stream:
            self.assertEqual(sorted(stream.event()[1] for _ in range(2)), ["r/a now", "r/c now"])
            self.publish("r/d", "live")
            self.assertEqual(stream.event(), ("message", "live"))
        with Stream(self.port, "topic=r/%23&retained=true", LINES) as stream:
            found = [json.loads(stream.line()) for _ in range(2)]
            self.assertEqual(sorted(event["data"] for event in found), ["r/a now", "r/c now"])
        answer = self.ask("GET", "/v1/events?topic=r/%23&retained=true&wait=10")
        self.assertEqual(sorted(event["data"] for event in answer.json()["events"]), ["r/a now", "r/c now"])

    def test_retained_then_everything_under_load(self):
        """Between current values and what follows nothing is missed or doubled, however fast values change"""
        stop, last = threading.Event(), [0]

        def writer():
            with Wire(self.port) as wire:
                while not stop.is_set():
                    last[0] += 1
                    wire.send(request("PUT", "/v1/topics/fast/value", body=str(last[0])))
                    wire.answer()
        thread = threading.Thread(target=writer)
        thread.start()
        try:
            until(lambda: last[0] > 20, 5, "some writing")
            for _ in range(15):
                with SSEClient(self.port, "topic=fast/%23&retained=true") as stream:
                    found = [int(stream.event()[1]) for _ in range(20)]
                    self.assertEqual(found, list(range(found[0], found[0] + 20)))
        finally:
            stop.set()
            thread.join()
