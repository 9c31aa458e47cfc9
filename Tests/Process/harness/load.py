"""Publishers of many topics in one process of their own: for rates at which threads beside the followers would disturb both.

Each topic has one message in flight, which is tried again under its key until it is acknowledged, as `Publisher` does. The
process says on its output what became of each; clocks are the machine's, so that moments of both processes compare.
"""

import collections
import heapq
import json
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time

ANSWER_WITHIN = 10.0
PATIENCE = 60.0
PAUSE = 0.02


class LoadedTopic:
    """What a `Publisher` says of its topic."""

    def __init__(self, topic):
        self.topic = topic
        self.acknowledged = []
        self.sent_at = []
        self.acknowledged_at = []
        self.unknown = set()
        self.errors = collections.Counter()
        self.failure = None
        self.stopped = threading.Event()


class Load:
    def __init__(self, edges, topics, rate, seed):
        self.publishers = [LoadedTopic(topic) for topic in topics]
        self.plan = json.dumps({"edges": [(edge.host, edge.port) for edge in edges], "topics": topics, "rate": rate, "seed": seed})
        self.process = None
        self.thread = threading.Thread(target=self.listen, daemon=True)
        for publisher in self.publishers:
            publisher.join = self.join
            publisher.is_alive = self.thread.is_alive

    def start(self):
        self.process = subprocess.Popen([sys.executable, "-B", __file__, self.plan], stdout=subprocess.PIPE, text=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            place, number, sent, acknowledged, *error = line.rstrip("\n").split(" ", 4)
            publisher = self.publishers[int(place)]
            if not error:
                publisher.sent_at.append(float(sent))
                publisher.acknowledged_at.append(float(acknowledged))
                publisher.acknowledged.append(int(number))
                continue
            publisher.errors[error[0]] += 1
            if error[0] == "given up":
                publisher.unknown.add(int(number))
            elif error[0].startswith("unexpected"):
                publisher.failure = error[0]
        if self.process.wait() != 0:
            self.publishers[0].failure = f"the publishing process ended with {self.process.returncode}"

    def stop(self):
        """Nothing new is published; what is in flight is seen through."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def join(self, timeout=None):
        self.thread.join(timeout)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        self.thread.join(5)


class Lane:
    """One topic, in the process."""

    def __init__(self, place, topic):
        self.place = place
        self.topic = topic
        self.number = 0
        self.began = None  # the first attempt of the message
        self.due = 0.0
        self.socket = None
        self.sent = None  # while an answer is awaited
        self.edge = None
        self.answer = b""


class LoadProcess:
    def __init__(self, plan):
        self.edges = [tuple(edge) for edge in plan["edges"]]
        self.pause = 1 / plan["rate"]
        self.random = random.Random(plan["seed"])
        self.poll = select.epoll()
        self.lanes = [Lane(place, topic) for place, topic in enumerate(plan["topics"])]
        self.by_descriptor = {}
        self.out = []
        self.stopping = False
        self.queue = []

    def run(self):
        signal.signal(signal.SIGTERM, self.stop)
        now = time.monotonic()
        for lane in self.lanes:
            lane.edge = self.random.choice(self.edges)
            lane.due = now + self.random.random() * self.pause
            heapq.heappush(self.queue, (lane.due, lane.place))
        looked = now
        while not self.stopping or any(lane.began for lane in self.lanes):
            now = time.monotonic()
            while self.queue and self.queue[0][0] <= now:
                lane = self.lanes[heapq.heappop(self.queue)[1]]
                if lane.began or not self.stopping:
                    self.send(lane)
            wait = min(0.05, self.queue[0][0] - now) if self.queue else 0.05
            for descriptor, _ in self.poll.poll(max(0.0, wait)):
                self.receive(self.by_descriptor[descriptor])
            if now > looked + 0.5:
                looked = now
                for lane in self.lanes:
                    if lane.sent and now > lane.sent + ANSWER_WITHIN:
                        self.failed(lane, "no answer", leaves=True)
            if self.out:
                sys.stdout.write("".join(self.out))
                sys.stdout.flush()
                self.out.clear()

    def stop(self, *_):
        self.stopping = True

    def send(self, lane):
        now = time.monotonic()
        lane.began = lane.began or now
        if now > lane.began + PATIENCE:
            self.say(lane, "given up")
            return self.next(lane)
        lane.sent = now
        body = f"{lane.place}:{lane.number}"
        request = (
            f"POST /v1/topics/{lane.topic} HTTP/1.1\r\nHost: {lane.edge[0]}:{lane.edge[1]}\r\nContent-Length: {len(body)}\r\n"
            f"Idempotency-Key: {lane.topic}-{lane.number}\r\n\r\n{body}")
        try:
            if lane.socket is None:
                lane.socket = socket.create_connection(lane.edge, timeout=2)
                self.by_descriptor[lane.socket.fileno()] = lane
                self.poll.register(lane.socket, select.EPOLLIN)
            lane.socket.sendall(request.encode())
        except OSError as error:
            self.failed(lane, type(error).__name__, leaves=True)

    def receive(self, lane):
        try:
            chunk = lane.socket.recv(65536)
        except OSError as error:
            return self.failed(lane, type(error).__name__, leaves=True)
        if not chunk:
            return self.failed(lane, "RemoteDisconnected", leaves=True)
        lane.answer += chunk
        head, separator, body = lane.answer.partition(b"\r\n\r\n")
        if not separator or len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return None
        lane.answer = b""
        status = int(head[9:12])
        if status == 200:
            self.out.append(f"{lane.place} {lane.number} {lane.sent} {time.monotonic()}\n")
            return self.next(lane)
        kind = f"{status} {json.loads(body).get('title', '')}" if body.startswith(b"{") else str(status)
        # 502 and 504 come from a load balancer whose edge died.
        if status not in (429, 502, 503, 504, 507) or (status == 503 and b"retry-after" not in head.lower()):
            kind = f"unexpected {kind}"
        return self.failed(lane, kind, leaves=b"connection: close" in head.lower())

    def next(self, lane):
        lane.number += 1
        lane.sent = lane.began = None
        lane.due = max(lane.due + self.pause, time.monotonic() - 1)
        heapq.heappush(self.queue, (lane.due, lane.place))

    def failed(self, lane, kind, leaves):
        self.say(lane, kind)
        lane.answer = b""
        lane.sent = None
        if leaves or len(self.edges) > 1:
            if lane.socket:
                del self.by_descriptor[lane.socket.fileno()]
                lane.socket.close()
                lane.socket = None
            lane.edge = self.random.choice(self.edges)
        if lane.began:
            heapq.heappush(self.queue, (time.monotonic() + PAUSE, lane.place))

    def say(self, lane, what):
        self.out.append(f"{lane.place} {lane.number} 0 0 {what}\n")


if __name__ == "__main__":
    LoadProcess(json.loads(sys.argv[1])).run()
