"""Random mutations of valid traffic: whatever comes, the node lives, answers in grammar, and serves the next client.

TIDINGS_HUNT_SECONDS and TIDINGS_HUNT_SEED lengthen and repeat a hunt.
"""

import json
import os
import random
import socket
import threading
import time

from outside.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Socket, deflated, fragments, frame, handshake, key
from outside.node import NodeTest
from outside.wire import Ended, Malformed, Wire, request

SECONDS = float(os.environ.get("TIDINGS_HUNT_SECONDS", "15"))
SEED = int(os.environ.get("TIDINGS_HUNT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
CURSOR = "v1~0123456789ab~1.5~3.7"

REQUESTS = [
    request("GET", "/healthz"), request("POST", "/v1/topics/hunt/a", {"Content-Type": "application/json", "Idempotency-Key": "k", "Tidings-TTL": "30s", "Tidings-Event": "t"}, '{"a":[1,2,{"b":"c"}]}'), request("PUT", "/v1/topics/hunt/b", {"If-Match": "0"}, b"\xff\x00"), request("DELETE", "/v1/topics/hunt/b"),
    request("GET", "/v1/topics/hunt/a", {"If-None-Match": '"1.2", W/"x"'}), request("POST", "/v1/publish", {"Content-Type": "application/json"}, json.dumps([{"topic": "hunt/c", "data": {"x": 1}}, {"topic": "hunt/d", "data_base64": "AAEC", "retain": True, "ttl": "5s"}])), request("POST", "/v1/publish", {"Content-Type": "application/x-ndjson"}, '{"topic":"hunt/e","data":1}\n{"topic":"hunt/f"}\n'),
    request("GET", f"/v1/events?topic=hunt/%23&topic=a/+/b&cursor={CURSOR}&limit=3"), request("GET", "/v1/events?topic=hunt/%23&since=earliest&wait=1"), request("GET", "/v1/events?topic=hunt/%23&last=3", {"Accept": "text/event-stream", "Last-Event-ID": CURSOR}), request("QUERY", "/v1/events", {"Content-Type": "application/json", "Accept": "application/x-ndjson"}, '{"topics":["hunt/#"],"since":"5m"}'),
    request("GET", "/v1/history?topic=hunt/a&limit=5"), request("GET", "/v1/events?topic=hunt/%23&consumer=hunter&ack=explicit"), request("POST", "/v1/consumers/hunter/ack", {}, json.dumps({"cursor": CURSOR})), request("GET", "/v1/consumers"), request("DELETE", "/v1/consumers/hunter"), request("GET", "/metrics"), request("GET", "/v1/cluster"),
    request("OPTIONS", "/v1/events", {"Origin": "http://localhost", "Access-Control-Request-Method": "GET"}), request("POST", "/v1/echo", {"Transfer-Encoding": "chunked"}, b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"), request("POST", "/v1/echo", {"Expect": "100-continue"}, b"hello"), request("GET", "/v1/events?topic=hunt/%23&retained=true", {"Accept": "text/event-stream"}), request("HEAD", "/"),
    handshake("/v1/ws", key(), "permessage-deflate; client_max_window_bits", "tidings.v1"),
]
OPERATIONS = [
    {"op": "subscribe", "id": "s1", "topics": ["hunt/#", "a/+"], "cursor": CURSOR}, {"op": "subscribe", "id": "s2", "topics": ["hunt/a"], "since": "earliest"}, {"op": "subscribe", "id": "s3", "topics": ["hunt/+"], "retained": True}, {"op": "subscribe", "id": "s4", "topics": ["hunt/b"], "last": 2}, {"op": "unsubscribe", "id": "s1"},
    {"op": "publish", "ref": "p", "topic": "hunt/a", "data": {"x": [1, 2]}, "type": "t", "retain": True, "key": "k"}, {"op": "publish", "topic": "hunt/b", "data_base64": "AAEC"}, {"op": "ack", "consumer": "hunter", "cursor": CURSOR}, {"op": "ping", "ref": 1}, {"op": "auth"}, {"op": "presence"},
]
TOKENS = [b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b",", b";", b"=", b"%", b"%00", b"%ff", b"/", b"?", b"&", b"#", b"+", b'"', b"\\", b"{", b"}", b"[", b"]", b"0", b"-1", b"99999999999999999999", b"\xff", b"\xc3\xa9", b"HTTP/1.0", b"close", b"chunked", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"null", b"1e999", b"~", b".", b"$", b"v1~"]


def mutate(data, chance):
    data = bytearray(data)
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3, 8])):
        if not data:
            break
        at, kind = chance.randrange(len(data)), chance.randrange(9)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at] = chance.randrange(256)
        elif kind == 2:
            data[at:at] = chance.choice(TOKENS)
        elif kind == 3:
            del data[at:at + chance.choice([1, 1, 2, 5, 50])]
        elif kind == 4:
            data[at:at] = data[at:at + chance.choice([1, 4, 30])] * chance.choice([1, 2, 100])
        elif kind == 5:
            del data[at:]
        elif kind == 6:
            data[at:at + 3] = chance.choice(TOKENS)
        elif kind == 7:
            other = chance.choice(REQUESTS)
            data[at:at] = other[chance.randrange(len(other)):]
        else:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice([1, 10, 300])))
    return bytes(data)


