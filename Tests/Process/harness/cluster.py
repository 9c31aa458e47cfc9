"""A real cluster on loopback: brokers and edges in processes of their own, each of which can be killed and come back."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.parse

from .node import BINARY, Node, free_port, until


class ClusterNode(Node):
    def __init__(self, name, role, folder, join, *options, cluster_port=None):
        data = None if role == "edge" else str(folder / name)
        super().__init__(*options, data=data or "none")
        self.log_path.unlink()
        self.log_path = folder / f"{name}.log"
        self.log_path.touch()
        self.name = name
        self.role = role
        self.data = data
        self.join = join
        self.cluster_port = cluster_port or free_port()

    prefix = ()  # what its command is started with

    @property
    def cluster_address(self):
        return f"{self.host}:{self.cluster_port}"

    def command(self):
        own = ["--data", self.data] if self.data else []
        joins = ["--join", ",".join(self.join)] if self.join else []
        return [
            *self.prefix, str(BINARY), "serve", "--role", self.role, "--node", self.name, "--http", self.address, "--cluster", self.cluster_address,
            *(() if "--mqtt" in self.options else ("--mqtt", "off")), "--heartbeat", "2s", "--log-format", "text", *own, *joins, *self.options,
        ]

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        if self.is_running:
            self.kill()

    def whole_log(self):
        return self.log_path.read_text(errors="replace")

    def status(self):
        return self.json("/v1/cluster")

    def metric(self, name):
        """The sum of a metric over its labels."""
        total = 0.0
        for line in self.get("/metrics")[2].decode().splitlines():
            if line.startswith((name + " ", name + "{")):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def committed(self, shard):
        """How far this broker knows a shard to be committed."""
        found = re.search(rf'^tidings_journal_committed_offset{{shard="{shard}"}} (\d+)', self.get("/metrics")[2].decode(), re.MULTILINE)
        return int(found[1]) if found else 0


class Cluster:
    """Brokers and edges, started together. `with Cluster() as cluster:` hands it over healthy."""

    def __init__(self, brokers=3, edges=2, broker_options=(), edge_options=(), options=(), folder=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="tidings-cluster-"))
        ports = [free_port() for _ in range(brokers)]
        self.join = [f"127.0.0.1:{port}" for port in ports]
        expect = ["--bootstrap-expect", str(brokers)]
        self.brokers = [
            ClusterNode(f"broker-{number}", "broker", self.folder, self.join, *expect, *options, *broker_options, cluster_port=port)
            for number, port in enumerate(ports, 1)
        ]
        self.edges = [ClusterNode(f"edge-{number}", "edge", self.folder, self.join, *options, *edge_options) for number in range(1, edges + 1)]
        self.extra = []

    @property
    def nodes(self):
        return self.brokers + self.edges

    def add(self, name, role, join=None, *options):
        """A node beside those of the cluster; it ends with them."""
        node = ClusterNode(name, role, self.folder, self.join if join is None else join, *options)
        self.extra.append(node)
        return node

    def serve_mqtt(self):
        """Before the start: every edge serves MQTT. The ports, in the order of the edges."""
        ports = [free_port() for _ in self.edges]
        for edge, port in zip(self.edges, ports):
            edge.options = (*edge.options, "--mqtt", f"127.0.0.1:{port}")
        return ports

    def start(self):
        for node in self.nodes:
            node.start(wait=False)
        self.wait_healthy()
        return self

    def stop(self):
        for node in self.nodes + self.extra:
            node.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def show_logs(self):
        for node in self.nodes + self.extra:
            print(f"-- {node.name}, the end of its log:\n{node.log()}", flush=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.show_logs()
            self.stop()
            raise

    def __exit__(self, kind, error, trace):
        if error is not None and kind is not SystemExit:
            self.show_logs()
        self.stop()

    # -- How it is

    def running(self, nodes=None):
        return [node for node in (self.nodes if nodes is None else nodes) if node.is_running and not node.is_paused]

    def wait_healthy(self, seconds=30.0):
        """Until every node that runs says that the whole cluster is healthy; hands back how long that took."""
        began = time.monotonic()
        why = {}

        def healthy():
            for node in self.nodes:
                if node.process and not node.is_running:
                    continue
                if not node.process:
                    return False
                try:
                    if node.get("/readyz", timeout=2)[0] != 200:
                        why[node.name] = "not ready"
                        return False
                    status = node.status()
                except (OSError, AssertionError) as error:
                    why[node.name] = repr(error)
                    return False
                why[node.name] = status["cluster"]["why"]
                alive = {each["name"] for each in status["nodes"] if each["state"] == "alive"}
                expected = {each.name for each in self.running()}
                if status["cluster"]["state"] != "healthy" or not expected <= alive:
                    return False
            return True

        try:
            until(healthy, seconds, "the cluster's being healthy")
        except AssertionError as error:
            raise AssertionError(f"{error}; {why}") from error
        return time.monotonic() - began

    def leader_of(self, shard):
        """The broker that leads, as the running brokers see it: the one of the newest term."""
        def found():
            best = (0, None)
            for broker in self.running(self.brokers):
                try:
                    status = broker.status()
                except (OSError, AssertionError):
                    continue
                names = {node["id"]: node["name"] for node in status["nodes"]}
                for each in status["shards"]:
                    if each["id"] == shard and each["leader"] and each["term"] > best[0]:
                        best = (each["term"], names.get(each["leader"]))
            leader = next((broker for broker in self.brokers if broker.name == best[1]), None)
            return leader if leader in self.running() else None
        return until(found, 20, f"a leader of shard {shard}")

    def shards_of(self, broker):
        """The shards that a broker says it leads."""
        status = broker.status()
        own = next(node["id"] for node in status["nodes"] if node["name"] == broker.name)
        return [shard["id"] for shard in status["shards"] if shard["leader"] == own]

    def shard_of(self, topic):
        """Learnt by a message to it."""
        return int(self.edges[0].publish(topic, "where")["cursor"].split("~")[2].split(".")[0])

    def leader_of_topic(self, topic):
        return self.leader_of(self.shard_of(topic))

    def read_all(self, filter):
        """(topic, data) of everything that is kept, in order, read without following."""
        found, query = [], "since=earliest"
        while True:
            answer = self.edges[0].json(f"/v1/events?topic={urllib.parse.quote(filter)}&{query}")
            if not answer["events"]:
                return found
            found += [(event["topic"], event["data"]) for event in answer["events"]]
            query = "cursor=" + answer["cursor"]

    def topics_by_shard(self, prefix, shards=16, each=1):
        """Topic names below the prefix such that every shard has as many."""
        found = {}
        for number in range(1000):
            topic = f"{prefix}/{number}"
            known = found.setdefault(self.shard_of(topic), [])
            if len(known) < each:
                known.append(topic)
            if len(found) == shards and all(len(topics) == each for topics in found.values()):
                return found
        raise AssertionError("some shards have no topic")

    def copy_of(self, broker):
        """A second process on a copy of a broker's data; the broker must not be running."""
        twin = self.add(broker.name + "-twin", "broker", None, *broker.options)
        shutil.copytree(broker.data, twin.data)
        return twin


def holdings(node):
    """How many replicas each node holds, by name; those that only learn count too."""
    status = node.status()
    names = {each["id"]: each["name"] for each in status["nodes"] if each["state"] != "dead"}
    held = {}
    for shard in status["shards"]:
        for replica in shard["replicas"]:
            name = names.get(replica["node"], "gone")
            held[name] = held.get(name, 0) + 1
    return held


def settled(node, names, replicas=48):
    """Whether just these nodes hold everything, each its share, and all is well."""
    held = holdings(node)
    return (
        set(held) == set(names) and sum(held.values()) == replicas and max(held.values()) - min(held.values()) <= 1
        and node.status()["cluster"]["state"] == "healthy"
    )


def exit_of(command, seconds=10):
    """Exit code and what was said, of a command that is expected to end by itself."""
    done = subprocess.run(command, capture_output=True, timeout=seconds, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr
