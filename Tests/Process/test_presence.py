"""Who is on a topic: one node, and a cluster whose edges and leaders are killed."""

import json
import threading
import time
import unittest

from harness.cluster import Cluster
from harness.node import Node, until
from harness.sse import SSEStream
from harness.websocket import WebSocket

# An edge that is killed is missed after its grace; one that falls silent after this.
DETECTION = 10.0


class Follower:
    """Hears of one topic over SSE, and keeps the list that a client would keep. Comes back when its node dies."""

    def __init__(self, nodes, topic, **query):
        self.nodes = nodes
        self.query = {"topic": "nothing/else", "presence": topic, **query}
        self.here = set()
        self.count = None
        self.left = []
        self.joined = []
        self.states = 0
        self.is_over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        turn = 0
        while not self.is_over:
            try:
                self.stream = SSEStream(self.nodes[turn % len(self.nodes)].port, self.query)
                while True:
                    _, kind, data = self.stream.message()
                    if kind == "tidings.presence":
                        self.take(json.loads(data))
            except OSError:
                turn += 1
                time.sleep(0.2)

    def take(self, news):
        if "members" in news:
            self.states += 1
            self.here = {member["id"] for member in news["members"]}
        else:
            self.joined += [member["id"] for member in news["joined"]]
            self.left += [member["id"] for member in news["left"]]
            self.here |= {member["id"] for member in news["joined"]}
            self.here -= {member["id"] for member in news["left"]}
        self.count = news["count"]

    def close(self):
        self.is_over = True
        self.stream.close()


class Socket(WebSocket):
    """A socket that says operations and waits for answers."""

    def say(self, **operation):
        self.send(operation)

    def hear(self, op):
        return self.message(op)


def ids(node, topic):
    return [member["id"] for member in node.json(f"/v1/presence?topic={topic}&limit=1000")["members"]]


class NodeTests(unittest.TestCase):
    def test_life(self):
        """A member comes and goes over SSE and WebSocket; whoever hears of the topic is told, and whoever asks"""
        with Node() as node:
            follower = Follower([node], "room/1")
            until(lambda: follower.states == 1, what="the first state")
            ann = SSEStream(node.port, {"topic": "x", "enter": ["room/1", "room/2"], "member": "ann", "memberData": '{"seat":4}'}).begun()
            bob = Socket(node.port)
            bob.say(op="presence", ref=1, topic="room/1", member={"id": "bob"}, events=True)
            self.assertEqual(bob.hear("entered"), {"op": "entered", "ref": 1, "topic": "room/1", "member": "bob"})
            self.assertEqual(ids(node, "room/1"), ["ann", "bob"])
            self.assertEqual(node.json("/v1/presence?topic=room/1&count=true"), {"topic": "room/1", "count": 2})
            self.assertEqual(node.json("/v1/presence?topic=room/%2B&count=true")["count"], 3)
            until(lambda: follower.here == {"ann", "bob"} and follower.count == 2, what="both being heard of")
            ann.close()
            until(lambda: follower.here == {"bob"}, what="a leave being heard of")
            bob.say(op="presence", topic="room/1", leave=True)
            bob.hear("left")
            until(lambda: ids(node, "room/1") == [], what="the list's being empty")
            follower.close()

    def test_restart(self):
        """A node that is killed and comes back has forgotten everybody, and whoever comes back is there"""
        with Node() as node:
            socket = Socket(node.port)
            socket.say(op="presence", topic="room", member={"id": "ann"})
            socket.hear("entered")
            node.kill()
            node.start()
            self.assertEqual(node.json("/v1/presence?topic=room"), {"topic": "room", "count": 0, "members": []})
            socket = Socket(node.port)
            socket.say(op="presence", topic="room", member={"id": "ann"})
            socket.hear("entered")
            self.assertEqual(ids(node, "room"), ["ann"])

    def test_many(self):
        """Two thousand members over a hundred sockets: the list in pages, the number at once, and nobody left behind"""
        with Node() as node:
            sockets = [Socket(node.port) for _ in range(100)]
            for number, socket in enumerate(sockets):
                for topic in range(20):
                    socket.say(op="presence", topic=f"hall/{topic}", member={"id": f"member-{number:03}"})
            for socket in sockets:
                for _ in range(20):
                    socket.hear("entered")
            self.assertEqual(node.json("/v1/presence?topic=hall/%2B&count=true")["count"], 2000)
            found, after = [], ""
            while True:
                answer = node.json("/v1/presence?topic=hall/7&limit=30" + after)
                found += [member["id"] for member in answer["members"]]
                if not answer.get("truncated"):
                    break
                after = "&after=" + found[-1]
            self.assertEqual(found, [f"member-{number:03}" for number in range(100)])
            for socket in sockets:
                socket.close()
            until(lambda: node.json("/v1/presence?topic=hall/%2B&count=true")["count"] == 0, what="the hall's being empty")
            metrics = node.get("/metrics")[2].decode()
            self.assertNotRegex(metrics, r"tidings_presence_members\{[^}]*\} [1-9]")


