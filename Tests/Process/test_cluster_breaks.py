"""A cluster of real processes, broken in ways that take a moment each; cluster/scenarios has the longer ones."""

import pathlib
import socket
import time
import unittest

from harness.cluster import Cluster
from harness.node import until
from harness.witness import Witness


class BreakTests(unittest.TestCase):
    def check(self, account):
        self.assertTrue(account.is_good, f"{account}\n" + "\n".join(account.problems[:10]))

    def test_before_the_cluster(self):
        """Whoever connected before a node found its cluster is let go when it does, and not left connected to nobody"""
        with Cluster(brokers=1, edges=0) as cluster:
            waiting = cluster.add("waits", "edge", [])
            waiting.join = [f"127.0.0.1:{waiting.cluster_port - 1}"]
            waiting.start(wait=False)
            until(lambda: "serves nothing yet" in waiting.whole_log(), 10, "its waiting")
            early = [socket.create_connection(("127.0.0.1", waiting.port), timeout=15) for _ in range(8)]
            for each in early[::2]:
                each.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertIn(b" 503 ", each.recv(4096))
            # The cluster comes to it.
            cluster.add("finds", "edge", [cluster.brokers[0].cluster_address, waiting.cluster_address]).start()
            until(lambda: "the node serves" in waiting.whole_log(), 20, "its finding the cluster")
            for each in early:
                with each:
                    try:
                        self.assertEqual(each.recv(4096), b"")
                    except ConnectionResetError:
                        pass  # As good an end.

    def test_storm(self):
        """Hundreds come back to an edge that was started anew: it asks for each shard once, and nobody misses anything"""
        with Cluster() as cluster:
            a, b = cluster.edges
            topics = [name for names in cluster.topics_by_shard("storm").values() for name in names]
            with Witness(cluster, topics, rate=4, followers=0, edges=[b], crowds=[(200, 100)], stay=(1e6, 1e6)) as witness:
                crowd = witness.crowds[0]
                crowd.move_to([a])
                b.kill()
                until(lambda: crowd.state()["edges"].get(a.address) == 300, 15, "their going to the other edge")
                a.kill()
                b.start()  # For the publishers.
                witness.progress()
                a.start()
                until(lambda: crowd.state()["connected"] == 300, 15, "their coming back")
                witness.progress()
                self.check(witness.finish())
            # For each of its event loops, and again where a page was full or came too early.
            self.assertLessEqual(a.metric("tidings_shard_reads_total"), 16 * 2 * 4)
            self.assertGreater(a.metric("tidings_shared_reads_total"), 1000)

    def test_paused(self):
        """A broker that stands still for some seconds and goes on: others lead meanwhile, nothing is lost, nothing is doubled"""
        with Cluster() as cluster:
            with Witness(cluster, [f"pause/{number}" for number in range(16)], rate=10, load=True, followers=3) as witness:
                witness.progress()
                broker = max(cluster.brokers, key=lambda each: len(cluster.shards_of(each)))
                broker.pause()
                witness.progress()
                broker.resume()
                cluster.wait_healthy()
                witness.progress()
                self.check(witness.finish())

    def test_rot_while_running(self):
        """A bit that rots under a running leader: it is found by who reads there, and mended without a restart"""
        with Cluster() as cluster:
            shard = cluster.shard_of("rot")
            for number in range(100):
                cluster.edges[0].publish("rot", f"message {number}")
            # With nothing in memory that reads could be answered from.
            for node in cluster.nodes:
                node.terminate()
            for node in cluster.nodes:
                node.start(wait=False)
            cluster.wait_healthy()
            broker = cluster.leader_of(shard)
            path = min(pathlib.Path(broker.data, "shards", str(shard)).glob("*.log"))
            with open(path, "r+b") as segment:
                segment.seek(700)
                byte = segment.read(1)[0]
                segment.seek(700)
                segment.write(bytes([byte ^ 1]))
            expected = [f"message {number}" for number in range(100)]
            # Whoever meets it waits for another broker to lead, and hears of nothing.
            self.assertEqual([data for _, data in cluster.read_all("rot")][1:], expected)
            until(lambda: "repaired" in broker.whole_log(), 20, "its being repaired")
            cluster.wait_healthy()
            self.assertEqual([data for _, data in cluster.read_all("rot")][1:], expected)


if __name__ == "__main__":
    unittest.main()
