"""$SYS: what a node and a cluster tell MQTT clients of themselves, read with mosquitto's tools and paho."""

import re
import subprocess
import time
import unittest

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from harness.mqtt import PATIENCE, V5, V31, V311, Client, ClusterTestCase, NodeTestCase
from harness.node import until

NAMES = {V31: "mqttv31", V311: "mqttv311", V5: "mqttv5"}
# What every exporter and dashboard of Mosquitto's asks for.
EXPECTED = """version uptime clients/total clients/connected clients/maximum subscriptions/count messages/received messages/sent
publish/messages/received publish/messages/sent publish/messages/dropped publish/bytes/received publish/bytes/sent bytes/received bytes/sent
heap/current load/messages/received/1min load/messages/sent/5min load/publish/received/15min load/publish/sent/1min load/bytes/received/1min
load/bytes/sent/1min load/connections/1min load/sockets/1min""".split()
# A telling, and some patience.
INTERVAL = 10 + PATIENCE


def values(port, *filters, version=V5, seconds=3):
    """What mosquitto_sub prints of the retained values, as a dictionary."""
    wishes = [word for each in filters for word in ("-t", each)]
    command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-V", NAMES[version], "--retained-only", "-W", str(seconds), "-F", "%t\t%p", *wishes]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=seconds + PATIENCE).stdout.splitlines()
    found = dict(line.split("\t", 1) for line in lines)
    assert len(found) == len(lines), lines
    return found


class NodeTests(NodeTestCase):
    options = ("--reactors", "2")

    def client(self, **more):
        client = Client(self.mqtt, **more)
        self.addCleanup(client.close)
        return client

    def test_values(self):
        """Every value is there at once, in Mosquitto's names and forms, for every version"""
        self.node.publish("system/kept", "x", method="PUT")
        for version in NAMES:
            with self.subTest(version):
                def told():
                    found = values(self.mqtt, "$SYS/#", version=version, seconds=1)
                    return found if found["$SYS/broker/retained messages/count"] != "0" else None

                # Where somebody followed them a moment ago values are up to ten seconds old.
                found = until(told, INTERVAL, "the count of what is kept")
                broker = {name.removeprefix("$SYS/broker/"): value for name, value in found.items() if name.startswith("$SYS/broker/")}
                self.assertLessEqual(set(EXPECTED), set(broker))
                self.assertRegex(broker["version"], r"^tidings version \d")
                self.assertRegex(broker["uptime"], r"^\d+ seconds$")
                self.assertGreater(int(broker["heap/current"]), 1000)
                for name, value in broker.items():
                    if name.startswith("load/"):
                        self.assertRegex(value, r"^\d+\.\d\d$", name)
                cluster = {name.removeprefix("$SYS/cluster/"): value for name, value in found.items() if name.startswith("$SYS/cluster/")}
                self.assertEqual(len(cluster) + len(broker), len(found))
                self.assertEqual([cluster[name] for name in ("state", "nodes/alive", "brokers/alive", "edges/alive", "shards/leaderless")], ["healthy", "1", "1", "1", "0"])
                self.assertEqual(cluster["versions"], broker["version"].split()[-1])

    def test_counts(self):
        """Clients, subscriptions, messages and bytes are counted over all reactors, and told again when they have changed"""
        watcher = self.client()
        watcher.subscribe("$SYS/broker/#", 0)
        seen = {}

        def told(name):
            while not watcher.messages.empty():
                message = watcher.messages.get()
                seen.setdefault(message.topic.removeprefix("$SYS/broker/"), []).append((message.payload.decode(), message.retain, message.qos, time.monotonic()))
            return seen.get(name, [])

        until(lambda: told("bytes/sent"), what="the first values")
        first = {name: value[-1][0] for name, value in seen.items()}
        self.assertTrue(all(retain and qos == 0 for each in seen.values() for _, retain, qos, _ in each))
        others = [self.client() for _ in range(6)]
        for other in others:
            other.subscribe("counted/#", 1)
        others[0].publish("counted/x", b"12345", 1)
        for other in others:
            other.message()
        # Whatever the telling that is under way has seen of it, the one after it has seen all.
        until(lambda: len(told("uptime")) >= 3, 2 * INTERVAL, "two more tellings")
        last = {name: value[-1][0] for name, value in seen.items()}

        def grew(name):
            return int(last[name]) - int(first[name])

        self.assertEqual(grew("clients/connected"), 6)
        self.assertGreaterEqual(int(last["clients/maximum"]), 7)
        self.assertEqual(grew("subscriptions/count"), 6)
        self.assertEqual((grew("publish/messages/received"), grew("publish/bytes/received")), (1, 5))
        self.assertGreaterEqual(grew("publish/messages/sent"), 6)
        # CONNECT, SUBSCRIBE and PUBACK of each, and a PUBLISH.
        self.assertEqual(grew("messages/received"), 3 * 6 + 1)
        self.assertGreater(grew("bytes/received"), 200)
        self.assertGreater(grew("bytes/sent"), 200)
        later = [value for each in seen.values() for value in each[1:]]
        self.assertFalse(any(retain for _, retain, _, _ in later))
        # Only what changed is told again, and every ten seconds.
        self.assertEqual((len(seen["version"]), len(seen["heap/current"]) > 0), (1, True))
        for each in seen.values():
            self.assertTrue(all(one[0] != next[0] for one, next in zip(each, each[1:])))
        first, second = (value[3] for value in seen["uptime"][1:3])
        self.assertAlmostEqual(second - first, 10, delta=2)

    def test_filters(self):
        """`#` and `+` at the first level bring nothing of it; others do, also beside filters of topics; QoS is as it is granted"""
        client = self.client()
        client.paho.subscribe([("#", 1), ("+/broker/version", 1), ("$SYS/broker/version", 2), ("$SYS/+/uptime", 0)])
        _, codes, _ = client.acks.get(timeout=PATIENCE)
        self.assertEqual(codes, [1, 1, 2, 0])
        self.assertEqual({(message := client.message()).topic: message.qos for _ in range(2)}, {"$SYS/broker/version": 0, "$SYS/broker/uptime": 0})
        self.node.publish("filters/live", "x")
        self.assertEqual(client.message().topic, "filters/live")
        client.paho.unsubscribe(["$SYS/+/uptime", "$SYS/broker/version"])
        self.node.publish("filters/live", "y")
        self.assertEqual(client.message().payload, b"y")
        self.assertTrue(client.messages.empty())
        refused = self.client()
        self.assertEqual(refused.paho.publish("$SYS/broker/version", "forged", 0)[0], 0)
        self.assertTrue(values(self.mqtt, "$SYS/broker/version")["$SYS/broker/version"].startswith("tidings"))


    def test_session(self):
        """A session that goes on is told what changes, without subscribing again"""
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 60
        self.client(name="kept", clean_start=False, properties=properties).subscribe("$SYS/broker/uptime", 0).close()
        again = self.client(name="kept", clean_start=False, properties=properties)
        message = again.messages.get(timeout=2 * INTERVAL)
        self.assertEqual((message.topic, message.retain), ("$SYS/broker/uptime", False))


