"""MQTT sessions in a cluster: found again on any node, whoever dies meanwhile."""

import random
import threading
import time
import unittest
from collections import Counter

from harness.mqtt import PATIENCE, ClusterTestCase, wire
from harness.node import until

KEPT = {"clean": False, "session_expiry": 600}
SEED = 20261121


class Wanderer(threading.Thread):
    """A client with a session of its own, which it takes from edge to edge, whatever becomes of them."""

    def __init__(self, ports, name):
        super().__init__(daemon=True)
        self.ports, self.name_, self.random = ports, name, random.Random(f"{SEED} {name}")
        self.connections, self.error = 0, None
        self.missing = 0
        self.ended = threading.Event()

    def run(self):
        try:
            while not self.isDone():
                try:
                    self.connection()
                except (OSError, wire.Malformed):
                    time.sleep(0.05)  # Nobody is there, or was torn away; the next may be.
        except Exception as error:
            self.error = error

    def connect(self):
        client = wire.Client(self.random.choice(self.ports), self.name_, timeout=15, keep_alive=0, **KEPT)
        self.connections += 1
        # Once there is a session it is always there.
        if self.connections > 1 and not client.welcome.present:
            self.missing += 1
        return client

    def finish(self):
        self.ended.set()
        self.join(60)


class Insistent(Wanderer):
    """Publishes with QoS 2, and goes on with each message until it is released, over however many connections."""

    WINDOW = 8

    def __init__(self, ports, name, topic):
        super().__init__(ports, name)
        self.topic = topic
        #: By packet identifier: the payload, and whether it was received.
        self.waiting = {}
        self.number, self.done = 0, []

    def isDone(self):
        return self.ended.is_set() and not self.waiting

    def connection(self):
        with self.connect() as client:
            for mid, (payload, isReceived) in sorted(self.waiting.items()):
                client.send(wire.ack(wire.PUBREL, mid) if isReceived else wire.publish(self.topic, payload, 2, mid, dup=True))
            leaves = self.random.randrange(200, 600)
            while not self.isDone():
                while not self.ended.is_set() and len(self.waiting) < self.WINDOW:
                    self.number += 1
                    # Few identifiers, used again and again: one that is not forgotten in time would swallow a message.
                    mid = next(mid for mid in range(1, 20) if mid not in self.waiting)
                    self.waiting[mid] = (f"{self.name_}-{self.number}", False)
                    client.send(wire.publish(self.topic, self.waiting[mid][0], 2, mid))
                said = client.packet()
                if said.kind == wire.DISCONNECT:
                    return
                payload, isReceived = self.waiting[said.mid]
                if said.kind == wire.PUBREC and said.code < 0x80:
                    self.waiting[said.mid] = (payload, True)
                    client.send(wire.ack(wire.PUBREL, said.mid))
                elif said.kind == wire.PUBREC:
                    # Refused: it may be there all the same. Nobody promises anything of it; it is said under another name.
                    del self.waiting[said.mid]
                else:
                    assert isReceived, said
                    self.done.append(payload)
                    del self.waiting[said.mid]
                leaves -= 1
                if leaves == 0:
                    return client.close()  # Without a word.


class Follower(Wanderer):
    """Subscribed with QoS 2, or 1; what it was given it counts as the protocol lets it."""

    def __init__(self, ports, name, topic, qos):
        super().__init__(ports, name)
        self.topic, self.qos = topic, qos
        self.got, self.held = [], set()
        self.subscribed = threading.Event()

    def isDone(self):
        return self.ended.is_set()

    def connection(self):
        with self.connect() as client:
            if not self.subscribed.is_set():
                client.subscribe((self.topic, self.qos))
                self.subscribed.set()
            leaves = self.random.randrange(300, 900)
            while not self.ended.is_set():
                said = client.early.pop(0) if client.early else client.packet()
                if said.kind == wire.DISCONNECT:
                    return
                if said.kind == wire.PUBREL:
                    self.held.discard(said.mid)
                    client.send(wire.ack(wire.PUBCOMP, said.mid))
                elif said.qos == 2:
                    if said.mid not in self.held:
                        self.held.add(said.mid)
                        self.got.append(said.payload.decode())
                    client.send(wire.ack(wire.PUBREC, said.mid))
                else:
                    self.got.append(said.payload.decode())
                    client.send(wire.ack(wire.PUBACK, said.mid))
                leaves -= 1
                if leaves == 0:
                    return client.close()


