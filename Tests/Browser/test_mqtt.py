"""Devices on MQTT and a page in Chromium, on different edges of a cluster: what one says the other hears."""

import json
import subprocess
import unittest

from harness.browser import BrowserTestCase
from harness.cluster import Cluster
from harness.websocket import WebSocket

# Where the page runs: it does nothing by itself.
BARE = "/healthz"
PATIENCE = 20

FOLLOW = """
  window.plain = []; window.whole = []; window.opened = 0;
  const url = "/v1/events?topic=" + encodeURIComponent(%s);
  for (const [query, got] of [["", plain], ["&format=json", whole]]) {
    const source = new EventSource(url + query);
    source.onopen = () => opened += 1;
    for (const type of ["message", "moved"])
      source.addEventListener(type, (event) => got.push([type, event.data]));
  }
"""


class MQTTTests(BrowserTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.stop)
        cls.ports = cls.cluster.serve_mqtt()
        cls.cluster.start()

    def mosquitto_pub(self, port, topic, payload, *properties):
        command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-V", "5", "-q", "1", "-t", topic, "-m", payload]
        for name, *value in properties:
            command += ["-D", "publish", name, *value]
        subprocess.run(command, check=True, timeout=PATIENCE)

    def started(self, *command):
        process = subprocess.Popen(["stdbuf", "-oL", *command], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def mosquitto_sub(self, port, count, *arguments):
        """A subscriber that is subscribed, and will say what it hears."""
        process = self.started("mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-V", "5", "-q", "1", "-C", str(count), "-d", *arguments)
        while not (line := process.stdout.readline()).startswith("Subscribed"):
            self.assertTrue(line, "mosquitto_sub ended before it was subscribed")
        return process

    def heard(self, process):
        text, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0)
        return [line for line in text.splitlines() if not line.startswith(("Client ", "Subscribed"))]

    def test_from_mqtt(self):
        """mosquitto_pub at one edge is heard at the other by EventSource, curl's long-poll and WebSocket, with its content type and event type"""
        far = self.cluster.edges[1]
        page = self.browser.open(far.url + BARE)
        page.run(FOLLOW % '"device/#"')
        page.until("opened === 2")
        socket = WebSocket(far.port)
        self.addCleanup(socket.close)
        socket.message("welcome")
        socket.subscribe("device/#")
        cursor = far.json("/v1/events?topic=device/%23&since=latest")["cursor"]
        poll = self.started("curl", "-sS", f"{far.url}/v1/events?topic=device/%23&cursor={cursor}&wait=20s")
        typed = [("content-type", "application/json"), ("user-property", "tidings-event", "moved")]
        self.mosquitto_pub(self.ports[0], "device/door", '{"open":true}', *typed)
        page.until("plain.length === 1 && whole.length === 1")
        self.assertEqual(page.evaluate("plain"), [["moved", '{"open":true}']])
        ((kind, data),) = page.evaluate("whole")
        event = json.loads(data)
        (polled,) = json.loads(poll.communicate(timeout=PATIENCE)[0])["events"]
        for each in (event, polled, socket.message("event")):
            self.assertEqual((each["topic"], each["type"], each["datacontenttype"], each["data"]), ("device/door", "moved", "application/json", {"open": True}))
        self.assertEqual(kind, "moved")
        # And what has neither, as a device of 3.1.1 says it.
        command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.ports[0]), "-V", "mqttv311", "-q", "2", "-t", "device/door", "-m", "ajar"]
        subprocess.run(command, check=True, timeout=PATIENCE)
        page.until("plain.length === 2")
        self.assertEqual(page.evaluate("plain[1]"), ["message", "ajar"])
        self.assertEqual(socket.message("event")["data"], "ajar")
        self.assertEqual(page.console, [])

    def test_to_mqtt(self):
        """What a page posts at one edge is heard at the other by mosquitto_sub, with its content type and event type"""
        near = self.cluster.edges[0]
        reader = self.mosquitto_sub(self.ports[1], 3, "-t", "page/#", "-F", "%t|%C|%P|%p")
        page = self.browser.open(near.url + BARE)
        statuses = page.run("""
          const post = async (headers, body, method = "POST") => (await fetch("/v1/topics/page/said", { method, headers, body })).status;
          return [
            await post({ "Content-Type": "application/json", "Tidings-Event": "moved" }, JSON.stringify({ open: false })),
            await post({ "Content-Type": "text/plain" }, "plain \\u2603"),
            await post({ "Content-Type": "application/json" }, "3", "PUT"),
          ];
        """)
        self.assertEqual(statuses, [200] * 3)
        self.assertEqual(
            self.heard(reader), ['page/said|application/json|tidings-event:moved|{"open":false}', "page/said|text/plain||plain \u2603", "page/said|application/json||3"])
        # What is current is there for who subscribes later, at either edge.
        for port in self.ports:
            late = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-V", "5", "-t", "page/+", "-C", "1", "-F", "%r %C %p"]
            self.assertEqual(subprocess.run(late, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout, "1 application/json 3\n")
        self.assertEqual(page.console, [])

    def test_there_and_back(self):
        """A page and a device speak to each other across edges, and positions of either go on with the other"""
        far = self.cluster.edges[1]
        page = self.browser.open(far.url + BARE)
        page.run(FOLLOW % '"talk/#"')
        page.until("opened === 2")
        reader = self.mosquitto_sub(self.ports[0], 2, "-t", "talk/#", "-F", "%p %P", "-D", "subscribe", "user-property", "tidings-position", "1")
        self.mosquitto_pub(self.ports[0], "talk/device", "question")
        page.until('plain.some(([, data]) => data === "question")')
        page.run('await fetch("/v1/topics/talk/page", { method: "POST", headers: { "Content-Type": "text/plain" }, body: "answer" })')
        lines = dict(line.split(" tidings-position:") for line in self.heard(reader))
        self.assertEqual(set(lines), {"question", "answer"})
        page.until("plain.length === 2")
        # The page goes on behind the device's message, as EventSource does with its cursor.
        page.run(f"""
          window.after = [];
          new EventSource("/v1/events?topic=talk/%23&cursor={lines["question"]}").onmessage = (event) => after.push(event.data);
        """)
        page.until("after.length === 1")
        self.mosquitto_pub(self.ports[0], "talk/device", "last")
        page.until("after.length === 2")
        self.assertEqual(page.evaluate("after"), ["answer", "last"])
        self.assertEqual(page.console, [])


if __name__ == "__main__":
    unittest.main()
