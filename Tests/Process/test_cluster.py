"""A cluster of real processes: brokers and edges that are killed, stopped and started again under load."""

import datetime
import glob
import json
import os
import pathlib
import shutil
import time
import unittest

from harness.cluster import Cluster, exit_of
from harness.node import BINARY, until
from harness.witness import Witness


class BirthTests(unittest.TestCase):
    def test_any_client_on_any_node(self):
        """Three brokers and two edges find each other; what is published at one is read at every other, and resumed there"""
        with Cluster() as cluster:
            a, b = cluster.edges
            first = a.publish("births/one", "1")
            for node in cluster.nodes:
                answer = node.json("/v1/events?topic=births/%23&since=earliest")
                self.assertEqual([event["data"] for event in answer["events"]], ["1"], node.name)
            b.publish("births/one", "2")
            # A cursor of one node is good at every other.
            answer = cluster.brokers[1].json(f"/v1/events?topic=births/%23&cursor={first['cursor']}")
            self.assertEqual([event["data"] for event in answer["events"]], ["2"])
            status = a.status()
            self.assertEqual(status["cluster"]["replicas"], 3)
            self.assertEqual({node["role"] for node in status["nodes"]}, {"broker", "edge"})
            self.assertEqual(sum(node["shards"]["leader"] for node in status["nodes"] if node["role"] == "broker"), 16)
            for shard in status["shards"]:
                self.assertEqual(len(shard["replicas"]), 3)

    def test_a_consumer_from_any_node(self):
        """A named consumer goes on at another edge where it was at the first"""
        with Cluster() as cluster:
            a, b = cluster.edges
            for number in range(4):
                a.publish("jobs", str(number))
            start = a.json("/v1/events?topic=jobs&consumer=worker&since=earliest&ack=explicit")
            self.assertEqual([event["data"] for event in start["events"]], ["0", "1", "2", "3"])
            place = start["cursor"].rsplit(".", 1)
            half = f"{place[0]}.{int(place[1]) - 2}"
            status, _, body = b.request("POST", "/v1/consumers/worker/ack", body=json.dumps({"cursor": half}).encode())
            self.assertEqual(status, 200, body)
            self.assertEqual([event["data"] for event in b.json("/v1/events?consumer=worker")["events"]], ["2", "3"])


