"""Readers that follow through anything: each keeps its cursor and comes back with it, over its own transport."""

import asyncio
import json
import subprocess
import threading
import time
import urllib.parse

import websockets
import websockets.exceptions

from .node import BINARY
from .sse import SSEStream

PAUSE = 0.02  # between attempts: short, so that a restart is met at its very beginning


class Reader:
    """Collects (topic, position, data) in a thread until it is stopped."""

    def __init__(self, node, *filters):
        self.node = node
        self.filters = filters
        self.events = []
        self.moments = []  # when each of them came
        self.gaps = []
        self.connections = 0
        self.errors = []
        self.cursor = None
        self.stopped = threading.Event()
        self.begun = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    name = "reader"

    def start(self):
        self.thread.start()
        assert self.begun.wait(10), f"{self.name} did not begin: {self.errors[-3:]}"
        return self

    def stop(self):
        self.stopped.set()
        self.interrupt()
        if self.thread.ident:
            self.thread.join(10)

    def interrupt(self):
        pass

    def leaves(self):
        """Whether the reader ends its connection by itself."""
        return self.stopped.is_set()

    def _run(self):
        while not self.stopped.is_set():
            try:
                self.follow()
            except (OSError, websockets.exceptions.WebSocketException, ValueError) as error:
                self.errors.append(repr(error))
                self.stopped.wait(PAUSE)

    def take(self, event):
        self.moments.append(time.monotonic())
        self.events.append((event["topic"], event["position"], event.get("data")))

    def query(self, **more):
        pairs = [("topic", each) for each in self.filters]
        if self.cursor:
            pairs.append(("cursor", self.cursor))
        return urllib.parse.urlencode(pairs + list(more.items()), quote_via=urllib.parse.quote)

    def by_topic(self):
        found = {}
        for topic, _, data in list(self.events):
            found.setdefault(topic, []).append(data)
        return found


class SSEReader(Reader):
    name = "Server-Sent Events"
    stream = None
    longest_silence = 20  # more than the node's heartbeat

    def follow(self):
        self.stream = SSEStream(self.node.port, self.query(format="json"), timeout=self.longest_silence, host=self.node.host)
        self.connections += 1
        try:
            while not self.leaves():
                place, kind, data = self.stream.event()
                if kind == "tidings.gap":
                    self.gaps.append(data)
                elif data is not None:
                    self.take(json.loads(data))
                self.cursor = place
                self.begun.set()
        finally:
            self.stream.close()

    def interrupt(self):
        if self.stream:
            self.stream.close()


class LongPollReader(Reader):
    name = "long-poll"

    def follow(self):
        # The first asks where the end is, at once.
        wait = {"wait": 2} if self.cursor else {}
        status, headers, body = self.node.get("/v1/events?" + self.query(**wait), timeout=10)
        self.connections += 1
        if status == 200:
            answer = json.loads(body)
            for event in answer["events"]:
                self.take(event)
            if "gap" in answer:
                self.gaps.append(answer["gap"])
            self.cursor = answer["cursor"]
        elif status == 204:
            self.cursor = headers["Tidings-Cursor"]
        else:
            raise ValueError(f"{status} {body[:200]}")
        self.begun.set()


class WebSocketReader(Reader):
    """Over python3-websockets: a client that others wrote, with permessage-deflate as it offers it."""

    name = "WebSocket"

    def follow(self):
        asyncio.run(self._follow())

    async def _follow(self):
        uri = f"ws://{self.node.address}/v1/ws"
        async with websockets.connect(uri, subprotocols=["tidings.v1"], open_timeout=5, close_timeout=0.2, max_queue=None) as socket:
            self.connections += 1
            start = {"cursor": self.cursor} if self.cursor else {}
            await socket.send(json.dumps({"op": "subscribe", "id": "all", "topics": list(self.filters), **start}))
            while not self.leaves():
                try:
                    message = json.loads(await asyncio.wait_for(socket.recv(), 1))
                except asyncio.TimeoutError:
                    continue
                if message["op"] == "event":
                    self.take(message)
                    self.fold(message["position"])
                elif message["op"] == "gap":
                    self.gaps.append(message)
                elif message["op"] == "subscribed":
                    if self.cursor is None:
                        self.cursor = message["cursor"]
                    self.begun.set()
                elif message["op"] == "error":
                    raise ValueError(message)

    def fold(self, position):
        self.cursor = fold(self.cursor, position)


class CommandReader(Reader):
    """`tidings sub --cursor-file`: stopped and started again now and then by whoever holds it."""

    name = "tidings sub"
    process = None

    def __init__(self, node, *filters, cursor_file):
        super().__init__(node, *filters)
        self.cursor_file = cursor_file
        self.restarts = 0

    def follow(self):
        command = [str(BINARY), "sub", "--url", self.node.url, "--json", "--cursor-file", str(self.cursor_file), *self.filters]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.connections += 1
        threading.Thread(target=self._watch_file, daemon=True).start()
        for line in self.process.stdout:
            event = json.loads(line)
            if "gap" in event:
                self.gaps.append(event)
            else:
                self.take(event)
        code = self.process.wait()
        if code != 0 and not self.stopped.is_set():
            raise ValueError(f"tidings sub ended with {code}: {self.process.stderr.read()[-500:]}")

    def _watch_file(self):
        while not self.cursor_file.exists() and not self.stopped.is_set():
            time.sleep(0.01)
        self.begun.set()

    def interrupt(self):
        if self.process:
            self.process.terminate()


def fold(cursor, position):
    """The cursor with one more message seen."""
    shard, offset = (int(part) for part in position.split("."))
    version, cluster, *places = cursor.split("~")
    known = {int(place.split(".")[0]): int(place.split(".")[1]) for place in places}
    known[shard] = max(known.get(shard, 0), offset)
    return "~".join([version, cluster] + [f"{number}.{known[number]}" for number in sorted(known)])
