"""The files that nodes are deployed with say what the node takes, and what those who read them take."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

from harness.node import BINARY, ROOT
from outside import tools

DOCKER = ROOT / "docker"
UNIT = ROOT / "docs" / "systemd" / "tidings.service"
MANIFEST = ROOT / "docs" / "kubernetes" / "tidings.yaml"
GRAFANA = DOCKER / "observability" / "grafana" / "provisioning"
VALIDATOR = "kubernetes-validate==1.37.0"
CLOSING = 20  # seconds that a node may take for closing its log once its clients are gone
ROUTES = (ROOT / "Sources/Edge/HTTPServing/Route.swift").read_text()


def composed(name):
    return yaml.safe_load((DOCKER / name).read_text())


def image_environment():
    line = re.search(r"^ENV (.*)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)[1]
    return dict(pair.split("=", 1) for pair in line.split())


class DeploymentTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tidings-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.secret = self.folder / "secret"
        self.secret.write_bytes(os.urandom(32).hex().encode() + b"\n")

    def takes(self, environment, *words):
        """That a node takes these variables; what check-config says of them."""
        environment = {name: str(value) for name, value in environment.items() if name.startswith("TIDINGS_")}
        # What the name of this machine stands for is not asked here.
        environment = {"TIDINGS_ADVERTISE": "10.0.0.1:7400"} | environment | {"TIDINGS_DATA": str(self.folder / "data")}
        if "TIDINGS_CLUSTER_SECRET_FILE" in environment:
            environment["TIDINGS_CLUSTER_SECRET_FILE"] = str(self.secret)
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        done = subprocess.run([BINARY, "check-config", "--json", *words], env=plain | environment, capture_output=True, text=True, timeout=20)
        found = json.loads(done.stdout)
        self.assertEqual(found["mistakes"], [], environment)
        return {each["option"]: each["value"] for each in found["options"]}

    def test_compose(self):
        """A node takes every variable of the Compose files, and is stopped no sooner than it has drained"""
        services = composed("compose.yaml")["services"]
        for name, service in services.items():
            if name == "balancer":
                continue
            options = self.takes(image_environment() | service["environment"])
            self.assertEqual(options["role"], name.split("-")[0])
            self.assertGreater(int(service["stop_grace_period"][:-1]), int(options["drain-window"][:-1]) + CLOSING)
        single = composed("compose.single.yaml")["services"]["tidings"]
        options = self.takes(image_environment(), *single["command"].split()[1:])
        self.assertGreater(int(single["stop_grace_period"][:-1]), int(options["drain-window"][:-1]) + CLOSING)

    def test_observability(self):
        """The overlay mounts files that are there, and Grafana's provisioning names what the others name"""
        overlay = composed("compose.observability.yaml")
        mounts = [mount for service in overlay["services"].values() for mount in service["volumes"] if mount.startswith("./")]
        self.assertEqual(len(mounts), 3)
        for mount in mounts:
            self.assertTrue((DOCKER / mount.split(":")[0]).exists(), mount)
        source = yaml.safe_load((GRAFANA / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
        self.assertEqual(source["url"], "http://prometheus:9090")
        self.assertIn("prometheus", overlay["services"])
        provider = yaml.safe_load((GRAFANA / "dashboards" / "tidings.yaml").read_text())["providers"][0]
        self.assertIn(f"./observability/dashboard.json:{provider['options']['path']}/tidings.json:ro", mounts)
        variables = {each["name"]: each for each in json.loads((DOCKER / "observability" / "dashboard.json").read_text())["templating"]["list"]}
        self.assertEqual(variables["source"]["query"], source["type"])
        scraped = yaml.safe_load((DOCKER / "observability" / "prometheus.yaml").read_text())["scrape_configs"][0]["dns_sd_configs"][0]
        cluster = composed("compose.yaml")
        aliases = cluster["services"]["broker-1"]["networks"]["default"]["aliases"]
        self.assertEqual(set(scraped["names"]), {"edge", *aliases})
        self.assertIn("edge", cluster["services"])

    def test_systemd(self):
        """systemd finds nothing wrong with the unit, and a node takes its variables"""
        text = UNIT.read_text()
        pairs = dict(line.removeprefix("Environment=").split("=", 1) for line in text.splitlines() if line.startswith("Environment="))
        options = self.takes(pairs)
        stop = int(re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)[1])
        self.assertGreater(stop, int(options["drain-window"][:-1]) + CLOSING)
        unit = self.folder / "tidings.service"
        # What it starts must be there to be verified.
        unit.write_text(text.replace("/usr/local/bin/tidings", str(BINARY)))
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout[-500:])

    def test_kubernetes(self):
        """The manifest is valid by Kubernetes' own schemas, a node takes its variables, and its parts name each other"""
        place = tools.installed("kubernetes-validate", VALIDATOR)
        done = subprocess.run([place / "bin" / "kubernetes-validate", "--strict", MANIFEST], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        parts = list(yaml.safe_load_all(MANIFEST.read_text()))
        self.assertEqual((done.stdout + done.stderr).count("passed for resource"), len(parts))
        services = {part["metadata"]["name"]: part["spec"] for part in parts if part["kind"] == "Service"}
        budgets = [part["spec"]["selector"]["matchLabels"] for part in parts if part["kind"] == "PodDisruptionBudget"]
        for part in parts:
            if part["kind"] not in ("StatefulSet", "Deployment"):
                continue
            pod = part["spec"]["template"]["spec"]
            labels = part["spec"]["template"]["metadata"]["labels"]
            self.assertEqual(part["spec"]["selector"]["matchLabels"], labels)
            self.assertIn(labels, budgets)
            self.assertTrue(any(service["selector"] == labels for service in services.values()))
            container = pod["containers"][0]
            said = {each["name"]: each.get("value", "name") for each in container["env"]}
            options = self.takes({name: value.replace("$(POD_IP)", "10.0.0.1") for name, value in (image_environment() | said).items()})
            self.assertEqual(options["role"], part["metadata"]["name"])
            self.assertIn(options["join"].split(":")[0], services)
            self.assertGreater(pod["terminationGracePeriodSeconds"], int(options["drain-window"][:-1]) + CLOSING)
            ports = {each["name"]: each["containerPort"] for each in container["ports"]}
            self.assertEqual(ports["http"], int(options["http"].split(":")[1]))
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = container[probe]["httpGet"]
                self.assertIn(f'"{asked["path"]}"', ROUTES)
                self.assertIn(asked["port"], ports)
            mounts = {mount["name"] for mount in container["volumeMounts"]}
            offered = {volume["name"] for volume in pod["volumes"]} | {claim["metadata"]["name"] for claim in part["spec"].get("volumeClaimTemplates", [])}
            self.assertEqual(mounts, offered)


class BalancerTests(unittest.TestCase):
    def test_haproxy(self):
        """HAProxy finds nothing wrong with the balancer's configuration"""
        with tempfile.TemporaryDirectory() as folder:
            path = shutil.copy(DOCKER / "balancer" / "haproxy.cfg", folder)
            done = subprocess.run(["/usr/sbin/haproxy", "-c", "-f", path], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("WARNING", done.stderr)


if __name__ == "__main__":
    unittest.main()
