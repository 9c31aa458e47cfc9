"""`cluster/up`, as people run it: one node, or a cluster."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness.node import ROOT, free_port, until

UP = str(ROOT / "cluster" / "up")


class Up:
    """A running cluster/up, read until it says that Ctrl-C stops what it started."""

    def __init__(self, *options):
        self.process = subprocess.Popen([UP, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.lines = []

    def __enter__(self):
        try:
            while not any("Ctrl-C stops" in line for line in self.lines):
                line = self.process.stdout.readline()
                if not line:
                    raise AssertionError("cluster/up ended: " + "".join(self.lines) + self.process.stderr.read())
                self.lines.append(line)
        except BaseException:
            self.__exit__()
            raise
        return self

    def commands(self):
        """The commands that it offers: follow with curl, follow with tidings, publish."""
        return [line.strip() for line in self.lines if line.strip().startswith(("curl", ".build", "/")) and ("curl" in line or " sub " in line)]

    def interrupt(self, seconds=40):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(seconds)

    def __exit__(self, *_):
        if self.process.poll() is None:
            # It ends what it started; killed, it could not.
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def follow(commands):
    return [subprocess.Popen(command, shell=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True) for command in commands]


def end(processes):
    for each in processes:
        os.killpg(each.pid, signal.SIGKILL)
        each.wait()
        each.stdout.close()


def status(port):
    return json.loads(subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/v1/cluster"], capture_output=True, check=True).stdout)


def publish(port, topic, text):
    command = ["curl", "-s", "--max-time", "10", "-d", text, f"http://127.0.0.1:{port}/v1/topics/{topic}"]
    return subprocess.run(command, capture_output=True, text=True).stdout


def free_ports(count):
    """The first of so many free ones in a row."""
    for _ in range(200):
        first = free_port()
        if first + count > 65536:
            continue
        sockets = []
        try:
            for port in range(first, first + count):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    probe = socket.socket(type=kind)
                    sockets.append(probe)
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for probe in sockets:
                probe.close()
    raise AssertionError(f"no {count} free ports in a row")


def processes_with(text):
    """The identities of processes whose command line has this in it."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and text in (entry / "cmdline").read_text(errors="replace"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


class UpTests(unittest.TestCase):
    def test_single(self):
        """cluster/up --single starts a node, prints commands that work, and stops on Ctrl-C"""
        port = free_port()
        with tempfile.TemporaryDirectory(prefix="tidings-test-") as folder, Up("--single", "--data", f"{folder}/data", "--http", f"127.0.0.1:{port}") as up:
            self.assertEqual(len(up.commands()), 3, up.lines)
            *follows, command = up.commands()
            following = follow(follows)
            try:
                until(lambda: status(port)["nodes"][0]["connections"]["sse"] == 2, 10, "both following")
                self.assertIn('"position"', subprocess.run(command, shell=True, capture_output=True, text=True).stdout)
                self.assertEqual(following[1].stdout.readline(), "two coffees\n")
                until(lambda: following[0].stdout.readline() == "data: two coffees\n", 5, "curl's printing")
                second = subprocess.run([UP, "--single", "--http", f"127.0.0.1:{port}"], capture_output=True, text=True)
                self.assertEqual(second.returncode, 1)
                self.assertIn("is in use", second.stderr)
                self.assertEqual(up.interrupt(), 0)
            finally:
                end(following)
            self.assertEqual(processes_with(folder), [])
            wrong = subprocess.run([UP, "--data", f"{folder}/data", "--http", f"127.0.0.1:{free_ports(12)}"], capture_output=True, text=True)
            self.assertEqual(wrong.returncode, 1)
            self.assertIn("holds the data of one node; run it with --single", wrong.stderr)

    def test_cluster(self):
        """cluster/up starts 3 brokers and 2 edges that are one cluster, outlives a broker, stops on Ctrl-C and starts again"""
        first = free_ports(12)
        options = ["--data", None, "--http", f"127.0.0.1:{first}"]
        with tempfile.TemporaryDirectory(prefix="tidings-test-") as folder:
            options[1] = f"{folder}/data"
            with Up(*options) as up:
                said = "".join(up.lines)
                for name in ("edge-1", "edge-2", "broker-1", "broker-2", "broker-3"):
                    self.assertIn(name, said)
                self.assertIn("5 of 5 nodes are ready, the cluster is healthy", said)
                *follows, command = up.commands()
                self.assertIn(str(first), follows[0])
                self.assertIn(str(first + 1), command, "published at the other edge")
                following = follow(follows)
                try:
                    until(lambda: all("\n" in each.stdout.readline() for each in following[:1]), 5, "curl's following")
                    until(lambda: sum(node.get("connections", {}).get("sse", 0) for node in status(first)["nodes"]) == 2, 10, "both following")
                    self.assertIn('"position"', subprocess.run(command, shell=True, capture_output=True, text=True).stdout)
                    self.assertEqual(following[1].stdout.readline(), "two coffees\n")
                    until(lambda: following[0].stdout.readline() == "data: two coffees\n", 5, "curl's printing")

                    second = subprocess.run([UP, "--http", f"127.0.0.1:{first + 2}"], capture_output=True, text=True)
                    self.assertEqual(second.returncode, 1)
                    self.assertIn(f"127.0.0.1:{first + 2}, 127.0.0.1:{first + 3}", second.stderr)
                    self.assertIn("are in use", second.stderr)

                    victim = next(int(line.split()[-1]) for line in up.lines if line.strip().startswith("broker-2"))
                    os.kill(victim, signal.SIGKILL)
                    until(lambda: up.process.stdout.readline().startswith("broker-2 has ended with code 137"), 10, "the notice")
                    until(lambda: '"position"' in publish(first + 1, "orders/43", "one tea"), 20, "publishing without a broker")
                    self.assertEqual(following[1].stdout.readline(), "one tea\n")
                    self.assertEqual(up.interrupt(), 0)
                finally:
                    end(following)
            self.assertEqual(processes_with(folder), [])

            other = subprocess.run([UP, *options, "--brokers", "5"], capture_output=True, text=True)
            self.assertIn("start it with --brokers 3", other.stderr)
            with Up(*options) as up:
                events = json.loads(subprocess.run(["curl", "-s", f"http://127.0.0.1:{first}/v1/events?topic=orders/%23&since=earliest"], capture_output=True).stdout)["events"]
                self.assertEqual(sorted(event["data"] for event in events), ["one tea", "two coffees"])
                up.process.send_signal(signal.SIGINT)
                time.sleep(0.05)  # two that come at once are one signal
                self.assertEqual(up.interrupt(), 0)
            self.assertEqual(processes_with(folder), [])

    def test_misuse(self):
        """cluster/up refuses what it cannot do, before it builds anything"""
        for words in (["--fly"], ["--brokers", "8"], ["--brokers", "0"], ["--edges", "9"], ["--single", "--edges", "1"], ["--data"], ["--http", "8080"], ["--http", "127.0.0.1:65530"]):
            self.assertEqual(subprocess.run([UP, *words], capture_output=True).returncode, 2, words)


if __name__ == "__main__":
    unittest.main()
