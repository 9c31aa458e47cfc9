"""Brokers that come, go, die for good and come back empty, while messages flow."""

import shutil
import subprocess
import time
import unittest

from harness.cluster import Cluster, holdings, settled
from harness.node import BINARY, Node, until
from harness.witness import Witness


def tidings(*arguments):
    return subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, timeout=90)


class GrowthTests(unittest.TestCase):
    def check(self, account):
        self.assertTrue(account.is_good, f"{account}\n" + "\n".join(account.problems[:10]))

    def test_one_comes_one_leaves(self):
        """A fourth broker gets its share, and another leaves for good, while messages flow: nothing is lost or doubled"""
        with Cluster(options=("--drain-window", "1s")) as cluster:
            with Witness(cluster, ["grown/one", "grown/two"], rate=60, followers=3) as witness:
                witness.progress()
                newcomer = cluster.add("broker-4", "broker")
                newcomer.start(wait=False)
                edge = cluster.edges[0]
                until(lambda: settled(edge, ["broker-1", "broker-2", "broker-3", "broker-4"]), 60, "every broker's having its share")
                witness.progress()
                leaving = cluster.brokers[1]
                done = tidings("leave", "broker-2", "--url", edge.url)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("'broker-2' has left", done.stderr)
                self.assertEqual(leaving.process.wait(20), 0)
                until(lambda: settled(edge, ["broker-1", "broker-3", "broker-4"]), 30, "the others' holding everything")
                witness.progress()
                self.check(witness.finish())
            # Its data is of no use to anybody any more, and must not come back.
            leaving.start(wait=False)
            self.assertEqual(leaving.process.wait(20), 1)
            self.assertIn("has left its cluster for good", leaving.whole_log())

    def test_dead_for_good(self):
        """A broker that stays dead is replaced after the grace by one that has room; its return, as nobody, is harmless"""
        with Cluster(options=("--replace-after", "3s")) as cluster:
            newcomer = cluster.add("broker-4", "broker", None, "--replace-after", "3s")  # Whoever leads shard 0 decides by its own.
            newcomer.start(wait=False)
            edge = cluster.edges[0]
            until(lambda: settled(edge, ["broker-1", "broker-2", "broker-3", "broker-4"]), 60, "every broker's having its share")
            with Witness(cluster, ["mourned"], rate=60, followers=2) as witness:
                witness.progress()
                cluster.brokers[2].kill()
                until(lambda: settled(edge, ["broker-1", "broker-2", "broker-4"]), 60, "the others' holding everything")
                witness.progress()
                # It has replicas that nobody counts on: it is told to delete them, and gets its share anew.
                cluster.brokers[2].start(wait=False)
                until(lambda: settled(edge, ["broker-1", "broker-2", "broker-3", "broker-4"]), 60, "every broker's having its share")
                witness.progress()
                self.check(witness.finish())

    def test_emptied(self):
        """A broker that comes back with an empty disk is a new one, and gets everything that the old one had"""
        with Cluster() as cluster:
            for number in range(50):
                cluster.edges[0].publish(f"kept/{number % 7}", str(number))
            lost = cluster.brokers[0]
            before = {node["name"]: node["id"] for node in cluster.edges[0].status()["nodes"]}["broker-1"]
            lost.kill()
            shutil.rmtree(lost.data)
            lost.start(wait=False)

            def replaced():
                shards = cluster.edges[0].status()["shards"]
                return all(replica["node"] != before and replica["role"] == "voter" for shard in shards for replica in shard["replicas"])

            # Without waiting for the grace: an empty disk under the old address means that the old one is no more.
            until(lambda: replaced() and settled(cluster.edges[0], ["broker-1", "broker-2", "broker-3"]), 60, "its holding everything again")
            for broker in cluster.brokers[1:]:
                broker.kill()
            cluster.brokers[1].start(wait=False)
            until(lambda: cluster.edges[0].status()["cluster"]["state"] != "unavailable", 30, "two of three's being enough")
            until(lambda: len(cluster.read_all("kept/#")) == 50, 20, "everything's being there")

    def test_alone_no_more(self):
        """What one node kept alone is on three when two others join it, and outlives the first"""
        cluster = Cluster(brokers=1, edges=1)
        first, edge = cluster.brokers[0], cluster.edges[0]
        with Node() as alone:
            for number in range(20):
                alone.publish(f"before/{number % 3}", str(number))
            alone.kill()
            # The same directory, now with a place where others meet it.
            shutil.copytree(alone.data, first.data)
        with cluster:
            others = [cluster.add(f"broker-{number}", "broker") for number in (2, 3)]
            for other in others:
                other.start(wait=False)
            until(lambda: settled(edge, ["broker-1", "broker-2", "broker-3"]), 60, "each one's holding everything")
            first.kill()
            until(lambda: len(edge.json("/v1/events?topic=before/%23&since=earliest")["events"]) == 20, 30, "everything's being there")


