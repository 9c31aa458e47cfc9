"""Shared subscriptions in a cluster: a message, a member, while members, edges and leaders die."""

import json
import subprocess
import time
import unittest

from harness.mqtt import V5, V31, V311, Client, ClusterTestCase, wire
from harness.node import Node, free_port, until

NAMES = {V31: "mqttv31", V311: "mqttv311", V5: "mqttv5"}


def publish_all(node, topics, payloads):
    """By HTTP, many at once: what is answered is kept."""
    payloads = list(payloads)
    for start in range(0, len(payloads), 500):
        lines = [json.dumps({"topic": topics[number % len(topics)], "data": payload}) for number, payload in enumerate(payloads[start:start + 500])]
        code, _, body = node.request("POST", "/v1/publish", "\n".join(lines).encode(), {"Content-Type": "application/x-ndjson"}, timeout=30)[:3]
        assert code == 200 and not any("error" in each or "status" in each for each in json.loads(body).get("results", [])), body[:300]


class Member:
    """A member that acknowledges what it is sent, as paho does."""

    def __init__(self, port, filter, qos=1, version=V5, name=""):
        self.heard = []
        self.client = Client(port, name, version)
        self.client.paho.on_message = lambda client, data, message: self.heard.append((message.topic, message.payload.decode()))
        self.client.subscribe(filter, qos)

    @property
    def payloads(self):
        return [payload for _, payload in self.heard]

    def close(self):
        self.client.close()


