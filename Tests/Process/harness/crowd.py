"""Thousands of followers in one process of their own, over Server-Sent Events and WebSocket.

Each keeps nothing but its cursor and, for the account, the last number it saw of every topic. When its connection ends it
comes back at once, on any edge, with the cursor. Works with the messages of `Load`, whose bodies are PLACE:NUMBER.
"""

import collections
import heapq
import json
import os
import random
import re
import select
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

PAUSE = 0.05  # before the next attempt, at most
PAUSE_REFUSED = 0.5  # where nobody listens
SILENCE = 10.0  # the longest a connection may be silent; the nodes' heartbeats are shorter
AT_ONCE = 256  # connections being opened

EVENT = re.compile(rb"id: ([^\n]+)\ndata: (\d+):(\d+)\n\n|(event: tidings\.gap)\n|id: ([^\n]+)\n\n")
POSITION = re.compile(rb'"position":"(\d+)\.(\d+)"')
BODY = re.compile(rb'"data":"(\d+):(\d+)"')
CURSOR = re.compile(rb'"cursor":"([^"]+)"')


class Crowd:
    """`stay` is how long they stay on one connection: moves at random when it is short."""

    def __init__(self, edges, filter, sse, websockets, stay, seed):
        self.size = sse + websockets
        self.name = f"{sse} × SSE and {websockets} × WebSocket"
        self.plan = {
            "edges": [(edge.host, edge.port) for edge in edges], "filter": filter, "sse": sse, "websockets": websockets, "stay": stay, "seed": seed,
        }
        self.process = None
        self.ended = None

    def begin_at(self, edges):
        self.plan["edges"] = [(edge.host, edge.port) for edge in edges]

    def start(self):
        self.process = subprocess.Popen([sys.executable, "-B", __file__, json.dumps(self.plan)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()
        deadline = time.monotonic() + 60
        while self.ask("state")["begun"] < self.size:
            assert time.monotonic() < deadline, f"the crowd did not come in: {self.ask('state')}"
            time.sleep(0.1)
        return self

    def ask(self, what, **more):
        with self.lock:
            self.process.stdin.write(json.dumps({"what": what, **more}) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def state(self):
        """connected, begun, connections (in all), delivered, errors by kind."""
        return self.ask("state")

    def move_to(self, edges):
        """From now on only these are gone to; who is elsewhere stays until its connection ends."""
        self.ask("edges", edges=[(edge.host, edge.port) for edge in edges])

    def behind(self, counts):
        """How many have not yet seen so many messages of each topic."""
        return self.ask("behind", counts=counts)["behind"]

    def account(self, counts, excused):
        if self.ended is None:
            return self.ask("account", counts=counts, excused=excused)
        return self.ended

    @property
    def connections(self):
        return self.summary["connections"]

    @property
    def quiet(self):
        return self.summary["quiet"]

    def stop(self):
        if self.process and self.ended is None:
            try:
                self.summary = self.state()
                self.ended = self.ask("last")
            except (OSError, ValueError):
                self.summary = {"connections": 0, "quiet": 0.0, "errors": {}}
            self.process.kill()
            self.process.wait()


class Member:
    def __init__(self, place, kind):
        self.place = place
        self.kind = kind
        self.cursor = None
        self.places = None  # a WebSocket's cursor, folded
        self.next = []  # by topic
        self.missing = set()
        self.doubled = self.disorder = self.gaps = self.delivered = self.connections = 0
        self.socket = None
        self.open = False
        self.rest = b""
        self.refused_by = None
        self.heard = self.fed = None
        self.quiet = 0.0
        self.leaves_at = float("inf")


class CrowdProcess:
    def __init__(self, plan):
        self.edges = [tuple(edge) for edge in plan["edges"]]
        self.filter = plan["filter"]
        self.stay = plan["stay"]
        self.random = random.Random(plan["seed"])
        self.members = [Member(place, kind) for place, kind in enumerate(["sse"] * plan["sse"] + ["websocket"] * plan["websockets"])]
        self.poll = select.epoll()
        self.by_descriptor = {}
        self.waiting = []
        self.opening = 0
        self.errors = collections.Counter()
        self.answered = None
        self.asked = b""

    def run(self):
        os.set_blocking(0, False)
        self.poll.register(0, select.EPOLLIN)
        now = time.monotonic()
        for place in range(len(self.members)):
            heapq.heappush(self.waiting, (now, place))
        looked = now
        while True:
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now and self.opening < AT_ONCE:
                self.connect(self.members[heapq.heappop(self.waiting)[1]])
            wait = 0.05 if not self.waiting else max(0.0, min(0.05, self.waiting[0][0] - now))
            for descriptor, events in self.poll.poll(wait if self.opening < AT_ONCE else 0.05):
                if descriptor == 0:
                    if not self.command():
                        return
                elif descriptor in self.by_descriptor:
                    self.ready(self.by_descriptor[descriptor], events)
            if now > looked + 0.1:
                looked = now
                for member in self.members:
                    if member.socket and now > member.leaves_at:
                        self.lost(member, None)
                    elif member.socket and now > member.heard + SILENCE:
                        self.lost(member, "silent")

    # -- Connections

    def connect(self, member):
        # Not at once again where nobody listened.
        edge = self.random.choice([edge for edge in self.edges if edge != member.refused_by] or self.edges)
        member.socket = socket.socket()
        member.socket.setblocking(False)
        member.socket.connect_ex(edge)
        member.edge = edge
        member.heard = time.monotonic()
        member.leaves_at = member.heard + self.random.uniform(*self.stay)
        member.open = member.asked = False
        member.rest = b""
        self.opening += 1
        self.by_descriptor[member.socket.fileno()] = member
        self.poll.register(member.socket, select.EPOLLOUT)

    def ask(self, member):
        host = f"Host: {member.edge[0]}:{member.edge[1]}\r\n"
        if member.kind == "sse":
            query = {"topic": self.filter, **({"cursor": member.cursor} if member.cursor else {})}
            return f"GET /v1/events?{urllib.parse.urlencode(query)} HTTP/1.1\r\n{host}Accept: text/event-stream\r\n\r\n".encode()
        start = {"cursor": member.cursor} if member.cursor else {}
        body = json.dumps({"op": "subscribe", "id": "all", "topics": [self.filter], **start}).encode()
        length = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0x80 | 126]) + len(body).to_bytes(2, "big")
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        # A mask of zeroes, and the first frame at once behind the request.
        return f"GET /v1/ws HTTP/1.1\r\n{host}{upgrade}".encode() + b"\x81" + length + b"\0\0\0\0" + body

    def ready(self, member, events):
        try:
            if not member.asked:
                error = member.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, os.strerror(error))
                member.asked = True
                member.socket.sendall(self.ask(member))
                self.poll.modify(member.socket, select.EPOLLIN)
                return
            chunk = member.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            return self.lost(member, type(error).__name__)
        if not chunk:
            return self.lost(member, "the end" if member.open else "refused")
        member.heard = time.monotonic()
        member.rest += chunk
        if not member.open:
            head, separator, rest = member.rest.partition(b"\r\n\r\n")
            if not separator:
                return
            if head[9:12] not in (b"200", b"101"):
                return self.lost(member, head[9:12].decode())
            member.open = True
            member.connections += 1
            member.rest = rest
            self.opening -= 1
        if member.kind == "sse":
            self.read_events(member)
        else:
            self.read_frames(member)

    def lost(self, member, why):
        if why:
            self.errors[why] += 1
        if not member.open:
            self.opening -= 1
        member.refused_by = None if member.open else member.edge
        pause = PAUSE if member.open or len(self.edges) > 1 else PAUSE_REFUSED
        member.open = False
        del self.by_descriptor[member.socket.fileno()]
        member.socket.close()
        member.socket = None
        heapq.heappush(self.waiting, (time.monotonic() + self.random.random() * pause, member.place))

    # -- What comes

    def read_events(self, member):
        end = member.rest.rfind(b"\n\n") + 2
        if end < 2:
            return
        for found in EVENT.finditer(member.rest, 0, end):
            place, topic, number, gap, mark = found.groups()
            if topic is not None:
                self.take(member, int(topic), int(number))
            elif gap:
                member.gaps += 1
            member.cursor = (place or mark or b"").decode() or member.cursor
        member.rest = member.rest[end:]

    def read_frames(self, member):
        while len(member.rest) >= 2:
            size, start = member.rest[1], 2
            if size == 126:
                size, start = int.from_bytes(member.rest[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(member.rest[2:10], "big"), 10
            if len(member.rest) < start + size:
                return
            kind, frame = member.rest[0] & 15, member.rest[start:start + size]
            member.rest = member.rest[start + size:]
            if kind == 9:
                member.socket.send(b"\x8a\x80\0\0\0\0" if not frame else b"\x8a" + bytes([0x80 | len(frame)]) + b"\0\0\0\0" + frame)
            elif kind == 8:
                return self.lost(member, f"closed {int.from_bytes(frame[:2], 'big')}")
            elif kind == 1:
                self.read_message(member, frame)

    def read_message(self, member, frame):
        if frame.startswith(b'{"op":"event"'):
            shard, offset = (int(part) for part in POSITION.search(frame).groups())
            topic, number = (int(part) for part in BODY.search(frame).groups())
            member.places[shard] = max(member.places.get(shard, 0), offset)
            member.cursor = None
            self.take(member, topic, number)
        elif frame.startswith(b'{"op":"gap"'):
            member.gaps += 1
        elif frame.startswith(b'{"op":"error"'):
            raise ValueError(frame)
        elif b'"cursor":"' in frame and (frame.startswith(b'{"op":"cursor"') or member.places is None):
            version, cluster, *places = CURSOR.search(frame)[1].decode().split("~")
            member.version = f"{version}~{cluster}~"
            member.places = {int(place.split(".")[0]): int(place.split(".")[1]) for place in places}
        if member.places is not None:
            member.cursor = member.version + "~".join(f"{shard}.{offset}" for shard, offset in sorted(member.places.items()))

    def take(self, member, topic, number):
        now = time.monotonic()
        if member.fed:
            member.quiet = max(member.quiet, now - member.fed)
        member.fed = now
        member.delivered += 1
        while len(member.next) <= topic:
            member.next.append(0)
        expected = member.next[topic]
        if number == expected:
            member.next[topic] = number + 1
        elif number > expected:
            member.missing.update((topic, each) for each in range(expected, number))
            member.next[topic] = number + 1
        elif (topic, number) in member.missing:
            member.missing.discard((topic, number))
            member.disorder += 1
        else:
            member.doubled += 1

    # -- Questions

    def command(self):
        chunk = os.read(0, 1 << 20)
        if not chunk:
            return False
        self.asked += chunk
        while b"\n" in self.asked:
            line, _, self.asked = self.asked.partition(b"\n")
            question = json.loads(line)
            print(json.dumps(getattr(self, "tell_" + question.pop("what"))(**question)), flush=True)
        return True

    def tell_state(self):
        members = self.members
        return {
            "connected": sum(member.open for member in members), "begun": sum(member.cursor is not None for member in members),
            "connections": sum(member.connections for member in members), "delivered": sum(member.delivered for member in members),
            "quiet": max([0.0, *(member.quiet for member in members)]), "errors": self.errors,
            "edges": collections.Counter(f"{member.edge[0]}:{member.edge[1]}" for member in members if member.open),
        }

    def tell_edges(self, edges):
        self.edges = [tuple(edge) for edge in edges]
        return {}

    def tell_behind(self, counts):
        return {"behind": sum(any(self.seen(member, place) < count for place, count in enumerate(counts)) for member in self.members)}

    def seen(self, member, place):
        return member.next[place] if place < len(member.next) else 0

    def tell_account(self, counts, excused=()):
        excused = {tuple(each) for each in excused}
        lost, problems = 0, []
        for place, member in enumerate(self.members):
            tail = sum(max(0, count - self.seen(member, topic)) for topic, count in enumerate(counts))
            missing = member.missing - excused
            if tail or missing or member.doubled or member.disorder or member.gaps:
                problems.append(
                    f"member {place} ({member.kind}): never delivered {sorted(missing)[:5]} (topic, number) and the last {tail}; "
                    f"doubled {member.doubled}, out of order {member.disorder}, gaps {member.gaps}")
            lost += tail + len(missing)
        self.answered = {
            "lost": lost, "problems": problems[:10], **{
                each: sum(getattr(member, each) for member in self.members) for each in ("delivered", "doubled", "disorder", "gaps")
            }}
        return self.answered

    def tell_last(self):
        return self.answered or self.tell_account([])


if __name__ == "__main__":
    CrowdProcess(json.loads(sys.argv[1])).run()