class ClusterTests(unittest.TestCase):
    def test_any_node(self):
        """Members on two edges and a broker are one list, asked and heard at every node"""
        with Cluster() as cluster:
            edges, broker = cluster.edges, cluster.brokers[0]
            followers = [Follower([node], "room/1") for node in cluster.nodes]
            held = []
            for node, name in [(edges[0], "ann"), (edges[1], "bob"), (broker, "cid"), (edges[1], "ann")]:
                socket = Socket(node.port)
                socket.say(op="presence", topic="room/1", member={"id": name, "data": name})
                socket.hear("entered")
                held.append(socket)
            for node in cluster.nodes:
                answer = until(lambda: self.settled(node, "room/1"), what="a settled answer")
                self.assertEqual([(each["id"], each["data"], each["connections"]) for each in answer["members"]],
                                 [("ann", "ann", 2), ("bob", "bob", 1), ("cid", "cid", 1)])
            until(lambda: all(each.here == {"ann", "bob", "cid"} for each in followers), what="all being heard of everywhere")
            held[0].close()
            held[1].close()
            until(lambda: all(each.here == {"ann", "cid"} for each in followers), what="the leave being heard of everywhere")
            for each in followers:
                self.assertEqual(each.left, ["bob"])
                each.close()

    def settled(self, node, topic):
        answer = node.json(f"/v1/presence?topic={topic}")
        return None if answer.get("partial") else answer

    def test_edge_killed(self):
        """An edge is killed: its members leave within the detection time, those who come back elsewhere and all others never"""
        with Cluster() as cluster:
            a, b = cluster.edges
            follower = Follower([b], "room/1")
            held = []
            for node, name in [(a, "lost"), (a, "back"), (b, "stays"), (a, "both"), (b, "both")]:
                socket = Socket(node.port)
                socket.say(op="presence", topic="room/1", member={"id": name})
                socket.hear("entered")
                held.append(socket)
            until(lambda: follower.here == {"lost", "back", "stays", "both"}, what="all being heard of")
            until(lambda: self.settled(b, "room/1"), what="the leader's having settled")
            a.kill()
            killed = time.monotonic()
            time.sleep(1)  # about what a client takes to come back
            socket = Socket(b.port)
            socket.say(op="presence", topic="room/1", member={"id": "back"})
            socket.hear("entered")
            until(lambda: "lost" not in follower.here, DETECTION, "the lost member's leaving")
            print(f"  the lost member left {time.monotonic() - killed:.1f} s after its edge was killed", flush=True)
            for node in cluster.brokers + [b]:
                self.assertEqual(ids(node, "room/1"), ["back", "both", "stays"], node.name)
            time.sleep(DETECTION)
            self.assertEqual(follower.left, ["lost"])
            follower.close()

    def test_edge_paused(self):
        """An edge hangs: its members leave within the detection time, and are there again when it goes on"""
        with Cluster() as cluster:
            a, b = cluster.edges
            follower = Follower([b], "room/1")
            socket = Socket(a.port)
            socket.say(op="presence", topic="room/1", member={"id": "ann"})
            socket.hear("entered")
            until(lambda: follower.here == {"ann"}, what="her being heard of")
            until(lambda: self.settled(b, "room/1"), what="the leader's having settled")
            a.pause()
            began = time.monotonic()
            until(lambda: follower.here == set(), DETECTION + 2, "her leaving")
            print(f"  left {time.monotonic() - began:.1f} s after its edge hung", flush=True)
            a.resume()
            until(lambda: follower.here == {"ann"}, 15, "her being there again")
            follower.close()

    def test_leader_killed(self):
        """The leader of the shard is killed: the list is whole again, and nobody is told that somebody left who is there"""
        with Cluster() as cluster:
            a, b = cluster.edges
            shard = cluster.shard_of("room/1")
            followers = [Follower([node], "room/1") for node in [a, b]]
            held = []
            names = {f"member-{number}" for number in range(40)}
            for number in range(40):
                socket = Socket([a, b][number % 2].port, timeout=60)
                socket.say(op="presence", topic="room/1", member={"id": f"member-{number}"})
                socket.hear("entered")
                held.append(socket)
            until(lambda: all(each.here == names for each in followers), what="all being heard of")
            until(lambda: self.settled(b, "room/1"), what="the leader's having settled")
            # Brokers hand leadership on to whom it belongs in the first seconds.
            leader = cluster.leader_of(shard)
            leader.kill()
            killed = time.monotonic()
            others = [node for node in cluster.nodes if node is not leader]

            def is_whole():
                try:
                    return all(set(ids(node, "room/1")) == names for node in others)
                except (AssertionError, OSError):
                    return False  # nobody leads yet

            until(lambda: not is_whole(), 5, "the list's being known to nobody")
            until(is_whole, 15, "the list's being whole again")
            print(f"  whole again {time.monotonic() - killed:.1f} s after the leader was killed", flush=True)
            # What happens while the new leader listens is told when it knows everybody.
            held[0].say(op="presence", topic="room/1", leave=True)
            until(lambda: all(self.settled(node, "room/1") for node in others), 20, "the new leader's having settled")
            until(lambda: all(each.here == names - {"member-0"} for each in followers), what="the one leave being told")
            for each in followers:
                self.assertEqual(each.left, ["member-0"])
                self.assertEqual(len(each.joined) - len(set(each.joined)), 0, "told twice that somebody came")
                each.close()

    def test_rolling(self):
        """Every broker is killed in turn and comes back: a member that never moved never left"""
        with Cluster() as cluster:
            a, b = cluster.edges
            topics = [f"room/{number}" for number in range(8)]
            socket = Socket(a.port, timeout=120)
            for topic in topics:
                socket.say(op="presence", topic=topic, member={"id": "ann"})
                socket.hear("entered")
            followers = [Follower([b], topic) for topic in topics]
            until(lambda: all(each.here == {"ann"} for each in followers), what="her being heard of")
            for broker in cluster.brokers:
                broker.kill()
                time.sleep(1)
                broker.start()
                cluster.wait_healthy()
            until(lambda: all(self.settled(b, topic) for topic in topics), 30, "all leaders' having settled")
            self.assertEqual([ids(b, topic) for topic in topics], [["ann"]] * len(topics))
            for each in followers:
                self.assertEqual((each.here, each.left), ({"ann"}, []))
                each.close()


if __name__ == "__main__":
    unittest.main()