class ClusterTests(ClusterTestCase):
    def member(self, edge, filter, **more):
        member = Member(self.ports[edge], filter, **more)
        self.addCleanup(member.close)
        return member

    def hoarder(self, edge, filter, count, qos=1, name="", **more):
        """A member that takes so many and acknowledges none."""
        client = wire.Client(self.ports[edge], name, timeout=20, keep_alive=0, receive_maximum=count, **more)
        self.addCleanup(client.close)
        self.assertEqual(client.subscribe((filter, qos))[0], [qos])
        return client

    def all_of(self, expected, *members, seconds=20):
        """That the members have it all between them, each message once."""
        heard = lambda: [payload for member in members for payload in member.payloads]
        try:
            until(lambda: set(heard()) >= set(expected), seconds, "all messages")
        finally:
            if missing := set(expected) - set(heard()):
                print(f"missing {len(missing)}: {sorted(missing)[:10]}")
        time.sleep(0.3)
        self.assertEqual(sorted(heard()), sorted(expected))

    def test_spread(self):
        """Two members at two edges share 2,000 messages about evenly; each message is heard once, and in its topic's order"""
        members = [self.member(edge, "$share/even/even/#") for edge in (0, 1)]
        payloads = [f"{number:05}" for number in range(2000)]
        publish_all(self.cluster.edges[0], [f"even/{number}" for number in range(40)], payloads)
        self.all_of(payloads, *members)
        for member in members:
            self.assertGreater(len(member.heard), 600)
            for topic in {topic for topic, _ in member.heard}:
                one = [payload for each, payload in member.heard if each == topic]
                self.assertEqual(one, sorted(one))

    def test_groups_apart(self):
        """Two groups, and a client that follows by itself, have everything each; members of another version share too"""
        alone = self.member(0, "apart/#")
        first = [self.member(edge, "$share/one/apart/#", version=version) for edge, version in ((0, V311), (1, V5), (1, V5))]
        second = [self.member(1, "$share/two/apart/#", qos=2)]
        both = Client(self.ports[0], version=V311)
        self.addCleanup(both.close)
        payloads = [str(number) for number in range(300)]
        publish_all(self.cluster.edges[1], [f"apart/{number}" for number in range(16)], payloads)
        for members in ([alone], first, second):
            self.all_of(payloads, *members)
        self.assertTrue(all(len(member.heard) > 50 for member in first), [len(member.heard) for member in first])

    def test_member_gone(self):
        """What a member had and did not acknowledge reaches the others, at its own edge and at another"""
        for edge in (0, 1):
            with self.subTest(edge=edge):
                topic, payloads = f"gone/{edge}", [str(number) for number in range(200)]
                hoarder = self.hoarder(0, f"$share/gone/{topic}", 50)
                other = self.member(edge, f"$share/gone/{topic}")
                publish_all(self.cluster.edges[0], [topic], payloads)
                had = [hoarder.message().payload.decode() for _ in range(50)]
                until(lambda: len(other.heard) >= 100, 20, "the rest")
                self.assertFalse(set(had) & set(other.payloads))
                hoarder.close()
                self.all_of(payloads, other)

    def test_edge_killed(self):
        """An edge is killed: what was out there reaches members elsewhere"""
        topics, payloads = [f"edge/{number}" for number in range(8)], [str(number) for number in range(400)]
        hoarder = self.hoarder(0, "$share/edge/edge/#", 100)
        dying = self.member(0, "$share/edge/edge/#")
        other = self.member(1, "$share/edge/edge/#")
        publish_all(self.cluster.edges[1], topics, payloads)
        until(lambda: len(dying.heard) > 20 and len(other.heard) > 20, 20, "the beginning")
        had = {hoarder.message().payload.decode() for _ in range(50)}
        acknowledged = set(dying.payloads)
        self.cluster.edges[0].kill()
        try:
            until(lambda: set(other.payloads) | acknowledged >= set(payloads), 20, "all messages")
            self.assertEqual(len(other.payloads), len(set(other.payloads)))
            self.assertTrue(had <= set(other.payloads))
        finally:
            self.cluster.edges[0].start()
            self.cluster.wait_healthy()

    def test_edge_killed_exactly_once(self):
        """QoS 2 of a session that is kept: its edge is killed, no other member is sent it, and the client finishes it elsewhere"""
        filter, topics, payloads = "$share/once/once/#", [f"once/{number}" for number in range(8)], [str(number) for number in range(200)]
        kept = {"name": "kept", "clean": False, "session_expiry": 600}
        first = self.hoarder(0, filter, 20, qos=2, **kept)
        other = self.member(1, filter, qos=2)
        publish_all(self.cluster.edges[1], topics, payloads)
        had = [first.message() for _ in range(20)]
        for message in had[:10]:
            first.send(wire.ack(wire.PUBREC, message.mid))
            self.assertEqual(first.packet().kind, wire.PUBREL)
        until(lambda: len(other.heard) == 180, 20, "the rest")
        self.cluster.edges[0].kill()
        try:
            second = wire.Client(self.ports[1], timeout=20, keep_alive=0, receive_maximum=20, client=kept.pop("name"), **kept)
            self.addCleanup(second.close)
            released, again = set(), []
            while len(released) < 20:
                packet = second.packet()
                if packet.kind == wire.PUBLISH:
                    again.append(packet.payload)
                    second.send(wire.ack(wire.PUBREC, packet.mid))
                else:
                    self.assertEqual(packet.kind, wire.PUBREL)
                    released.add(packet.mid)
                    second.send(wire.ack(wire.PUBCOMP, packet.mid))
            self.assertEqual(released, {message.mid for message in had})
            self.assertEqual(again, [message.payload for message in had[10:]])
            # By now the shards have missed the edge, and given out what was still its.
            time.sleep(8)
            second.nothing_else()
            self.all_of(sorted(set(payloads) - {message.payload.decode() for message in had}), other)
        finally:
            self.cluster.edges[0].start()
            self.cluster.wait_healthy()

    def test_leader_killed(self):
        """A leader is killed while a group works: nothing is lost, and nothing twice but what was not acknowledged"""
        cluster = self.cluster
        topics = [f"leader/{number}" for number in range(16)]
        victim = cluster.leader_of_topic("leader/0")
        members = [self.member(edge, "$share/leader/leader/#") for edge in (0, 1, 1)]
        hoarder = self.hoarder(0, "$share/leader/leader/#", 30)
        first = [f"a{number}" for number in range(1000)]
        publish_all(cluster.edges[0], topics, first)
        held = [hoarder.message().payload.decode() for _ in range(30)]
        victim.kill()
        try:
            later = [f"b{number}" for number in range(1000)]
            accepted = []
            for start in range(0, 1000, 100):
                until(lambda: self.kept(cluster.edges[1], topics, later[start:start + 100], accepted), 20, "publishing")
            heard = lambda: [payload for member in members for payload in member.payloads]
            expected = set(first) | set(later)
            until(lambda: set(heard()) | set(held) >= expected, 30, "all messages")
            # Whoever still has it keeps it, whoever leads; the rest went out once, but for what was on its way.
            time.sleep(3)
            twice = [payload for payload in set(heard()) if heard().count(payload) > 1]
            self.assertEqual([payload for payload in held if payload in heard()], [])
            self.assertEqual(twice, [], "the edges have lived on, and said what they had")
            for message in range(30):
                hoarder.send(wire.ack(wire.PUBACK, message + 1))
        finally:
            victim.start(wait=False)
            cluster.wait_healthy()

    def kept(self, node, topics, payloads, accepted):
        lines = [
            json.dumps({"topic": topics[number % len(topics)], "data": payload, "key": payload}) for number, payload in enumerate(payloads)]
        code, _, body = node.request("POST", "/v1/publish", "\n".join(lines).encode(), {"Content-Type": "application/x-ndjson"}, timeout=30)[:3]
        return code == 200 and b'"status"' not in body

    def test_catches_up(self):
        """A group without members keeps its place, across a restart of every broker; the last to unsubscribe ends it"""
        filter, topics = "$share/later/later/#", [f"later/{number}" for number in range(16)]
        groups = lambda: sum(broker.metric("tidings_shard_groups") for broker in self.cluster.brokers)
        others = groups()
        first = self.member(0, filter)
        publish_all(self.cluster.edges[0], topics, ["before"] * 16)
        until(lambda: len(first.heard) == 16, what="the beginning")
        time.sleep(0.5)
        first.close()
        payloads = [str(number) for number in range(800)]
        publish_all(self.cluster.edges[0], topics, payloads)
        for broker in self.cluster.brokers:
            broker.kill()
        for broker in self.cluster.brokers:
            broker.start(wait=False)
        self.cluster.wait_healthy()
        second = self.member(1, filter)
        self.all_of(payloads, second, seconds=30)
        second.client.paho.unsubscribe(filter)
        until(lambda: groups() == others, what="the end of the group")
        publish_all(self.cluster.edges[0], topics, [f"nobody's {number}" for number in range(16)])
        third = self.member(0, filter)
        payloads = [f"after {number}" for number in range(16)]
        publish_all(self.cluster.edges[0], topics, payloads)
        self.all_of(payloads, third)


