"""Positions of MQTT messages: cursors for MQTT and for every other transport."""

import unittest

from harness.mqtt import PATIENCE, V311, Client, NodeTestCase
from harness.sse import SSEStream
from harness.websocket import WebSocket

COUNT = 40


def position(message):
    """The message's cursor; None if it has none."""
    found = [value for name, value in getattr(message.properties, "UserProperty", []) if name == "tidings-position"]
    assert len(found) < 2, found
    return found[0] if found else None


class Positions(NodeTestCase):
    def client(self, **more):
        client = Client(self.mqtt, **more)
        self.addCleanup(client.close)
        return client

    def walk(self, root, qos, transport="tcp"):
        """A reader that has heard `COUNT` messages of several shards, and their positions."""
        port = self.node.port if transport == "websockets" else self.mqtt
        reader = Client(port, transport=transport)
        reader.subscribe(f"{root}/#", qos, positions=True)
        for number in range(COUNT):
            self.node.publish(f"{root}/{number % 7}", str(number))
        heard = [reader.message() for _ in range(COUNT)]
        reader.close()
        return [(message.payload.decode(), position(message)) for message in heard]

    def rest_by_http(self, root, cursor):
        """All behind the cursor, page by page of three."""
        rest = []
        while True:
            answer = self.node.json(f"/v1/events?topic={root}/%23&cursor={cursor}&limit=3")
            if not answer["events"]:
                return rest
            rest += [event["data"] for event in answer["events"]]
            cursor = answer["cursor"]

    def test_every_place(self):
        """From every message's position HTTP brings just what came behind it, for QoS 0, 1 and 2, over TCP and WebSocket"""
        for qos, transport in ((0, "tcp"), (1, "tcp"), (2, "tcp"), (0, "websockets")):
            with self.subTest(qos=qos, transport=transport):
                root = f"walk/{qos}/{transport}"
                heard = self.walk(root, qos, transport)
                everything = sorted(str(number) for number in range(COUNT))
                for place, (_, cursor) in enumerate(heard):
                    before = [payload for payload, _ in heard[:place + 1]]
                    self.assertEqual(sorted(before + self.rest_by_http(root, cursor)), everything, cursor)

    def test_other_transports(self):
        """SSE, WebSocket and MQTT go on from an MQTT message: nothing lost, nothing twice, and then live"""
        heard = self.walk("other", 1)
        seen = [payload for payload, _ in heard[:11]]
        cursor = heard[10][1]
        stream = SSEStream(self.node.port, {"topic": "other/#", "cursor": cursor}, timeout=PATIENCE)
        self.addCleanup(stream.close)
        socket = WebSocket(self.node.port)
        self.addCleanup(socket.close)
        socket.message("welcome")
        socket.subscribe("other/#", cursor=cursor)
        again, plain = self.client().subscribe("other/#", 1, cursor=cursor, positions=True), self.client().subscribe("other/#", 0, cursor=cursor)
        self.node.publish("other/live", "live")
        everything = sorted([str(number) for number in range(COUNT)] + ["live"])
        left = COUNT - 11 + 1
        resumed = [again.message() for _ in range(left)]
        for name, rest in {
            "sse": [stream.message()[2] for _ in range(left)],
            "websocket": [str(socket.message("event")["data"]) for _ in range(left)],
            "mqtt": [message.payload.decode() for message in resumed],
            "mqtt, plain": [plain.message().payload.decode() for _ in range(left)],
        }.items():
            with self.subTest(name):
                self.assertEqual(sorted(seen + rest), everything)
                self.assertEqual(rest[-1], "live")
        # And from there once more.
        seen += [message.payload.decode() for message in resumed[:5]]
        self.assertEqual(sorted(seen + self.rest_by_http("other", position(resumed[4]))), everything)

    def test_who_is_told(self):
        """Retained messages have no position, nor has anything for who did not ask"""
        self.node.publish("told/kept", "value", method="PUT")
        asked, plain, old = self.client(), self.client(), self.client(version=V311)
        asked.subscribe("told/#", 1, positions=True)
        plain.subscribe("told/#", 1)
        old.subscribe("told/#", 1)
        self.node.publish("told/live", "x")
        messages = [client.message() for client in (asked, plain, old) for _ in range(2)]
        self.assertEqual([message.payload for message in messages], [b"value", b"x"] * 3)
        self.assertEqual([position(message) is not None for message in messages[:4]], [False, True, False, False])


if __name__ == "__main__":
    unittest.main()