class ClusterTests(ClusterTestCase):
    def test_cluster(self):
        """Nodes, shards, clients of all edges and versions; a broker that dies is missed"""
        brokers, edges = len(self.cluster.brokers), len(self.cluster.edges)
        clients = [Client(port) for port in self.ports for _ in range(3)]
        self.cluster.edges[0].publish("kept", "x", method="PUT")
        try:
            def cluster(port):
                return {name.removeprefix("$SYS/cluster/"): value for name, value in values(port, "$SYS/cluster/#", seconds=1).items()}

            expected = {
                "state": "healthy", "nodes/total": brokers + edges, "nodes/alive": brokers + edges, "brokers/total": brokers, "brokers/alive": brokers,
                "edges/total": edges, "edges/alive": edges, "shards/leaderless": 0, "shards/short": 0,
            }
            for port in self.ports:
                until(lambda: {name: str(value) for name, value in expected.items()}.items() <= cluster(port).items(), 30, f"all of {expected}")
                # This reader and those above, once every edge has told.
                until(lambda: int(cluster(port)["clients/connected"]) >= len(clients), 30, "the clients of all edges")
                self.assertRegex(cluster(port)["versions"], r"^[^,]+$")
                # Brokers tell their edges now and then.
                retained = lambda: values(port, "$SYS/broker/retained messages/count", seconds=1)
                until(lambda: int(retained()["$SYS/broker/retained messages/count"]) >= 1, 30, "the count of what is retained")
            names = [values(port, "$SYS/broker/node", seconds=1)["$SYS/broker/node"] for port in self.ports]
            self.assertEqual(names, [edge.name for edge in self.cluster.edges])
            self.cluster.brokers[0].kill()
            until(lambda: cluster(self.ports[1])["brokers/alive"] == str(brokers - 1), 40, "the death of a broker")
            self.cluster.brokers[0].start(wait=False)
            self.cluster.wait_healthy()
            until(lambda: (now := cluster(self.ports[1]))["state"] == "healthy" and now["brokers/alive"] == str(brokers), 30, "its return")
        finally:
            for client in clients:
                client.close()


if __name__ == "__main__":
    unittest.main()