class Hunt(NodeTest):
    options = ("--heartbeat", "1s")

    def hunt(self, kind, once, threads=3):
        """Runs `once` over and over in a few threads; the watcher is a client that wants to be served meanwhile."""
        print(f"  {kind}: seed {SEED}", flush=True)
        ends = time.monotonic() + SECONDS
        wrong, counts = [], [0] * threads

        def run(number):
            chance = random.Random(SEED * 31 + number)
            while time.monotonic() < ends and not wrong:
                state = chance.getstate()
                counts[number] += 1
                try:
                    once(chance)
                except (Ended, ConnectionResetError, BrokenPipeError, socket.timeout):
                    pass
                except ConnectionRefusedError as error:
                    wrong.append((number, counts[number], error))
                except (Malformed, AssertionError, ValueError) as error:
                    wrong.append((number, counts[number], repr(error)[:500]))
        hunters = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
        for hunter in hunters:
            hunter.start()
        slowest, served = 0.0, 0
        with Wire(self.port) as steady:
            while time.monotonic() < ends and not wrong:
                began = time.monotonic()
                served += 1
                answer = steady.send(request("PUT", "/v1/topics/watcher", body=str(served))).answer()
                self.assertEqual(answer.status, 200, answer)
                value = steady.send(request("GET", "/v1/topics/watcher")).answer()
                self.assertEqual(value.body, str(served).encode())
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.01)
        for hunter in hunters:
            hunter.join(10)
        self.assertEqual(wrong, [], f"seed {SEED}")
        self.assertIsNone(self.node.process.poll(), f"the node died at seed {SEED}:\n{self.node.log()}")
        self.assertLess(slowest, 1.0, "the watcher waited")
        self.assertGreater(min(counts), 50)
        print(f"  {kind}: {sum(counts)} tries; the watcher was served {served} times, at worst after {slowest * 1000:.0f} ms", flush=True)

    def test_requests(self):
        """Mutated requests"""
        def once(chance):
            data = b"".join(mutate(chance.choice(REQUESTS), chance) for _ in range(chance.choice([1, 1, 2, 5])))
            with Wire(self.port, timeout=0.05) as wire:
                if chance.random() < 0.3:
                    cut = chance.randrange(len(data) + 1)
                    wire.send(data[:cut])
                    wire.send(data[cut:])
                else:
                    wire.send(data)
                if chance.random() < 0.5:
                    wire.finish_sending()
                # Every status line and field must be in the grammar. Whether a body follows is known only to who knows the method.
                answer = wire.head()
                self.assertIn(answer.status // 100, (1, 2, 3, 4, 5))
                self.assertNotEqual(answer.status, 500, answer)
                if chance.random() < 0.5:
                    wire.more()
        self.hunt("requests", once)

    def test_frames(self):
        """Mutated frames and operations"""
        def message(chance):
            operation = json.dumps(chance.choice(OPERATIONS)).encode()
            text = mutate(operation, chance).replace(b"GET ", b"") if chance.random() < 0.5 else operation
            way = chance.randrange(6)
            if way == 0:
                return frame(TEXT, deflated(text), reserved=4)
            if way == 1 and len(text) > 3:
                cut = chance.randrange(1, len(text))
                return fragments(TEXT, [text[:cut], text[cut:]])
            if way == 2:
                return frame(BINARY, b'{"topic":"hunt/bin","ref":"b"}\n' + text)
            if way == 3:
                return frame(chance.choice([PING, PONG, CONTINUATION, CLOSE]), text[:120])
            return frame(TEXT, text)

        def once(chance):
            path = chance.choice(["/v1/ws", "/v1/ws", "/v1/echo"])
            with Socket(self.port, path, offer=chance.choice([None, "permessage-deflate"]), timeout=0.05) as client:
                data = b"".join(message(chance) for _ in range(chance.choice([1, 3, 20])))
                client.send(mutate(data, chance) if chance.random() < 0.6 else data)
                if chance.random() < 0.2:
                    client.finish_sending()
                while client.message()[0] != CLOSE:
                    pass
        self.hunt("frames", once)