class FailureTests(unittest.TestCase):
    def check(self, account):
        self.assertTrue(account.is_good, f"{account}\n" + "\n".join(account.problems[:10]))

    def test_leader_killed(self):
        """A leader killed under load: publishing works again within seconds, and whoever follows misses nothing"""
        with Cluster() as cluster:
            shard = cluster.shard_of("moved/one")
            # Those that move, and those that stay where they are.
            with Witness(cluster, ["moved/one"], rate=100, followers=3, stay=(1e6, 1e6)) as witness:
                witness.progress()
                leader = cluster.leader_of(shard)
                killed = time.monotonic()
                leader.kill()
                again = witness.acknowledged_after("moved/one", killed)
                witness.progress()
                leader.start(wait=False)
                cluster.wait_healthy()
                witness.progress()
                self.check(witness.finish())
            self.assertLess(again - killed, 5.0)

    def test_every_node_restarted(self):
        """Every node is stopped in order and started again, one after another, under load: nothing is lost, nothing fails for good"""
        topics = [f"rolling/{number}" for number in range(6)]
        with Cluster(options=("--drain-window", "1s")) as cluster:
            with Witness(cluster, topics, rate=30, followers=6) as witness:
                for node in cluster.nodes:
                    witness.progress()
                    self.assertEqual(node.terminate(30), 0, node.log())
                    node.start(wait=False)
                    cluster.wait_healthy()
                witness.progress()
                self.check(witness.finish())

    def test_all_power_lost(self):
        """All brokers killed at once and started again: what was acknowledged is there, and followers go on"""
        topics = [f"dark/{number}" for number in range(6)]
        with Cluster() as cluster:
            with Witness(cluster, topics, rate=50, followers=6) as witness:
                witness.progress()
                for broker in cluster.brokers:
                    broker.kill()
                for broker in cluster.brokers:
                    broker.start(wait=False)
                cluster.wait_healthy()
                witness.progress()
                self.check(witness.finish())

    def test_edge_killed(self):
        """An edge killed under its followers: they go on at the other with their cursors, and miss nothing"""
        topics = [f"edges/{number}" for number in range(4)]
        with Cluster() as cluster:
            with Witness(cluster, topics, rate=50, followers=9) as witness:
                for edge in cluster.edges:
                    witness.progress()
                    edge.kill()
                    witness.progress()
                    edge.start(wait=False)
                    cluster.wait_healthy()
                self.check(witness.finish())

    def test_no_quorum(self):
        """Without a majority a publish is refused, soon and then at once, with Retry-After; what was kept can be read"""
        with Cluster() as cluster:
            edge = cluster.edges[0]
            position = edge.publish("quorum", "kept")["position"].split(".")
            # Whoever is left must know that it was kept; that is told with the next beat.
            survivor = cluster.brokers[0]
            until(lambda: survivor.committed(position[0]) >= int(position[1]), 10, "the survivor's hearing of it")
            for broker in cluster.brokers[1:]:
                broker.kill()

            def refused():
                began = time.monotonic()
                status, headers, body = edge.request("POST", "/v1/topics/quorum", body=b"x", timeout=15)
                self.assertEqual(status, 503, body)
                self.assertIn("Retry-After", headers)
                return time.monotonic() - began

            self.assertLess(refused(), 9)
            until(lambda: refused() < 1.0, 10, "its being refused at once")
            self.assertEqual(edge.json("/v1/events?topic=quorum&since=earliest")["events"][0]["data"], "kept")
            until(lambda: edge.status()["cluster"]["state"] == "unavailable", 10, "the status' saying so")
            for broker in cluster.brokers[1:]:
                broker.start(wait=False)
            cluster.wait_healthy()
            # An edge that has not heard of the new leader yet may say once more that it should be tried again.
            until(lambda: edge.request("POST", "/v1/topics/quorum", body=b"again")[0] == 200, 10, "publishing's going on")

    def test_flipped_byte(self):
        """A byte of one broker's log that rotted: the broker says so, learns the shard anew, and nothing is lost"""
        with Cluster() as cluster:
            shard = cluster.shard_of("rot")
            for number in range(50):
                cluster.edges[0].publish("rot", f"message {number}")
            broker = cluster.leader_of(shard)
            # Not killed: a group log that holds the byte's last write would mend it at the start.
            broker.terminate()
            path = next(file for file in sorted(os.listdir(f"{broker.data}/shards/{shard}")) if file.endswith(".log"))
            with open(f"{broker.data}/shards/{shard}/{path}", "r+b") as segment:
                segment.seek(700)
                byte = segment.read(1)
                segment.seek(700)
                segment.write(bytes([byte[0] ^ 0x10]))
            broker.start(wait=False)
            until(lambda: "repaired" in broker.whole_log(), 30, "its being repaired")
            self.assertIn("corrupt", broker.whole_log())
            cluster.wait_healthy()
            # What several shards wrote together stands in the group log first, and a broker that is killed leaves it.
            many = [f"many/{number}" for number in range(32)]
            for turn in range(20):
                events = json.dumps([{"topic": topic, "data": turn} for topic in many])
                status, _, answer = cluster.edges[1].request("POST", "/v1/publish", body=events.encode())
                self.assertEqual(status, 200, answer)
            broker.kill()
            logs = [path for path in pathlib.Path(broker.data).glob("group-*.log") if path.read_bytes()[8192:8200] == b"TIDEGRND"]
            with open(logs[0], "r+b") as log:
                log.seek(8192 + 100)
                byte = log.read(1)[0]
                log.seek(8192 + 100)
                log.write(bytes([byte ^ 1]))
            broker.start(wait=False)
            until(lambda: f"{logs[0].name} is damaged" in broker.whole_log(), 10, "its saying so")
            until(
                lambda: all([replica["role"] for replica in shard["replicas"]] == ["voter"] * 3 for shard in cluster.edges[0].status()["shards"]),
                30, "all shards' being repaired")
            cluster.wait_healthy()
            for topic in many:
                self.assertEqual([int(data) for _, data in cluster.read_all(topic)], list(range(20)))
            self.assertEqual([data for _, data in cluster.read_all("rot")], ["where"] + [f"message {number}" for number in range(50)])


