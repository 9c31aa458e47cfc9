"""Reading on where one stopped: gaps, named consumers, moving between transports, retention."""

import json
import time

from harness.node import until
from outside.node import NodeTest
from outside.streams import LINES, SSEClient, Stream, fold
from outside.wire import ask
from test_publishing import CURSOR, JSON

FOREIGN = "v1~0123456789ab~0.5"


class Resuming(NodeTest):
    def events(self, query, headers=(), **more):
        answer = self.ask("GET", f"/v1/events?{query}", headers, **more)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def data(self, query):
        return [event["data"] for event in self.events(query)["events"]]

    # -- Gaps

    def test_gaps_of_cursors(self):
        """A foreign cursor and one from the future are told as a gap, and everything from there on comes"""
        self.publish("gap/a", "first")
        mine = self.events("topic=gap/a")["cursor"]
        cluster = mine.split("~")[1]
        shard = self.publish("gap/a", "second")["position"].split(".")[0]
        future = f"v1~{cluster}~{shard}.900000"
        for name, cursor, reason, data in (("foreign", FOREIGN, "foreign", ["first", "second"]), ("future", future, "future", [])):
            with self.subTest(f"poll {name}"):
                page = self.events(f"topic=gap/a&cursor={cursor}")
                self.assertEqual(page["gap"]["reason"], reason)
                self.assertEqual(page["gap"]["from"], cursor)
                self.assertRegex(page["gap"]["to"], CURSOR)
                self.assertEqual([event["data"] for event in page["events"]], data)
                self.assertNotIn("gap", self.events(f"topic=gap/a&cursor={page['cursor']}"))
            with self.subTest(f"long-poll {name}"):
                answer = self.ask("GET", f"/v1/events?topic=gap/a&cursor={cursor}&wait=5")
                self.assertEqual((answer.status, answer.json()["gap"]["reason"]), (200, reason))
            with self.subTest(f"stream {name}"), SSEClient(self.port, "topic=gap/a", {"Last-Event-ID": cursor}) as stream:
                kind, text = stream.event()
                self.assertEqual(kind, "tidings.gap")
                gap = json.loads(text)
                self.assertEqual((gap["reason"], gap["from"]), (reason, cursor))
                self.assertEqual([stream.event()[1] for _ in data], data)
                self.publish("gap/b", "not this one")
                resumed = stream.last_id
                self.assertIn(cluster, resumed)
            with self.subTest(f"lines {name}"), Stream(self.port, f"topic=gap/a&cursor={cursor}", LINES) as stream:
                self.assertEqual(json.loads(stream.line())["gap"]["reason"], reason)

    # -- Consumers

    def test_consumers(self):
        """A named consumer keeps its place: by itself, or where it was told"""
        base = "consumer=worker-1&topic=jobs/%23"
        self.assertEqual(self.events(base)["events"], [])
        for index in range(4):
            self.publish("jobs/a", str(index))
        self.assertEqual(self.data("consumer=worker-1&limit=2"), ["0", "1"])
        until(lambda: self.place("worker-1", "jobs/a") >= 2, 5, "the automatic acknowledgement")
        self.assertEqual(self.data("consumer=worker-1"), ["2", "3"])
        self.assertEqual(self.data("consumer=worker-1"), [])
        self.assertEqual(self.data("consumer=worker-2&topic=jobs/%23&since=earliest&ack=explicit"), list("0123"))
        page = self.events("consumer=worker-2&ack=explicit&limit=3")
        self.assertEqual([event["data"] for event in page["events"]], list("012"), "not acknowledged, so given again")
        answer = self.ask("POST", "/v1/consumers/worker-2/ack", JSON, json.dumps({"cursor": page["cursor"]}))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json()["cursor"], page["cursor"])
        self.assertEqual(self.data("consumer=worker-2&ack=explicit"), ["3"])
        self.problem(self.ask("GET", "/v1/events?consumer=worker-2&topic=other"), 409)
        self.problem(self.ask("GET", "/v1/events?consumer=unheard-of"), 404)
        listed = self.ask("GET", "/v1/consumers").json()["consumers"]
        self.assertLessEqual({"worker-1", "worker-2"}, {each["name"] for each in listed})
        shown = self.ask("GET", "/v1/consumers/worker-2").json()
        self.assertEqual((shown["name"], shown["topics"], shown["cursor"]), ("worker-2", ["jobs/#"], page["cursor"]))
        self.assertEqual(self.ask("DELETE", "/v1/consumers/worker-2").status, 204)
        self.problem(self.ask("GET", "/v1/consumers/worker-2"), 404)
        self.problem(self.ask("DELETE", "/v1/consumers/worker-2"), 404)
        for body, status in (("", 400), ("{}", 400), ('{"cursor":"x"}', 400), ('{"cursor":5}', 400), (json.dumps({"cursor": FOREIGN}), 409)):
            self.problem(self.ask("POST", "/v1/consumers/worker-1/ack", JSON, body), status)
        self.problem(self.ask("POST", "/v1/consumers/unheard-of/ack", JSON, json.dumps({"cursor": page["cursor"]})), 404)

    def place(self, name, topic):
        cursor = self.ask("GET", f"/v1/consumers/{name}").json()["cursor"]
        total = self.events(f"topic={topic}&since=earliest")["events"]
        shard = total[0]["position"].split(".")[0]
        offset = next((int(part.split(".")[1]) for part in cursor.split("~")[2:] if part.split(".")[0] == shard), 0)
        return sum(1 for event in total if int(event["position"].split(".")[1]) <= offset)

    def test_consumer_streams(self):
        """A stream as a consumer goes on where the last one ended"""
        with SSEClient(self.port, "consumer=streamer&topic=flow/%23") as stream:
            stream.begun()
            for index in range(5):
                self.publish("flow/a", str(index))
            self.assertEqual([stream.event()[1] for _ in range(5)], list("01234"))
            until(lambda: self.place("streamer", "flow/a") == 5, 5, "the automatic acknowledgement")
        self.publish("flow/a", "5")
        with SSEClient(self.port, "consumer=streamer") as stream:
            self.assertEqual(stream.event()[1], "5")
        with SSEClient(self.port, "consumer=careful&topic=flow/%23&since=earliest&ack=explicit") as stream:
            self.assertEqual([stream.event()[1] for _ in range(6)], list("012345"))
        time.sleep(1.2)
        self.assertEqual(self.data("consumer=careful&ack=explicit"), list("012345"))

    def test_moving_between_transports(self):
        """One reader that moves from transport to transport by its cursor sees one unbroken sequence"""
        cursor = self.events("topic=move/%23")["cursor"]
        seen, sent = [], 0

        def publish(count):
            nonlocal sent
            for _ in range(count):
                self.publish(f"move/{sent % 4}", str(sent))
                sent += 1
        for round in range(4):
            publish(3)
            with SSEClient(self.port, "topic=move/%23", {"Last-Event-ID": cursor}) as stream:
                seen += [stream.event()[1] for _ in range(3)]
                cursor = stream.last_id
            publish(3)
            answer = self.ask("GET", f"/v1/events?topic=move/%23&wait=5&cursor={cursor}").json()
            seen += [event["data"] for event in answer["events"]]
            cursor = answer["cursor"]
            publish(3)
            with Stream(self.port, f"topic=move/%23&cursor={cursor}", LINES) as stream:
                for _ in range(3):
                    event = json.loads(stream.line())
                    seen.append(event["data"])
                    cursor = fold(cursor, f"{cursor.split('~')[0]}~{cursor.split('~')[1]}~{event['position']}")
            publish(3)
            page = self.events(f"topic=move/%23&cursor={cursor}")
            seen += [event["data"] for event in page["events"]]
            cursor = page["cursor"]
        self.assertEqual(sorted(map(int, seen)), list(range(sent)))
        for lane in range(4):
            own = [int(each) for each in seen if int(each) % 4 == lane]
            self.assertEqual(own, sorted(own))


