"""A real node in a process of its own, with a data directory that goes when the test does."""

import http.client
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = ROOT / ".build" / "release" / "tidings"


# Below the ports that the system hands to outgoing connections, so that a node that is down finds its own again; above
# those that documents name; and apart for each lane of tests that runs beside others (runner.py).
LANE_PORTS = 5_000
FIRST_PORT = 20_000 + LANE_PORTS * int(os.environ.get("TIDINGS_TEST_LANE", "0"))
steps = itertools.count(random.randrange(LANE_PORTS))


def free_port():
    """A port that is free for TCP and UDP, and was not handed out before."""
    while True:
        port = FIRST_PORT + next(steps) % LANE_PORTS
        try:
            with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
                stream.bind(("127.0.0.1", port))
                datagrams.bind(("127.0.0.1", port))
            return port
        except OSError:
            continue


def until(condition, seconds=10.0, what="it"):
    """Waits until `condition` answers something true, and hands that back; an assertion fails when it never does."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.01)


class Node:
    host = "127.0.0.1"

    def __init__(self, *options, data=None):
        self.port = free_port()
        self.options = options
        self.kept = data is not None
        self.data = data or tempfile.mkdtemp(prefix="tidings-test-")
        self.process = None
        self.is_paused = False
        self.log_path = pathlib.Path(tempfile.mkstemp(prefix="tidings-log-")[1])

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def url(self):
        return f"http://{self.address}"

    def command(self):
        mqtt = [] if "--mqtt" in self.options else ["--mqtt", "off"]
        return [str(BINARY), "serve", "--data", self.data, "--http", self.address, *mqtt, *self.options]

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=20.0):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the node exited with {self.process.returncode}:\n{self.log()}")
            try:
                return self.get("/readyz", timeout=2)[0] == 200
            except OSError:
                return False
        until(ready, seconds, "the node's being ready")

    def kill(self):
        """What a power cut is to a process."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def pause(self):
        """What a machine that hangs is to the others: when this is back, none of its threads runs."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)
        self.is_paused = True

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.is_paused = False

    def terminate(self, seconds=20.0):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def stop(self):
        """Ends it whatever its state, and removes what it left. For cleaning up."""
        if self.process and self.process.poll() is None:
            self.kill()
        if not self.kept:
            shutil.rmtree(self.data, ignore_errors=True)
        self.log_path.unlink(missing_ok=True)

    def log(self):
        return self.log_path.read_text(errors="replace")[-4000:]

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        if error is not None and self.log_path.exists():
            print(f"-- the node's log, its end:\n{self.log()}")
        self.stop()

    # -- Asking

    def request(self, method, path, body=None, headers=None, timeout=10):
        """One request on a connection of its own: (status, headers, body)."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except http.client.HTTPException as error:
            # A node that dies in the middle of an answer is as gone as one that refuses the connection.
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def get(self, path, headers=None, timeout=10):
        return self.request("GET", path, headers=headers, timeout=timeout)

    def json(self, path, headers=None):
        status, _, body = self.get(path, headers)
        assert status == 200, f"{path}: {status} {body[:500]}"
        return json.loads(body)

    def publish(self, topic, body, headers=None, method="POST"):
        path = "/v1/topics/" + urllib.parse.quote(topic)
        status, _, answer = self.request(method, path, body=body.encode() if isinstance(body, str) else body, headers=headers)
        assert status == 200, f"publish to {topic}: {status} {answer[:500]}"
        return json.loads(answer)