class MosquittoTests(unittest.TestCase):
    def setUp(self):
        self.mqtt = free_port()
        self.node = Node("--mqtt", f"127.0.0.1:{self.mqtt}")
        self.addCleanup(self.node.stop)
        self.node.start()

    def test_mosquitto(self):
        """mosquitto_sub's $share: every version, every QoS, each line with one of three, and each of them with some"""
        for version in (V31, V311, V5):
            for qos in ("0", "1", "2"):
                with self.subTest(version=version, qos=qos):
                    filter = f"$share/tools/tools/{version}/{qos}"
                    processes = []
                    for _ in range(3):
                        command = [
                            "stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.mqtt), "-V", NAMES[version], "-d", "-t", filter, "-q", qos,
                            "-F", "heard %q %p"]
                        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                        self.addCleanup(process.stdout.close)
                        processes.append(process)
                        while not (line := process.stdout.readline()).startswith("Subscribed"):
                            self.assertTrue(line, "mosquitto_sub ended before it was subscribed")
                    lines = [str(number) for number in range(300)]
                    subprocess.run(
                        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.mqtt), "-V", NAMES[version], "-t", f"tools/{version}/{qos}", "-q", qos, "-l"],
                        input="\n".join(lines) + "\n", text=True, check=True, timeout=20)
                    time.sleep(1)
                    shares = []
                    for process in processes:
                        process.terminate()
                        text, _ = process.communicate(timeout=10)
                        shares.append([line.split(" ")[1:] for line in text.splitlines() if line.startswith("heard ")])
                    self.assertEqual(sorted(payload for share in shares for _, payload in share), sorted(lines))
                    self.assertEqual({heard for share in shares for heard, _ in share}, {qos})
                    self.assertTrue(all(len(share) >= 20 for share in shares), [len(share) for share in shares])


if __name__ == "__main__":
    unittest.main()
