import http.client
import json
import pathlib
import random
import tempfile
import threading
import time
import unittest

from harness.node import Node, until
from harness.readers import CommandReader, LongPollReader, SSEReader, WebSocketReader

KILLS = 20
TOPICS = 5  # for each publisher


class Publisher(threading.Thread):
    """Publishes numbered messages to its topics, one after the other, as fast as it is answered.

    `acknowledged` and `unknown` say by topic which numbers are certain, and which may or may not be there: those
    whose answer the kill swallowed and that were not tried again.
    """

    def __init__(self, node, name):
        super().__init__(daemon=True)
        self.node = node
        self.topics = [f"kill/{name}/{index}" for index in range(TOPICS)]
        self.acknowledged = {topic: [] for topic in self.topics}
        self.unknown = {topic: set() for topic in self.topics}
        self.stopped = threading.Event()
        self.connection = None
        self.failure = None

    def run(self):
        number = 0
        try:
            while not self.stopped.is_set():
                self.publish(number)
                number += 1
        except BaseException as error:
            self.failure = error
            raise

    def send(self, path, body, headers):
        """The answer, or nothing when there is none."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=10)
            self.connection.request("POST", path, body=body, headers=headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            time.sleep(0.005)
            return None
        if answer.status in (429, 503):
            time.sleep(0.01)
            return None
        assert answer.status == 200, f"{answer.status} {text[:300]}"
        return json.loads(text)


class Persistent(Publisher):
    """Tries again under the same key until it is answered: nothing unknown is left, and nothing doubled."""

    def publish(self, number):
        topic = self.topics[number % TOPICS]
        while self.send(f"/v1/topics/{topic}", str(number), {"Idempotency-Key": f"{topic}-{number}"}) is None:
            pass
        self.acknowledged[topic].append(str(number))


class Careless(Publisher):
    """Goes on to the next message when it is not answered."""

    def publish(self, number):
        topic = self.topics[number % TOPICS]
        if self.send(f"/v1/topics/{topic}", str(number), {}) is None:
            self.unknown[topic].add(str(number))
        else:
            self.acknowledged[topic].append(str(number))


class Batching(Publisher):
    """Forty at once, tried again as a whole under the same keys."""

    def publish(self, number):
        messages = [
            {"topic": self.topics[index % TOPICS], "data": f"{number}.{index}", "key": f"{self.topics[0]}-{number}.{index}"} for index in range(40)
        ]
        body = "\n".join(json.dumps(message) for message in messages)
        while True:
            answer = self.send("/v1/publish", body, {"Content-Type": "application/x-ndjson"})
            if answer is not None and answer["failed"] == 0:
                break
        for message in messages:
            self.acknowledged[message["topic"]].append(message["data"])


class KillTests(unittest.TestCase):
    def setUp(self):
        self.seed = random.randrange(1 << 32)
        self.random = random.Random(self.seed)
        self.folder = tempfile.TemporaryDirectory(prefix="tidings-test-")
        self.addCleanup(self.folder.cleanup)

    def test_killed_at_random(self):
        """Killed twenty times while publishing: every reader gets every acknowledged message exactly once, in order per topic"""
        with Node() as node:
            cursor_file = pathlib.Path(self.folder.name) / "cursor"
            readers = [
                SSEReader(node, "kill/#"), WebSocketReader(node, "kill/#"), LongPollReader(node, "kill/#"),
                CommandReader(node, "kill/#", cursor_file=cursor_file),
            ]
            publishers = [Persistent(node, "persistent"), Persistent(node, "other"), Careless(node, "careless"), Batching(node, "batching")]
            try:
                for reader in readers:
                    reader.start()
                for publisher in publishers:
                    publisher.start()
                for kill in range(KILLS):
                    time.sleep(self.random.uniform(0.05, 0.6))
                    node.kill()
                    if kill % 5 == 4:
                        # Nobody is promised a server that comes back at once.
                        time.sleep(self.random.uniform(0.1, 0.5))
                    node.start()
                time.sleep(0.3)
                for publisher in publishers:
                    publisher.stopped.set()
                for publisher in publishers:
                    publisher.join(20)
                    self.assertFalse(publisher.is_alive(), "a publisher is not answered any more")
                    self.assertIsNone(publisher.failure)
                for reader in readers:
                    self.check(reader, publishers)
            finally:
                for publisher in publishers:
                    publisher.stopped.set()
                for reader in readers:
                    reader.stop()
            total = sum(len(numbers) for publisher in publishers for numbers in publisher.acknowledged.values())
            print(f"  seed {self.seed}: {total} acknowledged, " + ", ".join(f"{reader.name} came {reader.connections} times" for reader in readers))
            self.assertGreater(total, 1000, "too little was published for this to mean anything")

    def check(self, reader, publishers):
        expected = {topic: numbers for publisher in publishers for topic, numbers in publisher.acknowledged.items()}
        unknown = {topic: numbers for publisher in publishers for topic, numbers in publisher.unknown.items()}

        def certain():
            found = reader.by_topic()
            return {topic: [data for data in found.get(topic, []) if data not in unknown[topic]] for topic in expected}

        def has_all():
            return all(len(numbers) >= len(expected[topic]) for topic, numbers in certain().items())

        try:
            until(has_all, 60, "everything's arriving")
        except AssertionError:
            pass  # what is missing is named below
        context = f"{reader.name}, seed {self.seed}"
        found = certain()
        for topic, numbers in expected.items():
            if found[topic] == numbers:
                continue
            missing = [number for number in numbers if number not in set(found[topic])]
            doubled = sorted({number for number in found[topic] if found[topic].count(number) > 1})
            self.fail(
                f"{context}, {topic}: {len(numbers)} acknowledged, {len(found[topic])} received; missing {missing[:10]}, doubled {doubled[:10]}, "
                f"in order: {found[topic] == sorted(found[topic], key=numbers.index) if not missing and not doubled else 'unknown'}; {reader.errors[-3:]}")
        every = reader.by_topic()
        for topic, numbers in unknown.items():
            for number in numbers:
                self.assertLessEqual(every.get(topic, []).count(number), 1, f"{context}: {topic} {number} came twice")
        self.assertEqual(reader.gaps, [], context)
        positions = [position for _, position, _ in reader.events]
        self.assertEqual(len(positions), len(set(positions)), f"{context}: a position came twice")

    def test_follower_killed(self):
        """`tidings sub --cursor-file` killed again and again misses nothing"""
        with Node() as node:
            cursor_file = pathlib.Path(self.folder.name) / "cursor"
            publisher = Persistent(node, "persistent")
            reader = CommandReader(node, "kill/#", cursor_file=cursor_file).start()
            try:
                publisher.start()
                for _ in range(6):
                    time.sleep(self.random.uniform(0.05, 0.3))
                    reader.process.kill()
                publisher.stopped.set()
                publisher.join(20)
                expected = {topic: set(numbers) for topic, numbers in publisher.acknowledged.items() if numbers}
                until(lambda: all(numbers <= set(reader.by_topic().get(topic, [])) for topic, numbers in expected.items()), 30, "everything's arriving")
            finally:
                publisher.stopped.set()
                reader.stop()


if __name__ == "__main__":
    unittest.main()
