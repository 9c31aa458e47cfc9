"""Prometheus itself scrapes a cluster: the metrics are what it takes, every alert fires when it should, every panel shows something."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness.cluster import Cluster
from harness.node import ROOT, free_port, until
from harness.readers import LongPollReader, SSEReader, WebSocketReader
from outside.wire import Wire, request

OBSERVABILITY = ROOT / "docker" / "observability"
RULES = OBSERVABILITY / "alerts.yaml"
DASHBOARD = OBSERVABILITY / "dashboard.json"
WINDOW = "4s"  # of a rate; in it there must be two scrapes, one each second
ANSWER_WITHIN = 5

NODE = 'job="tidings",instance="a"'
SHARD = NODE + ',shard="3"'
# Of each alert: what makes it fire within the minutes, and what does not. Values are those of `promtool test rules`, one a minute.
ALERTS = {
    "TidingsNodeDown": (3, {f"up{{{NODE}}}": "0x9"}, {f"up{{{NODE}}}": "1x9"}),
    "TidingsNodesMissing": (
        40, {f"up{{{NODE}}}": "1x50", 'up{job="tidings",instance="b"}': "1x20 stale"}, {f"up{{{NODE}}}": "1x50", 'up{job="tidings",instance="b"}': "_x20 1x30"}),
    "TidingsNothingScraped": (7, {'up{job="others"}': "1x9"}, {f"up{{{NODE}}}": "0x9"}),
    "TidingsShardTakesNoPublishes": (
        3, {f"tidings_shard_healthy{{{SHARD}}}": "1x9", f"tidings_shard_leads{{{SHARD}}}": "0x9"},
        {f"tidings_shard_healthy{{{SHARD}}}": "1x9", f"tidings_shard_leads{{{SHARD}}}": "1x9",
         'tidings_shard_healthy{job="tidings",instance="b",shard="3"}': "0x9", 'tidings_shard_leads{job="tidings",instance="b",shard="3"}': "0x9"}),
    "TidingsShardShort": (20, {f"tidings_shard_short{{{SHARD}}}": "1x30"}, {f"tidings_shard_short{{{SHARD}}}": "0x30"}),
    "TidingsMessagesGone": (5, {f"tidings_gaps_total{{{NODE}}}": "0+1x9"}, {f"tidings_gaps_total{{{NODE}}}": "7x9"}),
    "TidingsDeliveriesLate": (
        15, {f'tidings_delivery_latency_seconds_bucket{{{NODE},transport="sse",le="{le}"}}': f"0+{count}x30" for le, count in (("0.5", 90), ("1", 100), ("+Inf", 100))},
        {f'tidings_delivery_latency_seconds_bucket{{{NODE},transport="sse",le="{le}"}}': f"0+{count}x30" for le, count in (("0.1", 100), ("0.5", 100), ("+Inf", 100))}),
    "TidingsEventLoopBusy": (
        10, {f'tidings_reactor_working_seconds_total{{{NODE},reactor="0"}}': "0+58x20"}, {f'tidings_reactor_working_seconds_total{{{NODE},reactor="0"}}': "0+30x20"}),
    "TidingsConnectionsRefused": (
        5, {f"tidings_connections_refused_total{{{NODE}}}": "0+1x9"}, {f"tidings_connections_refused_total{{{NODE}}}": "9x9", f"tidings_accept_pauses_total{{{NODE}}}": "9x9"}),
    "TidingsDiskBehind": (5, {f"tidings_journal_pending_bytes{{{SHARD}}}": "100000001x9"}, {f"tidings_journal_pending_bytes{{{SHARD}}}": "1000x9"}),
    "TidingsReadersBehind": (
        15, {f"tidings_readers_behind{{{NODE}}}": "20x20", f'tidings_connections{{{NODE},transport="sse"}}': "100x20"},
        {f"tidings_readers_behind{{{NODE}}}": "20x20", f'tidings_connections{{{NODE},transport="sse"}}': "300x20"}),
    "TidingsStrangers": (8, {f"tidings_link_refusals_total{{{NODE}}}": "0+5x20"}, {f"tidings_link_refusals_total{{{NODE}}}": "0 1x20"}),
    "TidingsRestarts": (20, {f"tidings_uptime_seconds{{{NODE}}}": "9 1 9 1 9 1 9x20"}, {f"tidings_uptime_seconds{{{NODE}}}": "9 1+60x30"}),
    "TidingsVersionsDiffer": (
        70, {f'tidings_build_info{{{NODE},version="1"}}': "1x90", 'tidings_build_info{job="tidings",instance="b",version="2"}': "1x90"},
        {f'tidings_build_info{{{NODE},version="1"}}': "1x90", 'tidings_build_info{job="tidings",instance="b",version="1"}': "1x90"}),
}

# The same alerts in other circumstances: every broker is gone, and only an edge, which has no shards, is left; nodes taken away an hour ago.
MORE = [
    ("TidingsShardTakesNoPublishes", 20, True, {
        f"up{{{NODE}}}": "1x30", f"tidings_shard_healthy{{{SHARD}}}": "1x9 stale", f"tidings_shard_leads{{{SHARD}}}": "1x9 stale"}),
    ("TidingsShardTakesNoPublishes", 20, True, {
        f"tidings_shard_healthy{{{SHARD}}}": "1x5 0x4 stale", f"tidings_shard_leads{{{SHARD}}}": "1x5 0x4 stale"}),
    ("TidingsNodesMissing", 40, True, {f"up{{{NODE}}}": "1x50", 'up{job="tidings",instance="b"}': "1x20 0x30"}),
    ("TidingsNodesMissing", 90, False, {f"up{{{NODE}}}": "1x99", 'up{job="tidings",instance="b"}': "1x20 stale"}),
]


def promtool(*arguments, standard_input=None):
    done = subprocess.run(["/usr/bin/promtool", *map(str, arguments)], input=standard_input, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


class Files(unittest.TestCase):
    def test_check(self):
        """promtool finds nothing wrong with the rules and the configuration"""
        for arguments in (("check", "rules", RULES), ("check", "config", OBSERVABILITY / "prometheus.yaml")):
            code, said = promtool(*arguments)
            self.assertEqual(code, 0, said)
            self.assertIn("SUCCESS", said)

    def test_alerts(self):
        """Every alert fires on what it is for, and is silent on what is well"""
        names = re.findall(r"- alert: (\w+)", RULES.read_text())
        self.assertEqual(set(names), set(ALERTS))
        text = (ROOT / "docs" / "operations.md").read_text()
        with tempfile.TemporaryDirectory() as folder:
            cases = [(name, minutes, fires, series) for name, (minutes, *both) in ALERTS.items() for series, fires in zip(both, (True, False))]
            for name, minutes, fires, series in cases + MORE:
                with self.subTest(name, minutes=minutes, fires=fires):
                    self.assertIn(f"`{name}`", text)
                    # Labels and sentences are not held to a word: what fires is all that is asked.
                    count = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
                    tests = {
                        "rule_files": [str(RULES)], "evaluation_interval": "30s",
                        "tests": [{
                            "interval": "1m", "input_series": [{"series": each, "values": values} for each, values in series.items()],
                            "promql_expr_test": [{"expr": count, "eval_time": f"{minutes}m", "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}],
                        }],
                    }
                    path = pathlib.Path(folder) / "tests.yaml"
                    path.write_text(json.dumps(tests))
                    code, said = promtool("test", "rules", path)
                    self.assertEqual(code, 0, said)


class Prometheus:
    """A real one, on a port and in a folder of its own."""

    def __init__(self, targets):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidings-prometheus-"))
        self.port = free_port()
        shutil.copy(RULES, self.folder)
        (self.folder / "prometheus.yaml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["alerts.yaml"],
            "scrape_configs": [{"job_name": "tidings", "static_configs": [{"targets": targets}]}],
        }))
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            ["/usr/bin/prometheus", f"--config.file={self.folder}/prometheus.yaml", f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=self.log, stderr=self.log)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, path, **parameters):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(parameters)}", timeout=ANSWER_WITHIN) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            # Beside errors of queries, which are JSON, there is a sentence while it starts.
            if error.code == 503 and "json" not in error.headers.get("Content-Type", ""):
                return {"status": "not up"}
            return json.load(error)
        except OSError:
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            return {"status": "not up"}

    def query(self, expression):
        answer = self.ask("/api/v1/query", query=expression)
        assert answer["status"] == "success", f"{expression}: {answer}"
        return answer["data"]["result"]


class Scraping(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(brokers=3, edges=1)
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.edge = cls.cluster.edges[0]
        cls.prometheus = Prometheus([node.address for node in cls.cluster.nodes])
        cls.addClassCleanup(cls.prometheus.stop)
        cls.readers = [kind(cls.edge, "watched/#") for kind in (SSEReader, WebSocketReader, LongPollReader)]
        for reader in cls.readers:
            cls.addClassCleanup(reader.stop)
            reader.start()
        cls.lines = Wire(cls.edge.port)
        cls.addClassCleanup(cls.lines.close)
        cls.lines.send(request("GET", "/v1/events?topic=watched/%23", {"Accept": "application/x-ndjson"}))
        cls.lines.head()
        cls.stopped = threading.Event()
        cls.traffic = threading.Thread(target=cls.publish, daemon=True)
        cls.traffic.start()
        cls.addClassCleanup(cls.traffic.join)
        cls.addClassCleanup(cls.stopped.set)

    @classmethod
    def publish(cls):
        number = 0
        while not cls.stopped.wait(0.05):
            cls.edge.publish(f"watched/{number % 20}", str(number))
            number += 1

    def expressions(self):
        for panel in json.loads(DASHBOARD.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield panel["title"], target["expr"].replace("$__rate_interval", WINDOW).replace("$job", "tidings")

    def test_metrics(self):
        """promtool finds nothing wrong with the metrics of a broker and of an edge"""
        for node in (self.cluster.brokers[0], self.edge):
            code, said = promtool("check", "metrics", standard_input=node.get("/metrics")[2].decode())
            self.assertEqual((code, said), (0, ""), node.name)

    def test_queries(self):
        """Every query of the dashboard and every rule is valid, and every panel shows data of a cluster that works"""
        total = len(self.cluster.nodes)
        until(lambda: self.prometheus.ask("/api/v1/query", query=f'count(up == 1) == {total}').get("data", {}).get("result"), 20, "the scraping of every node")
        expressions = list(self.expressions())
        self.assertGreater(len(expressions), 40)
        left = dict.fromkeys(expressions)

        def shown():
            for each in list(left):
                found = self.prometheus.query(each[1])
                if found and not all(sample["value"][1] == "NaN" for sample in found):
                    del left[each]
            return not left

        try:
            until(shown, 15, "data for every query")
        except AssertionError:
            self.fail(f"these show nothing: {list(left)}")
        rules = self.prometheus.ask("/api/v1/rules")["data"]["groups"][0]["rules"]
        self.assertEqual({rule["name"] for rule in rules}, set(ALERTS))
        for rule in rules:
            self.assertEqual(rule.get("lastError", ""), "", rule["name"])
            self.prometheus.query(rule["query"])

        def active():
            return [rule["name"] for rule in self.prometheus.ask("/api/v1/rules")["data"]["groups"][0]["rules"] if rule["alerts"]]

        # A shard whose leader just moved has none for a scrape: that is pending, and is over before it could fire.
        try:
            until(lambda: not active(), 15, "every alert's being over")
        except AssertionError:
            self.assertEqual(active(), [], "nothing is wrong with this cluster")
        for panel, expression in expressions:
            if panel == "Nodes up":
                self.assertEqual(self.prometheus.query(expression)[0]["value"][1], str(total))
            elif panel in ("Nodes down", "Shards that take no publishes", "Shards without leader", "Shards short of a replica"):
                self.assertEqual(self.prometheus.query(expression)[0]["value"][1], "0", panel)

    def test_z_loss(self):
        """A broker that dies is seen: as a node that is down, as replicas that are missing, as leaders that others have taken on"""
        self.cluster.brokers[0].kill()
        panels = dict(self.expressions())

        def number(panel):
            found = self.prometheus.query(panels[panel])
            return float(found[0]["value"][1]) if found else None

        until(lambda: number("Nodes down") == 1, 10, "the node's being down")
        until(lambda: (number("Shards short of a replica") or 0) > 0, 15, "replicas' being missing")
        until(lambda: number("Shards without leader") == 0 and number("Shards that take no publishes") == 0, 15, "new leaders")
