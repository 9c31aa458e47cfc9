"""`tidings bench` over MQTT: what it counts, and that it measures any server of MQTT."""

import json
import subprocess
import unittest

from harness.node import BINARY, Node, free_port


class Bench(unittest.TestCase):
    def bench(self, *words, code=0):
        command = [str(BINARY), "bench", *words, "--transport", "mqtt", "--duration", "500ms", "--json"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, code, result.stderr)
        return json.loads(result.stdout)

    def check(self, report):
        self.assertEqual([report[name] for name in ("lost", "duplicated", "outOfOrder", "foreign", "badAnswers", "disconnects")], [0] * 6)
        self.assertEqual(report["acknowledged"], report["published"])
        self.assertGreater(report["published"], 0)

    def test_fan_out(self):
        """Fan-out with both QoS: everybody is brought everything once, and the server's cost is known"""
        for qos in (0, 1):
            with self.subTest(qos=qos):
                report = self.bench("fanout", "--subs", "20", "--qos", str(qos), "--warmup", "100ms")
                self.check(report)
                self.assertEqual((report["transport"], report["qos"], report["connected"]), ("mqtt", qos, 20))
                self.assertEqual(report["delivered"], 20 * report["published"])
                self.assertGreater(report["serverMicrosecondsPerDelivery"], 0)
                self.assertGreaterEqual(report["deliveryMicroseconds"]["count"], report["delivered"])

    def test_another_server(self):
        """Publishing to a server that is known by nothing but its port, a hundred in flight"""
        port = free_port()
        with Node("--mqtt", f"127.0.0.1:{port}") as node:
            where = ["--url", f"mqtt://127.0.0.1:{port}", "--server-pid", str(node.process.pid)]
            report = self.bench("publish", "--pubs", "2", "--window", "100", "--warmup", "100ms", *where)
            self.check(report)
            self.assertGreater(report["serverMicrosecondsPerPublish"], 0)
            self.assertGreaterEqual(report["acknowledgementMicroseconds"]["count"], report["acknowledged"])
            idle = self.bench("idle", "--subs", "10", *where)
            self.assertEqual(idle["connected"], 10)

    def test_refused(self):
        """What does not go together is said before anything is measured"""
        for words, hint in [
            (["storm", "--transport", "mqtt"], "--transport"),
            (["fanout", "--qos", "1"], "--qos"),
            (["fanout", "--transport", "mqtt", "--url", "http://127.0.0.1:1"], "mqtt://127.0.0.1:1"),
            (["publish", "--url", "mqtt://127.0.0.1:1"], "http://127.0.0.1:1"),
        ]:
            with self.subTest(words=words):
                result = subprocess.run([str(BINARY), "bench", *words], capture_output=True, text=True, timeout=20)
                self.assertEqual(result.returncode, 2)
                self.assertIn(hint, result.stderr)


if __name__ == "__main__":
    unittest.main()
