import json
import threading
import time
import unittest

from harness.node import Node, until
from harness.sse import SSEStream
from harness.websocket import WebSocket

MESSAGES = 400
SIZE = 100_000  # forty megabytes in all: far more than any socket or bound holds
LATE = 20  # readers that stop reading


def resident(node):
    for line in open(f"/proc/{node.process.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no memory figure")


class SlowReaderTests(unittest.TestCase):
    def test_stopped(self):
        """Readers that stop reading cost bounded memory, delay nobody, and get everything in order when they read again"""
        with Node() as node:
            late = [SSEStream(node.port, "topic=slow/%23&format=json", receive_buffer=4096).begun() for _ in range(LATE)]
            sockets = [WebSocket(node.port) for _ in range(4)]
            for socket in sockets:
                socket.subscribe("slow/#")
            live = SSEStream(node.port, "topic=slow/%23&format=json").begun()
            delays = []

            def follow():
                for number in range(MESSAGES):
                    event = json.loads(live.message()[2])
                    assert event["data"].startswith(f"{number} "), event["data"][:20]
                    delays.append(time.monotonic() - sent[number])

            follower = threading.Thread(target=follow, daemon=True)
            follower.start()
            sent = []
            before = resident(node)
            peak = before
            for number in range(MESSAGES):
                sent.append(time.monotonic())
                node.publish("slow/a", f"{number} " + "x" * SIZE)
                peak = max(peak, resident(node))
            follower.join(20)
            self.assertEqual(len(delays), MESSAGES, "the live reader was held up")
            self.assertLess(sorted(delays)[int(MESSAGES * 0.99)], 1.0)
            # Twenty-four queues of 256 KiB, what is recent of sixteen shards, and room for chance: not a gigabyte.
            self.assertLess(peak - before, 250 << 20, f"{(peak - before) >> 20} MiB more than before")
            for stream in late[:5] + sockets[:2]:
                for number in range(MESSAGES):
                    data = json.loads(stream.message()[2])["data"] if isinstance(stream, SSEStream) else stream.message("event")["data"]
                    self.assertTrue(data.startswith(f"{number} "), data[:20])
            self.assertEqual(node.json("/v1/cluster")["nodes"][0]["connections"]["sse"], LATE + 1, "someone was disconnected for being slow")
            # Those who never read again cost nothing once they are gone.
            for stream in [live, *late, *sockets]:
                stream.close()
            until(lambda: node.json("/v1/cluster")["nodes"][0]["connections"]["sse"] == 0, 20, "everyone's being gone")

    def test_reader_by_reader(self):
        """A reader that reads a little now and then stays in order through falling behind and catching up"""
        with Node("--reader-buffer", "16KiB") as node:
            stream = SSEStream(node.port, "topic=jerky&format=json", receive_buffer=4096).begun()
            stopped = threading.Event()
            count = 0

            def publish():
                nonlocal count
                while not stopped.is_set():
                    node.publish("jerky", f"{count} " + "x" * 20_000)
                    count += 1

            publisher = threading.Thread(target=publish, daemon=True)
            publisher.start()
            expected = 0
            try:
                for step in range(30):
                    for _ in range(step % 7 * 3):
                        data = json.loads(stream.message()[2])["data"]
                        self.assertTrue(data.startswith(f"{expected} "), (expected, data[:20]))
                        expected += 1
                    time.sleep(0.03 if step % 3 else 0.15)
            finally:
                stopped.set()
                publisher.join(10)
            while expected < count:
                self.assertTrue(json.loads(stream.message()[2])["data"].startswith(f"{expected} "))
                expected += 1
            stream.close()


if __name__ == "__main__":
    unittest.main()
