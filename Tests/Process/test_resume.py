import json
import random
import threading
import time
import unittest
import urllib.parse

from harness.node import Node, until
from harness.readers import LongPollReader, SSEReader, WebSocketReader, fold
from harness.sse import SSEStream
from harness.websocket import WebSocket


def question(filters, **more):
    return urllib.parse.urlencode([("topic", each) for each in filters] + list(more.items()), quote_via=urllib.parse.quote)


class ResumeTests(unittest.TestCase):
    def setUp(self):
        self.seed = random.randrange(1 << 32)
        self.random = random.Random(self.seed)

    # Each takes a cursor, reads about `wanted` events over its transport, and answers them with the cursor after them.

    def over_sse(self, node, cursor, wanted):
        stream = SSEStream(node.port, question(["move/#"], format="json", cursor=cursor))
        events = []
        try:
            while len(events) < wanted:
                place, _, data = stream.event()
                if data is not None:
                    events.append(json.loads(data))
                cursor = place
        finally:
            stream.close()
        return events, cursor

    def over_event_source(self, node, cursor, wanted):
        """Resumes by the header that browsers send by themselves."""
        stream = SSEStream(node.port, question(["move/#"], format="json"), {"Last-Event-ID": cursor})
        events = []
        try:
            while len(events) < wanted:
                place, _, data = stream.message()
                events.append(json.loads(data))
                cursor = place
        finally:
            stream.close()
        return events, cursor

    def over_long_poll(self, node, cursor, wanted):
        events = []
        while len(events) < wanted:
            status, headers, body = node.get("/v1/events?" + question(["move/#"], cursor=cursor, wait=5, limit=7))
            if status == 200:
                answer = json.loads(body)
                events += answer["events"]
                self.assertEqual(answer["cursor"], headers["Tidings-Cursor"])
            cursor = headers["Tidings-Cursor"]
        return events, cursor

    def over_poll(self, node, cursor, wanted):
        events = []
        while len(events) < wanted:
            answer = node.json("/v1/events?" + question(["move/#"], cursor=cursor, limit=9))
            events += answer["events"]
            cursor = answer["cursor"]
        return events, cursor

    def over_websocket(self, node, cursor, wanted):
        socket = WebSocket(node.port)
        events = []
        try:
            self.assertTrue(socket.subscribe("move/#", cursor=cursor)["resumed"])
            while len(events) < wanted:
                event = socket.message("event")
                events.append(event)
                cursor = fold(cursor, event["position"])
        finally:
            socket.close()
        return events, cursor

    def over_ndjson(self, node, cursor, wanted):
        stream = SSEStream(node.port, question(["move/#"], cursor=cursor), {"Accept": "application/x-ndjson"})
        events = []
        try:
            while len(events) < wanted:
                line = stream.line().strip()
                if line:
                    event = json.loads(line)
                    events.append(event)
                    cursor = fold(cursor, event["position"])
        finally:
            stream.close()
        return events, cursor

    def test_moving(self):
        """A reader that moves from transport to transport by its cursor alone sees one unbroken sequence"""
        ways = [self.over_sse, self.over_long_poll, self.over_websocket, self.over_poll, self.over_ndjson, self.over_event_source]
        with Node() as node:
            cursor = node.json("/v1/events?" + question(["move/#"]))["cursor"]
            published = {f"move/{index}": [] for index in range(10)}
            stopped = threading.Event()

            def publish():
                number = 0
                while not stopped.is_set():
                    topic = f"move/{number % 10}"
                    node.publish(topic, str(number))
                    published[topic].append(str(number))
                    number += 1

            publisher = threading.Thread(target=publish, daemon=True)
            publisher.start()
            received = []
            try:
                for step in range(24):
                    way = ways[step] if step < len(ways) else self.random.choice(ways)
                    events, cursor = way(node, cursor, self.random.randrange(1, 40))
                    received += events
            finally:
                stopped.set()
                publisher.join(10)
            total = sum(map(len, published.values()))
            if len(received) < total:
                events, cursor = self.over_poll(node, cursor, total - len(received))
                received += events
            for topic, numbers in published.items():
                self.assertEqual([event["data"] for event in received if event["topic"] == topic], numbers, f"seed {self.seed}")
            self.assertEqual(len(received), total, f"seed {self.seed}")
            self.assertEqual(node.json("/v1/events?" + question(["move/#"], cursor=cursor))["events"], [])

    def test_cut_at_once(self):
        """A stream that is cut again and again, in the middle of anything, loses and doubles nothing"""
        with Node() as node:
            readers = [SSEReader(node, "cut/#").start(), WebSocketReader(node, "cut/#").start(), LongPollReader(node, "cut/#").start()]
            stopped = threading.Event()

            def cut():
                while not stopped.is_set():
                    time.sleep(self.random.uniform(0, 0.05))
                    readers[0].interrupt()

            cutter = threading.Thread(target=cut, daemon=True)
            cutter.start()
            numbers = [str(number) for number in range(600)]
            try:
                for number in numbers:
                    node.publish("cut/it", number)
                stopped.set()
                for reader in readers:
                    until(lambda: len(reader.events) >= len(numbers), 20, f"{reader.name}'s catching up")
                    self.assertEqual([data for _, _, data in reader.events], numbers, f"{reader.name}, seed {self.seed}")
            finally:
                stopped.set()
                for reader in readers:
                    reader.stop()
            self.assertGreater(readers[0].connections, 5)

    def test_restart_keeps_everything(self):
        """After a restart history, current values, consumers and keys are what they were"""
        with Node() as node:
            for number in range(20):
                node.publish("kept/log", str(number))
            node.publish("kept/value", "first", method="PUT")
            node.publish("kept/value", "second", method="PUT")
            first = node.publish("kept/once", "x", {"Idempotency-Key": "k"})
            node.get("/v1/events?" + question(["kept/log"], consumer="c1", since="earliest", limit=5))
            # What was answered counts as acknowledged, a moment later.
            before = until(lambda: (now := node.json("/v1/consumers/c1"))["cursor"].endswith(".5") and now, 5, "the consumer's moving on")
            for end in (node.kill, node.terminate):
                end()
                node.start()
                history = node.json("/v1/history?" + question(["kept/log"], limit=100))["events"]
                self.assertEqual([event["data"] for event in history], [str(number) for number in reversed(range(20))])
                self.assertEqual(node.get("/v1/topics/kept/value")[2], b"second")
                again = node.publish("kept/once", "x", {"Idempotency-Key": "k"})
                self.assertTrue(again["duplicate"])
                self.assertEqual(again["cursor"], first["cursor"])
                self.assertEqual(node.json("/v1/consumers/c1"), before)


if __name__ == "__main__":
    unittest.main()