class Sessions(ClusterTestCase):
    def client(self, edge, name="", **more):
        client = wire.Client(self.ports[edge], name, timeout=PATIENCE, **more)
        self.addCleanup(client.close)
        return client

    def test_edge_paused(self):
        """An edge that stood still so long that it was given up lets go of clients whose names are free again"""
        names = {"plain": {}, "kept": KEPT}
        clients = {name: self.client(0, f"paused-{name}", will=("paused/will", name.encode()), **more) for name, more in names.items()}
        watcher = self.client(1, "paused-watcher")
        watcher.subscribe(("paused/will", 1))
        edge = self.cluster.edges[0]
        edge.pause()
        try:
            self.assertEqual({watcher.receive().payload for _ in names}, {name.encode() for name in names})
        finally:
            edge.resume()
        for client in clients.values():
            told = client.packet()
            self.assertEqual((told.kind, told.code), (wire.DISCONNECT, 0x8E))
        self.cluster.wait_healthy()

    def test_any_edge(self):
        """A session is found at the other edge with what came meanwhile, and taken over from there"""
        first = self.client(0, "walker", **KEPT)
        first.subscribe(("walk/#", 1))
        first.close()
        self.client(0).publish("walk/1", "missed", 1)
        second = self.client(1, "walker", **KEPT)
        self.assertEqual(second.welcome.present, 1)
        message = second.message()
        self.assertEqual(message.payload, b"missed")
        began = time.monotonic()
        third = self.client(0, "walker", **KEPT)
        # Whoever had it was asked, and gave it back: with what it had under way.
        again = third.message()
        self.assertEqual((again.payload, again.mid, again.dup), (b"missed", message.mid, True))
        self.assertLess(time.monotonic() - began, 0.45)
        self.assertEqual([(each.kind, each.code) for each in second.said()], [(wire.DISCONNECT, 0x8E)])

    def test_edge_killed(self):
        """When an edge is killed the wills of its clients are sent, but not of those that came back; their sessions are at the other"""
        watcher = self.client(1, keep_alive=0)
        watcher.subscribe(("testament/#", 1))
        will = lambda name, delay=0: (f"testament/{name}", name, 1, False, {"will_delay": delay} if delay else {})
        self.client(0, "gone", will=will("gone"))
        self.client(0, "delayed", will=will("delayed", 2), **KEPT).subscribe(("delayed", 1))
        self.client(0, "back", will=will("back", 2), **KEPT).subscribe(("back", 1))
        edge = self.cluster.edges[0]
        edge.kill()
        try:
            began = time.monotonic()
            back = self.client(1, "back", **KEPT)
            self.assertEqual(back.welcome.present, 1)
            self.assertEqual(watcher.receive().payload, b"gone")
            self.assertTrue(4 < time.monotonic() - began < 10, time.monotonic() - began)
            self.assertEqual(watcher.receive().payload, b"delayed")
            self.client(1).publish("back", "here", 1)
            self.assertEqual(back.receive().payload, b"here")
            watcher.nothing_else()
        finally:
            edge.start(wait=False)
            self.cluster.wait_healthy()

    def test_drained(self):
        """A node that is drained gives its clients time to come back before it sends their wills"""
        watcher = wire.Client(self.ports[1], timeout=40, keep_alive=0)
        self.addCleanup(watcher.close)
        watcher.subscribe(("drained/#", 1))
        self.client(0, "stays", will=("drained/stays", "stays", 1))
        self.client(0, "moves", will=("drained/moves", "moves", 1))
        edge = self.cluster.edges[0]
        began = time.monotonic()
        leaving = threading.Thread(target=edge.terminate)
        leaving.start()
        try:
            self.client(1, "moves")
            self.assertEqual(watcher.receive().payload, b"stays")
            self.assertGreater(time.monotonic() - began, 9)
            leaving.join()
            watcher.nothing_else()
        finally:
            edge.start(wait=False)
            self.cluster.wait_healthy()

    def test_exactly_once(self):
        """QoS 2 is exactly once, both ways, over clients that wander, edges and leaders that are killed; QoS 1 loses nothing"""
        cluster, chance = self.cluster, random.Random(SEED)
        print(f"seed {SEED}")
        topics = [f"exact/{number}" for number in range(3)]
        writers = [Insistent(self.ports, f"writer-{number}", topic) for number, topic in enumerate(topics)]
        exact = [Follower(self.ports, f"exact-{number}", "exact/#", 2) for number in range(2)]
        least = Follower(self.ports, "least", "exact/#", 1)
        everybody = [*writers, *exact, least]
        for follower in (*exact, least):
            follower.start()
            self.assertTrue(follower.subscribed.wait(30))
        for writer in writers:
            writer.start()
        for strike in range(4):
            marks = [len(writer.done) for writer in writers]
            until(lambda: all(len(writer.done) > mark + 150 or writer.error for writer, mark in zip(writers, marks)), 60, "going on")
            victim = chance.choice(cluster.edges) if strike % 2 else cluster.leader_of_topic(chance.choice(topics))
            victim.kill()
            time.sleep(chance.random())
            victim.start(wait=False)
        cluster.wait_healthy()
        for writer in writers:
            writer.finish()
            self.assertFalse(writer.is_alive(), "a message is never acknowledged")
        kept = [data for _, data in cluster.read_all("exact/#") if data.startswith("writer-")]
        done = {payload for writer in writers for payload in writer.done}
        for follower in (*exact, least):
            until(lambda: set(kept) <= set(follower.got) or follower.error, 60, f"what {follower.name_} is still owed")
            follower.finish()
        for each in everybody:
            self.assertIsNone(each.error)
            self.assertEqual(each.missing, 0, f"{each.name_} lost its session")
        print(f"{len(done)} messages over {sum(each.connections for each in everybody)} connections")
        self.assertEqual(sorted(done - set(kept)), [])
        self.assertEqual(len(kept), len(set(kept)), "a message of QoS 2 is in the log twice")
        for follower in exact:
            twice = {payload for payload, count in Counter(follower.got).items() if count > 1 and payload in done}
            self.assertEqual(sorted(twice), [], f"{follower.name_} was given these twice")


if __name__ == "__main__":
    unittest.main()