class LeaveAfterDeathTests(unittest.TestCase):
    def test_leave_beside_a_death(self):
        """One broker dies and another is told to leave before anybody has noticed: publishing goes on without the dead one"""
        with Cluster(edges=1, options=("--drain-window", "1s")) as cluster:
            edge = cluster.edges[0]
            topics = cluster.topics_by_shard("left")
            cluster.brokers[2].kill()
            self.assertEqual(edge.request("POST", "/v1/cluster/nodes/broker-2/leave")[0] // 100, 2)
            # As long as it takes to be sure of the death, and longer: no shard may have given up a voter that it needs.
            deadline = time.monotonic() + 15
            while time.monotonic() < deadline:
                time.sleep(0.5)
            for shard, (topic,) in topics.items():
                def published():
                    return edge.request("POST", f"/v1/topics/{topic}", b"after")[0] == 200
                until(published, 5, f"a publish to shard {shard}")
            self.assertTrue(cluster.brokers[1].is_running)

    def test_leave_of_the_dead(self):
        """A broker that was dead when it was told to leave has left, is no reason for anything, and its death says whose it was"""
        with Cluster(edges=1, options=("--drain-window", "1s")) as cluster:
            newcomer = cluster.add("broker-4", "broker")
            newcomer.start(wait=False)
            edge = cluster.edges[0]
            until(lambda: settled(edge, ["broker-1", "broker-2", "broker-3", "broker-4"]), 60, "every broker's having its share")
            cluster.brokers[2].kill()
            until(lambda: "node-died" in edge.whole_log(), 20, "its death's being noticed")
            self.assertRegex(edge.whole_log(), r"node-died: .* node=[0-9a-f]{16} name=broker-3 role=broker")
            self.assertEqual(tidings("leave", "broker-3", "--url", edge.url).returncode, 0)
            until(lambda: {node["name"]: node["state"] for node in edge.status()["nodes"]}["broker-3"] == "left", 20, "its having left")
            newcomer.pause()
            why = until(lambda: edge.status()["cluster"]["why"], 20, "a reason")
            newcomer.resume()
            self.assertNotIn("broker-3", " ".join(why))

    def test_no_majority(self):
        """Who is left of three says that nobody can publish, and that it is over when a second one is back"""
        with Cluster(edges=0) as cluster:
            left = cluster.brokers[0]
            for broker in cluster.brokers[1:]:
                broker.kill()
            until(lambda: "has no majority: publishes are refused" in left.whole_log(), 20, "its saying so")
            self.assertNotIn("another node will serve", left.whole_log())
            cluster.brokers[1].start(wait=False)
            until(lambda: "majority-again" in left.whole_log(), 20, "its saying that it is over")


class ReadinessTests(unittest.TestCase):
    def test_no_broker(self):
        """An edge that reaches no broker tells balancers to send nobody, and says so when it reaches one again"""
        with Cluster(brokers=1, edges=1) as cluster:
            edge, broker = cluster.edges[0], cluster.brokers[0]
            broker.kill()
            status, _, body = until(lambda: (answer := edge.get("/readyz"))[0] == 503 and answer, 15, "its not being ready")
            self.assertIn(b"reaches no broker", body)
            broker.start(wait=False)
            until(lambda: edge.get("/readyz")[0] == 200, 15, "its being ready again")


class WishTests(unittest.TestCase):
    def test_drain_and_undo(self):
        """A node that drains leads nothing, says so, sends its clients elsewhere and keeps its replicas; it can be undone"""
        with Cluster(options=("--drain-window", "1s")) as cluster:
            edge, drained = cluster.edges[0], cluster.brokers[0]
            done = tidings("drain", "broker-1", "--url", edge.url)
            self.assertEqual(done.returncode, 0, done.stderr)
            # What the command says is so.
            self.assertEqual(drained.get("/readyz")[0], 503)
            status = edge.status()
            identity = next(node["id"] for node in status["nodes"] if node["name"] == "broker-1")
            self.assertEqual([shard["id"] for shard in status["shards"] if shard["leader"] == identity], [])
            self.assertEqual(holdings(edge)["broker-1"], 16)
            self.assertEqual(drained.get("/readyz")[0], 503)
            until(lambda: {node["name"]: node["state"] for node in edge.status()["nodes"]}["broker-1"] == "draining", 10, "its being shown")
            edge.publish("meanwhile", "1")
            self.assertEqual(tidings("drain", "--undo", identity, "--url", edge.url).returncode, 0)
            self.assertEqual(drained.get("/readyz")[0], 200)
            until(lambda: any(shard["leader"] == identity for shard in edge.status()["shards"]), 30, "its leading again")
            # One that leads nothing has nothing to wait for but to be told.
            last = cluster.edges[1]
            self.assertEqual(tidings("drain", "edge-2", "--url", edge.url).returncode, 0)
            self.assertEqual(last.get("/readyz")[0], 503)
            self.assertEqual(tidings("drain", "--undo", "edge-2", "--url", edge.url).returncode, 0)
            self.assertEqual(last.get("/readyz")[0], 200)

    def test_end_after_undone_drain(self):
        """A node that was drained, took part again and is then ended sends its clients off over the window all the same"""
        with Cluster(options=("--drain-window", "2s")) as cluster:
            edge, node = cluster.edges[0], cluster.brokers[0]
            self.assertEqual(tidings("drain", "broker-1", "--url", edge.url).returncode, 0)
            self.assertEqual(tidings("drain", "--undo", "broker-1", "--url", edge.url).returncode, 0)
            until(lambda: node.get("/readyz")[0] == 200, 10, "its being ready")
            followers = [subprocess.Popen(["curl", "-sN", "-H", "Accept: text/event-stream", f"{node.url}/v1/events?topic=a"], stdout=subprocess.PIPE) for _ in range(4)]
            until(lambda: node.metric("tidings_connections") >= 4, 10, "the followers' being there")
            node.process.terminate()
            said = [follower.communicate(timeout=20)[0] for follower in followers]
            self.assertEqual([b"retry: " in text.rstrip().split(b"\n\n")[-1] for text in said], [True] * 4, said)
            self.assertEqual(node.process.wait(20), 0)

    def test_wishes_that_cannot_be(self):
        """Each wish that cannot be is refused with what to do instead"""
        with Cluster(brokers=1, edges=1) as cluster:
            edge = cluster.edges[0]
            status, _, body = edge.request("POST", "/v1/cluster/nodes/nobody/drain")
            self.assertEqual(status, 404)
            self.assertIn(b"GET /v1/cluster lists them", body)
            status, _, body = edge.request("POST", "/v1/cluster/nodes/broker-1/leave")
            self.assertEqual(status, 409)
            self.assertIn(b"the only broker that stays", body)
            self.assertEqual(edge.request("POST", "/v1/cluster/nodes/broker-1/dance")[0], 404)
            self.assertEqual(edge.request("GET", "/v1/cluster/nodes/broker-1/leave")[0], 405)
            failed = tidings("leave", "nobody", "--url", edge.url)
            self.assertEqual(failed.returncode, 1)
            self.assertIn("nobody", failed.stderr)
            self.assertEqual(tidings("leave").returncode, 2)
        with Node() as alone:
            status, _, body = alone.request("POST", "/v1/cluster/nodes/x/drain")
            self.assertEqual(status, 409)
            self.assertIn(b"The node is alone", body)


if __name__ == "__main__":
    unittest.main()