class StrangerTests(unittest.TestCase):
    def test_strangers(self):
        """Nodes that do not belong to the cluster are refused, told why, and harm nothing"""
        with Cluster(edges=1) as cluster:
            cluster.edges[0].publish("mine", "1")
            secret = cluster.folder / "secret"
            secret.write_text("another secret than the others have\n")
            stranger = cluster.add("stranger", "edge", None, "--cluster-secret-file", str(secret))
            stranger.start(wait=False)
            until(lambda: "cluster-secret-file" in stranger.whole_log(), 15, "its being told of the secret")
            self.assertEqual(stranger.get("/readyz")[0], 503)
            # A broker with the data of another cluster.
            with Cluster(brokers=1, edges=0) as other:
                other.brokers[0].publish("theirs", "1")
                other.brokers[0].terminate()
                foreign = cluster.add("foreign", "broker")
                shutil.copytree(other.brokers[0].data, foreign.data)
            foreign.start(wait=False)
            until(lambda: "another cluster" in foreign.whole_log() + cluster.brokers[0].whole_log(), 15, "its being told of the other cluster")
            # A copy of a data directory, while the original runs.
            cluster.brokers[2].terminate()
            twin = cluster.copy_of(cluster.brokers[2])
            cluster.brokers[2].start(wait=False)
            cluster.wait_healthy()
            twin.start(wait=False)
            until(
                lambda: "data directory was copied" in twin.whole_log() + "".join(broker.whole_log() for broker in cluster.brokers), 15,
                "the copy's being noticed")
            twin.kill()
            for node in (stranger, foreign):
                node.kill()
            cluster.edges[0].publish("mine", "2")
            self.assertEqual([data for _, data in cluster.read_all("mine")], ["1", "2"])

    def test_clocks(self):
        """A broker whose clock is an hour off says so and goes by the others'; set back, it is still known as itself"""
        with Cluster(edges=1) as cluster:
            edge, wrong = cluster.edges[0], cluster.brokers[1]
            [faketime] = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
            for shift, words in ("+3600", "60 min ahead of"), ("-3600", "60 min behind"):
                wrong.terminate()
                # The inner `env` takes the library's own changes of the environment upon itself, before the node's arguments.
                wrong.prefix = ("env", f"LD_PRELOAD={faketime}", "DONT_FAKE_MONOTONIC=1", f"FAKETIME={shift}s", "env")
                wrong.start(wait=False)
                until(lambda: any(f"clock of broker-2 is {words}" in why for why in edge.status()["cluster"]["why"]), 20, "its saying so")
                self.assertIn(f"is {words}", wrong.whole_log())
                # It leads whatever it likes, and time goes on as before.
                until(lambda: any(shard["leader"] == wrong.status()["nodes"][0]["id"] for shard in edge.status()["shards"]), 30, "its leading a shard")
                for number in range(40):
                    told = edge.publish(f"clock/{number}", "tick")["time"]
                    time_told = datetime.datetime.fromisoformat(told.replace("Z", "+00:00")).timestamp()
                    self.assertLess(abs(time_told - time.time()), 5, f"what {number} was stamped with")
            wrong.terminate()
            wrong.prefix = ()
            wrong.start(wait=False)
            cluster.wait_healthy()

    def test_waiting(self):
        """Brokers that expect different numbers of brokers wait, and say so"""
        with Cluster(brokers=1, edges=0) as cluster:
            a = cluster.add("a", "broker", [], "--bootstrap-expect", "2")
            b = cluster.add("b", "broker", [a.cluster_address], "--bootstrap-expect", "3")
            a.start(wait=False)
            b.start(wait=False)
            until(lambda: "--bootstrap-expect" in a.whole_log() and "--bootstrap-expect" in b.whole_log(), 20, "their saying so")
            status, _, body = a.request("POST", "/v1/topics/x", body=b"1")
            self.assertEqual(status, 503)
            self.assertIn(b"waits for its cluster", body)

    def test_misuse(self):
        """What cannot be a node of a cluster is said before anything is started"""
        for words, hint in [
            (["--role", "edge"], "--join"),
            (["--cluster", "0.0.0.0:7400"], "--cluster-secret-file"),
            (["--role", "broker", "--cluster", "off"], "--cluster"),
            (["--join", "127.0.0.1:1", "--cluster-secret-file", "/nonexistent"], "--cluster-secret-file"),
        ]:
            code, said = exit_of([str(BINARY), "serve", *words])
            self.assertEqual(code, 2, said)
            self.assertIn(hint, said)


if __name__ == "__main__":
    unittest.main()
