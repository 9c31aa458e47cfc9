"""Every way to publish, and what is kept of it, as `2-interfaces` promises it to strangers."""

import base64
import json
import re
import time

from outside.node import NodeTest

CURSOR = re.compile(r"v1~[0-9a-f]{12}(~\d+\.\d+)*")
POSITION = re.compile(r"\d+\.\d+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}


class Publishing(NodeTest):
    def history(self, topic, **more):
        query = "".join(f"&{name}={value}" for name, value in more.items())
        answer = self.ask("GET", f"/v1/history?topic={topic}{query}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def test_what_a_publish_answers(self):
        """A publish answers topic, cursor, time and whether it is a duplicate"""
        for method in ("POST", "PUT"):
            answer = self.ask(method, "/v1/topics/answers/here", JSON, "{}")
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer["Content-Type"], "application/json")
            result = answer.json()
            self.assertEqual(result["topic"], "answers/here")
            self.assertRegex(result["cursor"], CURSOR)
            self.assertRegex(result["time"], TIME)
            self.assertIs(result["duplicate"], False)
            self.assertLess(abs(time.time() - self.seconds(result["time"])), 5)

    def seconds(self, text):
        import datetime
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

    def test_topics(self):
        """Topics may be any UTF-8 of 1 to 1024 bytes, percent-encoded or not, without wildcards or control characters"""
        good = {
            "a": "a", "a/b/c": "a/b/c", "a%2Fb": "a/b", "a%20b": "a b", "a+b".replace("+", "%20"): "a b", "%E2%82%AC/%F0%9F%98%80": "€/😀", "/leading": "/leading", "trailing/": "trailing/", "a//b": "a//b", "/": "/", "room/{42}/chat": "room/{42}/chat",
            "a%3Fb%3Dc": "a?b=c", "%25": "%", "a%23b".replace("%23", "%22"): 'a"b', "back%5Cslash": "back\\slash", "dots/../x/.": "dots/../x/.", "x" * 1024: "x" * 1024, "%C3%A9" * 512: "é" * 512, "a$b": "a$b", "~!*'();:@&=,": "~!*'();:@&=,",
        }
        for path, topic in good.items():
            with self.subTest(path[:60]):
                self.assertEqual(self.publish(path, "x")["topic"], topic)
        bad = ["", "x" * 1025, "%C3%A9" * 513, "a%00", "a%0Ab", "a%1F", "a%7F", "a%C2%80", "a%C2%9F", "a+b", "+", "a/+/b", "%23", "a/%23", "a%2Bb", "%FF", "%C3", "%ED%A0%80", "%C0%80", "a%", "a%zz", "a%4"]
        for path in bad:
            for method in ("POST", "PUT", "GET", "DELETE"):
                with self.subTest(f"{method} {path[:60]}"):
                    self.problem(self.ask(method, f"/v1/topics/{path}", body="x" if method in ("POST", "PUT") else None), 400)
        for path in ("$SYS/a", "$", "%24SYS/uptime", "$share/g/t"):
            for method in ("POST", "PUT", "DELETE"):
                with self.subTest(f"{method} {path}"):
                    self.problem(self.ask(method, f"/v1/topics/{path}", body="x" if method != "DELETE" else None), 403)

    def test_bodies(self):
        """Any body is kept as it is: JSON embedded, text as a string, the rest as base64"""
        cases = [
            ("json", JSON, b'{"a": [1, 2.50, "\xc3\xa9"]}', "data", {"a": [1, 2.5, "é"]}), ("json with charset", {"Content-Type": "application/json; charset=utf-8"}, b"[1]", "data", [1]), ("vendor json", {"Content-Type": "application/vnd.x+json"}, b"null", "data", None), ("broken json", JSON, b'{"a":', "data", '{"a":'),
            ("json number", JSON, b"12345678901234567890.12345", "data", 12345678901234567890.12345), ("text", {"Content-Type": "text/plain"}, "Grüße\nzwei\r\n".encode(), "data", "Grüße\nzwei\r\n"), ("nothing said", {}, b"plain", "data", "plain"), ("empty", {}, b"", "data", ""), ("quotes", {}, b'say "hi" \\ \x01\x1f', "data", 'say "hi" \\ \x01\x1f'),
            ("binary", {"Content-Type": "application/octet-stream"}, bytes(range(256)), "data_base64", bytes(range(256))), ("image without a type", {}, b"\x89PNG\r\n\x1a\n\xff", "data_base64", b"\x89PNG\r\n\x1a\n\xff"), ("json in latin-1", JSON, b'"\xe9"', "data_base64", b'"\xe9"'), ("text with NUL", {}, b"a\x00b", "data", "a\x00b"),
            ("separators", {}, "a\u2028b\u2029\ufeff".encode(), "data", "a\u2028b\u2029\ufeff"), ("largest", {}, b"m" * (1 << 20), "data", "m" * (1 << 20)),
        ]
        for index, (name, headers, body, member, value) in enumerate(cases):
            with self.subTest(name):
                topic = f"bodies/{index}"
                self.publish(topic, body, headers, method="PUT")
                current = self.ask("GET", f"/v1/topics/{topic}")
                self.assertTrue(current.body == body)
                self.assertEqual(current["Content-Type"], headers.get("Content-Type", "application/octet-stream"))
                event = self.history(topic)["events"][0]
                found = base64.b64decode(event[member]) if member == "data_base64" else event[member]
                self.assertTrue(found == value, str(event)[:300])
                self.assertEqual({"data", "data_base64"} & event.keys(), {member})
                self.assertEqual(event.get("datacontenttype"), headers.get("Content-Type"))
                self.assertEqual(event["topic"], topic)
                self.assertRegex(event["position"], POSITION)
                self.assertRegex(event["time"], TIME)

    def test_too_large(self):
        """A message past --max-message is refused with 413 and nothing is published"""
        self.problem(self.ask("POST", "/v1/topics/large", body=b"x" * ((1 << 20) + 1)), 413)
        self.assertEqual(self.history("large")["events"], [])

    def test_headers(self):
        """Headers of a publish: event type, content type, acknowledgement; wrong ones are named"""
        self.publish("headers", "x", {"Tidings-Event": "order.created"})
        self.assertEqual(self.history("headers")["events"][0]["type"], "order.created")
        self.publish("headers", "x", {"Tidings-Event": "geändert"})
        self.assertEqual(self.history("headers")["events"][0]["type"], "geändert")
        accepted = self.ask("POST", "/v1/topics/headers", {"Tidings-Ack": "none"}, "quick")
        self.assertIn(accepted.status, (200, 202))
        self.assertEqual(self.ask("POST", "/v1/topics/headers", {"Tidings-Ack": "committed"}, "sure").status, 200)
        self.assertEqual([event["data"] for event in self.history("headers")["events"][:2]], ["sure", "quick"])
        bad = [
            ({"Tidings-Ack": "maybe"}, 400), ({"Tidings-Ack": ""}, 400), ({"Tidings-TTL": "soon"}, 400), ({"Tidings-TTL": "0s"}, 400), ({"Tidings-TTL": "-5s"}, 400), ({"Tidings-TTL": "1000d"}, 400), ({"Tidings-TTL": ""}, 400), ({"If-Match": "x"}, 400), ({"If-Match": "1.2.3"}, 400), ({"If-Match": ""}, 400),
            ({"If-Match": "v1~short"}, 400), ({"If-Match": "-1"}, 400), ({"Idempotency-Key": ""}, 400), ({"Idempotency-Key": "k" * 257}, 400), ({"Tidings-Event": "t" * 257}, 400), ({"Tidings-Event": b"\xff".decode("utf-8", "surrogateescape")}, 400), ({"Content-Type": "nonsense"}, 415), ({"Content-Type": "a/b c"}, 415), ({"Content-Type": "x/" + "y" * 300}, 400), ({"Content-Type": ""}, 415),
        ]
        count = len(self.history("headers")["events"])
        for headers, status in bad:
            with self.subTest(headers):
                document = self.problem(self.ask("POST", "/v1/topics/headers", headers, "x"), status)
                name = next(iter(headers))
                self.assertIn(name, document["detail"])
        self.assertEqual(len(self.history("headers")["events"]), count)

    def test_condition(self):
        """If-Match publishes only on the topic's last offset, else 412"""
        first = self.publish("condition", "1", {"If-Match": "0"})
        self.problem(self.ask("POST", "/v1/topics/condition", {"If-Match": "0"}, "again"), 412)
        offset = first["cursor"].rsplit(".", 1)[1]
        second = self.publish("condition", "2", {"If-Match": offset})
        self.problem(self.ask("POST", "/v1/topics/condition", {"If-Match": offset}, "late"), 412)
        third = self.publish("condition", "3", {"If-Match": f'"{second["cursor"]}"'})
        self.problem(self.ask("PUT", "/v1/topics/condition", {"If-Match": "999999"}, "future"), 412)
        self.problem(self.ask("DELETE", "/v1/topics/condition", {"If-Match": "999999"}), 412)
        position = self.publish("condition", "4", {"If-Match": third["cursor"]}, method="PUT")["position"]
        etag = self.ask("GET", "/v1/topics/condition")["ETag"]
        self.assertEqual(etag, f'"{position}"')
        self.publish("condition", "5", {"If-Match": etag}, method="PUT")
        self.publish("condition/other", "x")
        self.assertEqual([event["data"] for event in self.history("condition")["events"]], list("54321"))

    def test_idempotency(self):
        """The same key on the same topic is published once, and told so"""
        first = self.publish("idempotent", "1", {"Idempotency-Key": "order-7"})
        again = self.publish("idempotent", "1", {"Idempotency-Key": "order-7"})
        self.assertEqual((first["duplicate"], again["duplicate"]), (False, True))
        self.assertEqual((first["cursor"], first["time"]), (again["cursor"], again["time"]))
        self.assertFalse(self.publish("idempotent", "2", {"Idempotency-Key": "order-8"})["duplicate"])
        self.assertFalse(self.publish("idempotent", "3")["duplicate"])
        self.assertEqual([event["data"] for event in self.history("idempotent")["events"]], ["3", "2", "1"])
        self.assertFalse(self.publish("idempotent/other", "1", {"Idempotency-Key": "order-7"})["duplicate"], "the key belongs to its topic")

    def test_time_to_live(self):
        """A message past its time to live is gone from everywhere"""
        self.publish("ttl/log", "short", {"Tidings-TTL": "1s"})
        self.publish("ttl/log", "long", {"Tidings-TTL": "1h"})
        self.publish("ttl/value", "short", {"Tidings-TTL": "1s"}, method="PUT")
        self.assertEqual(self.ask("GET", "/v1/topics/ttl/value").status, 200)
        self.assertEqual(len(self.history("ttl/log")["events"]), 2)
        time.sleep(1.3)
        self.problem(self.ask("GET", "/v1/topics/ttl/value"), 404)
        self.assertEqual([event["data"] for event in self.history("ttl/log")["events"]], ["long"])
        events = self.ask("GET", "/v1/events?topic=ttl/%23&since=earliest").json()["events"]
        self.assertEqual([event["data"] for event in events], ["long"])
        self.assertEqual(self.ask("GET", "/v1/events?topic=ttl/%23&retained=true").json()["events"], [])

    def test_current_value(self):
        """PUT keeps a value, GET gives it with its type and tag, 304 where it is known, DELETE clears it"""
        self.problem(self.ask("GET", "/v1/topics/value"), 404)
        self.publish("value", "not kept")
        self.problem(self.ask("GET", "/v1/topics/value"), 404)
        self.publish("value", '{"v":1}', {**JSON, "Tidings-Event": "set"}, method="PUT")
        answer = self.ask("GET", "/v1/topics/value")
        self.assertEqual((answer.status, answer.body, answer["Content-Type"]), (200, b'{"v":1}', "application/json"))
        self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
        tag = answer["ETag"]
        self.assertRegex(tag, r'^"[^"]+"$')
        for value in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            with self.subTest(value):
                known = self.ask("GET", "/v1/topics/value", {"If-None-Match": value})
                self.assertEqual((known.status, known["ETag"], known.body), (304, tag, b""))
        for value in ('"other"', tag.strip('"'), 'W/"x"', ""):
            with self.subTest(value):
                self.assertEqual(self.ask("GET", "/v1/topics/value", {"If-None-Match": value}).status, 200)
        self.publish("value", "passing by")
        self.assertEqual(self.ask("GET", "/v1/topics/value").body, b'{"v":1}')
        self.publish("value", '{"v":2}', JSON, method="PUT")
        changed = self.ask("GET", "/v1/topics/value", {"If-None-Match": tag})
        self.assertEqual((changed.status, changed.body), (200, b'{"v":2}'))
        cleared = self.ask("DELETE", "/v1/topics/value")
        self.assertEqual(cleared.status, 200)
        self.assertRegex(cleared.json()["cursor"], CURSOR)
        self.problem(self.ask("GET", "/v1/topics/value"), 404)
        self.assertIn(self.ask("DELETE", "/v1/topics/value").status, (200, 204, 404))

    def test_batch(self):
        """A batch as an array and as NDJSON answers one result per message, and failures by index"""
        events = [
            {"topic": "batch/a", "data": {"n": 1}, "type": "t"}, {"topic": "batch/+", "data": 1}, {"data": 1}, {"topic": "batch/b", "data": "text"}, "no object", {"topic": "$SYS/x", "data": 1}, {"topic": "batch/c", "data_base64": "AP/+"}, {"topic": "batch/c", "data_base64": "no base64!"},
            {"topic": "batch/d", "data": "kept", "retain": True, "ttl": "1h", "key": "k"}, {"topic": "batch/d", "data": "kept", "retain": True, "key": "k"}, {"topic": "batch/e", "data": None, "datacontenttype": "application/json"}, {"topic": 5}, {"topic": "batch/f", "data": 1, "ttl": "never"}, {"topic": "batch/f", "data": 1, "retain": "yes"}, {"topic": "batch/g", "data": 1, "ifMatch": "7777"},
            {"topic": "batch/h", "data": 1, "data_base64": "AA=="}, {"topic": "batch/i"},
        ]
        good = {0, 3, 6, 8, 9, 10, 16}
        statuses = {1: 400, 2: 400, 4: 400, 5: 403, 7: 400, 11: 400, 12: 400, 13: 400, 14: 412, 15: 400}
        for name, headers, body in (("array", JSON, json.dumps(events)), ("lines", NDJSON, "\n".join(map(json.dumps, events))), ("lines with an end", NDJSON, "".join(json.dumps(event) + "\r\n" for event in events)), ("array without a type", {}, json.dumps(events))):
            with self.subTest(name):
                answer = self.ask("POST", "/v1/publish", headers, body)
                self.assertEqual(answer.status, 200, answer)
                results = answer.json()["results"]
                self.assertEqual(len(results), len(events))
                for index, result in enumerate(results):
                    if index in good:
                        self.assertEqual(result["topic"], events[index]["topic"])
                        self.assertRegex(result["cursor"], CURSOR)
                        self.assertIsInstance(result["duplicate"], bool)
                    else:
                        self.assertEqual(result["index"], index)
                        self.assertEqual(result["error"]["status"], statuses[index], result)
                        self.assertGreater(len(result["error"]["detail"]), 10)
                self.assertTrue(results[9]["duplicate"])
        self.assertEqual(self.history("batch/a")["events"][0]["data"], {"n": 1})
        self.assertEqual(self.history("batch/a")["events"][0]["type"], "t")
        self.assertEqual(self.history("batch/c")["events"][0]["data_base64"], "AP/+")
        self.assertEqual(self.ask("GET", "/v1/topics/batch/d").body, b"kept")
        self.assertEqual(len(self.history("batch/d")["events"]), 1)

    def test_what_was_read_can_be_published(self):
        """Events as they are read are events as they are published"""
        self.publish("copy/from", '{"deep": {"a": [true]}}', {**JSON, "Tidings-Event": "t"})
        self.publish("copy/from", b"\xff\x00")
        self.publish("copy/from", "text")
        events = self.ask("GET", "/v1/events?topic=copy/from&since=earliest").json()["events"]
        answer = self.ask("POST", "/v1/publish", JSON, json.dumps([{**event, "topic": "copy/to"} for event in events]))
        self.assertEqual([("error" in result) for result in answer.json()["results"]], [False] * 3)
        kept = lambda event: {name: value for name, value in event.items() if name in ("type", "data", "data_base64", "datacontenttype")}
        copies = self.ask("GET", "/v1/events?topic=copy/to&since=earliest").json()["events"]
        self.assertEqual([kept(event) for event in copies], [kept(event) for event in events])

    def test_batches_that_are_none(self):
        """A batch that is no JSON is refused as a whole, with line and column"""
        for body in ("", " ", "{", "[", "[1,", '[{"topic":"a"]', "nonsense", '[{"topic":"none/a","data":1}] x', '[{"topic":"none/a","data":1},]', "\ufeff[]", '[{"topic":"none/a","data":01}]', '[{"topic":"none/a","data":"\x01"}]', "'a'"):
            with self.subTest(body):
                document = self.problem(self.ask("POST", "/v1/publish", JSON, body), 400)
                if body.strip():
                    self.assertRegex(document["detail"], r"line \d+")
                    self.assertRegex(document["detail"], r"column \d+")
        document = self.problem(self.ask("POST", "/v1/publish", JSON, '[\n  {"topic":"none/a",\n   "data": oops}\n]'), 400)
        self.assertIn("line 3", document["detail"])
        self.assertIn("column 12", document["detail"])
        for body in ('"text"', "5", "null", "true"):
            with self.subTest(body):
                self.problem(self.ask("POST", "/v1/publish", JSON, body), 400)
        self.assertEqual(self.ask("POST", "/v1/publish", JSON, "[]").json()["results"], [])
        self.problem(self.ask("POST", "/v1/publish", JSON, b"[" * 500 + b"]" * 500), 400)
        self.problem(self.ask("POST", "/v1/publish", JSON, b'[{"topic":"none/a","data":"\xff"}]'), 400)
        answer = self.ask("POST", "/v1/publish", NDJSON, '{"topic":"lines/a","data":1}\n\n{"topic":\n{"topic":"lines/b","data":2}\n')
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(["error" in result for result in answer.json()["results"]], [False, True, False])
        self.assertEqual(self.history("none/a")["events"], [])

    def test_large_batch(self):
        """A batch of ten thousand is carried out in order; one more is refused"""
        lines = "\n".join(json.dumps({"topic": "many", "data": index}) for index in range(10_000))
        results = self.ask("POST", "/v1/publish", NDJSON, lines).json()["results"]
        self.assertEqual(len(results), 10_000)
        offsets = [int(result["position"].split(".")[1]) for result in results]
        self.assertEqual(offsets, list(range(offsets[0], offsets[0] + 10_000)))
        self.problem(self.ask("POST", "/v1/publish", NDJSON, lines + '\n{"topic":"many","data":0}'), 413)

    def test_history(self):
        """History is newest first, by pages that neither miss nor repeat"""
        for index in range(25):
            self.publish("paged", str(index))
            self.publish("paged/else", "x")
        self.assertEqual([event["data"] for event in self.history("paged")["events"]], [str(index) for index in reversed(range(25))])
        for limit in (1, 7, 24, 25, 26):
            found, before, pages = [], None, 0
            while True:
                page = self.history("paged", limit=limit, **({"before": before} if before else {}))
                self.assertLessEqual(len(page["events"]), limit)
                found += [event["data"] for event in page["events"]]
                pages += 1
                before = page.get("before")
                if not before:
                    break
                self.assertRegex(before, CURSOR)
            self.assertEqual(found, [str(index) for index in reversed(range(25))])
        self.assertEqual(self.history("never/published"), {"events": []})
        for query in ("", "topic=a&topic=b", "topic=a/%23", "topic=+", "topic=a&limit=0", "topic=a&limit=x", "topic=a&limit=-1", "topic=a&before=nonsense", "topic=a&before=v1~0123456789ab~0.5", "topic=a&nonsense=1", "topic=%FF"):
            with self.subTest(query):
                self.problem(self.ask("GET", f"/v1/history?{query}"), 400)