class Retention(NodeTest):
    # Segments and snapshots are of a mebibyte at least, and two of each are kept.
    options = ("--retention", "1h,1MiB", "--shards", "1")

    def test_expired(self):
        """A cursor past retention gets a gap first, with how much is missing, then everything that is left"""
        first = self.publish("old", "first")["cursor"]
        body = "x" * 50_000
        for _ in range(200):
            self.publish("old", body)

        def expired():
            self.publish("old", body)
            page = ask(self.port, "GET", f"/v1/events?topic=old&cursor={first}").json()
            return page if "gap" in page else None
        page = until(expired, 15, "retention")
        gap = page["gap"]
        # It begins at the cursor, or behind what of it could still be read while the rest was being removed.
        self.assertEqual(gap["reason"], "expired")
        self.assertGreaterEqual(int(gap["from"].rsplit(".", 1)[1]), int(first.rsplit(".", 1)[1]))
        self.assertRegex(gap["to"], CURSOR)
        self.assertGreater(int(gap["to"].rsplit(".", 1)[1]), int(first.rsplit(".", 1)[1]))
        if "skipped" in gap:
            self.assertGreater(gap["skipped"], 0)
        with SSEClient(self.port, f"topic=old&cursor={first}") as stream:
            kind, text = stream.event()
            self.assertEqual((kind, json.loads(text)["reason"]), ("tidings.gap", "expired"))
            self.publish("old", "very last")
            while stream.event()[1] != "very last":
                pass
        self.assertNotIn("gap", ask(self.port, "GET", "/v1/events?topic=old&since=earliest").json())
