import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness.node import BINARY, Node, free_port, until


def run(*arguments, input=None, timeout=30, environment=None):
    done = subprocess.run([str(BINARY), *arguments], input=input, capture_output=True, text=True, timeout=timeout, env={**os.environ, **(environment or {})})
    return done.returncode, done.stdout, done.stderr


class UsageTests(unittest.TestCase):
    def test_help(self):
        """Help is there at every level, and the version"""
        for arguments in [["--help"], ["serve", "--help"], ["pub", "--help"], ["sub", "--help"], ["consumers", "--help"], ["status", "--help"], ["bench", "--help"], ["bench", "fanout", "--help"]]:
            code, out, err = run(*arguments)
            self.assertEqual((code, err), (0, ""), arguments)
            self.assertIn("Usage: tidings", out)
        code, out, _ = run("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"\d+\.\d+")

    def test_usage_errors(self):
        """What is used wrongly ends with 2 and is named"""
        for arguments, words in [
            (["fly"], "fly"), (["serve", "--prot", "1"], "--prot"), (["serve", "--http"], "--http"), (["serve", "--http", "nonsense"], "--http"), (["serve", "--http", "127.0.0.1:99999"], "--http"),
            (["serve", "--shards", "0"], "--shards"), (["serve", "--shards", "many"], "--shards"), (["serve", "--retention", "soon"], "--retention"), (["serve", "--durability", "maybe"], "--durability"),
            (["serve", "--auth", "jwt"], "--auth"), (["serve", "--https", "127.0.0.1:1"], "--https"), (["serve", "--role", "edge"], "--join"), (["serve", "extra"], "extra"), (["sub"], "FILTER"), (["sub", "a/#/b"], "last level"),
            (["pub"], "TOPIC"), (["pub", "a/+", "x"], "wildcards"), (["sub", "a", "--since", "yesterday"], "--since"), (["sub", "a", "--cursor", "x"], "cursor"), (["status", "--url", "ftp://a"], "ftp"), (["status", "--ready", "--json"], "--json"),
            (["pub", "a"], "empty"), (["sub", "a", "--consumer", "c", "--last", "2"], "--consumer"), (["sub", "a", "--consumer", "c", "--since", "yesterday"], "--since"),
        ]:
            with self.subTest(" ".join(arguments)):
                code, out, err = run(*arguments)
                self.assertEqual((code, out), (2, ""), err)
                self.assertIn(words, err)

    def test_nobody_there(self):
        """Without a node the commands fail with 1 and say what to do"""
        url = f"http://127.0.0.1:{free_port()}"
        for arguments in [["status", "--url", url], ["consumers", "--url", url]]:
            code, _, err = run(*arguments)
            self.assertEqual(code, 1, arguments)
            self.assertIn("tidings serve", err)


class StartTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tidings-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def refuses(self, words, *arguments, environment=None, code=1):
        answered, _, err = run("serve", *arguments, timeout=20, environment=environment)
        self.assertEqual(answered, code, err)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, err)

    def options(self, *more):
        return ["--data", str(self.folder / "data"), "--http", f"127.0.0.1:{free_port()}", *more]

    def test_port_in_use(self):
        """A port in use is named, with a way out"""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.refuses([str(port), "--http"], "--data", str(self.folder / "data"), "--http", f"127.0.0.1:{port}")

    def test_data_directory_held(self):
        """A second node on the same data directory refuses to start and says who holds it"""
        with Node() as node:
            self.refuses([node.data, str(node.process.pid)], "--data", node.data, "--http", f"127.0.0.1:{free_port()}")
            self.assertEqual(node.get("/readyz")[0], 200)

    def test_foreign_directories(self):
        """A directory that is something else's, or no directory, is left alone"""
        full = self.folder / "full"
        full.mkdir()
        (full / "thesis.txt").write_text("years of work")
        self.refuses(str(full), "--data", str(full), "--http", f"127.0.0.1:{free_port()}")
        self.assertEqual([path.name for path in full.iterdir()], ["thesis.txt"])
        file = self.folder / "file"
        file.write_text("x")
        self.refuses(str(file), "--data", str(file), "--http", f"127.0.0.1:{free_port()}")
        self.refuses("/proc/nowhere", "--data", "/proc/nowhere", "--http", f"127.0.0.1:{free_port()}")

    def test_beyond_loopback(self):
        """A node that would be open to everybody refuses to start until that is written out"""
        port = free_port()
        self.refuses("--auth none", "--data", str(self.folder / "data"), "--http", f"0.0.0.0:{port}", code=2)
        node = Node("--auth", "none", "--http", f"0.0.0.0:{port}")
        node.port = port
        node.command = lambda: [str(BINARY), "serve", "--data", node.data, "--http", f"0.0.0.0:{port}", "--auth", "none"]
        with node:
            self.assertEqual(node.get("/readyz")[0], 200)

    def test_configuration(self):
        """A flag beats the environment, the environment beats the file; a mistake in the file is named with its line"""
        file = self.folder / "tidings.json5"
        file.write_text("{\n  // of the file\n  node: 'from-file',\n  shards: 3,\n}\n")
        with Node("--config", str(file)) as node:
            status = node.json("/v1/cluster")
            self.assertEqual((status["nodes"][0]["name"], status["cluster"]["shards"]), ("from-file", 3))
        os.environ["TIDINGS_NODE"] = "from-environment"
        try:
            with Node("--config", str(file)) as node:
                self.assertEqual(node.json("/v1/cluster")["nodes"][0]["name"], "from-environment")
            with Node("--config", str(file), "--node", "from-flag") as node:
                self.assertEqual(node.json("/v1/cluster")["nodes"][0]["name"], "from-flag")
        finally:
            del os.environ["TIDINGS_NODE"]
        for text, words in [("{\n  shrads: 3,\n}", ["shrads", "2"]), ("{\n\n  shards: 'many',\n}", ["shards", "3"]), ("{\n  shards: ,\n}", ["2"]), ("[]", ["tidings.json5"])]:
            file.write_text(text)
            self.refuses(words, *self.options("--config", str(file)), code=2)
        self.refuses("nowhere.json5", *self.options("--config", str(self.folder / "nowhere.json5")), code=2)
        self.refuses("TIDINGS_SHARDS", *self.options(), environment={"TIDINGS_SHARDS": "many"}, code=2)

    def test_stopping(self):
        """TERM drains and ends with 0; its followers are let go; INT ends it at once"""
        for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 0)):
            with self.subTest(number), Node("--drain-window", "1s") as node:
                node.publish("a", "x")
                from harness.sse import SSEStream
                stream = SSEStream(node.port, "topic=a").begun()
                node.process.send_signal(number)
                with self.assertRaises(ConnectionError):
                    while True:
                        stream.event()
                self.assertEqual(node.process.wait(15), code)
                node.start()
                self.assertEqual(len(node.json("/v1/events?topic=a&since=earliest")["events"]), 1)


    def test_ready(self):
        """`status --ready` ends with 1 and the reason while the node waits for its cluster, and with 0 when it takes clients"""
        waiting = Node("--cluster", f"127.0.0.1:{free_port()}", "--bootstrap-expect", "2")
        self.addCleanup(waiting.stop)
        waiting.start(wait=False)
        code, out, _ = until(lambda: (answer := run("status", "--ready", "--url", waiting.url)) and "1 of 2 brokers" in answer[2] and answer, 20, "its waiting")
        self.assertEqual((code, out), (1, ""))
        with Node() as node:
            self.assertEqual(run("status", "--ready", "--url", node.url), (0, "ready\n", ""))


class CommandTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node().start()
        cls.addClassCleanup(cls.node.stop)

    def run_here(self, *arguments, **more):
        return run(*arguments, "--url", self.node.url, **more)

    def test_publish_and_follow(self):
        """`pub` publishes messages and lines, `sub` prints them"""
        self.assertEqual(self.run_here("pub", "line/one", "hello")[0], 0)
        self.assertEqual(self.run_here("pub", "line/one", input="all\nof it")[0], 0)
        self.assertEqual(self.run_here("pub", "line/many", "-", input="".join(f"{number}\n" for number in range(1000)))[0], 0)
        code, out, err = self.run_here("sub", "line/one", "--since", "earliest", "-n", "2")
        self.assertEqual((code, out), (0, "hello\nall\nof it\n"), err)
        code, out, _ = self.run_here("sub", "line/many", "--since", "earliest", "-n", "1000", "--json")
        self.assertEqual([json.loads(line)["data"] for line in out.splitlines()], [str(number) for number in range(1000)])
        code, out, _ = self.run_here("sub", "line/many", "--last", "3", "-n", "3")
        self.assertEqual(out, "997\n998\n999\n")

    def test_options_of_publish(self):
        """`pub` sets type, event, retention and key"""
        answer = json.loads(self.run_here("pub", "opt/a", '{"x":1}', "--type", "application/json", "--event", "made", "--retain", "--key", "k", "--json")[1])
        self.assertFalse(answer["duplicate"])
        self.assertTrue(json.loads(self.run_here("pub", "opt/a", '{"x":1}', "--key", "k", "--json")[1])["duplicate"])
        event = self.node.json("/v1/events?topic=opt/a&since=earliest")["events"][0]
        self.assertEqual((event["type"], event["data"]), ("made", {"x": 1}))
        self.assertEqual(self.node.get("/v1/topics/opt/a")[2], b'{"x":1}')
        for words, more in ((["{bad"], {}), ([], {"input": "[1,\n2"}), ([""], {})):
            code, _, err = self.run_here("pub", "opt/a", *words, "--type", "application/json", **more)
            self.assertEqual(code, 2)
            self.assertIn("--type application/json: the message is not JSON", err)
        self.assertEqual(self.node.get("/v1/topics/opt/a")[2], b'{"x":1}')
        self.assertEqual(len(self.node.json("/v1/events?topic=opt/a&since=earliest")["events"]), 1)
        code, _, err = self.run_here("pub", "opt/a", "x", "--if-match", "99")
        self.assertEqual(code, 1)
        self.assertIn("newest offset", err)

    def test_cursor_file(self):
        """`sub --cursor-file` goes on where it stopped"""
        with tempfile.TemporaryDirectory() as folder:
            place = str(pathlib.Path(folder) / "place")
            self.run_here("pub", "place/a", "-", input="1\n2\n3\n")
            self.assertEqual(self.run_here("sub", "place/#", "--since", "earliest", "--cursor-file", place, "-n", "2")[1], "1\n2\n")
            self.run_here("pub", "place/a", "4")
            self.assertEqual(self.run_here("sub", "place/#", "--cursor-file", place, "-n", "2")[1], "3\n4\n")
            pathlib.Path(place).write_text("nonsense")
            code, _, err = self.run_here("sub", "place/#", "--cursor-file", place, "-n", "1")
            self.assertEqual(code, 1)
            self.assertIn(place, err)

    def test_status_and_consumers(self):
        """`status` and `consumers` print tables, and JSON when asked"""
        self.node.publish("consumed/a", "1")
        self.node.get("/v1/events?topic=consumed/%23&consumer=billing&since=earliest")
        self.assertIn("healthy", self.run_here("status")[1])
        self.assertEqual(json.loads(self.run_here("status", "--json")[1])["cluster"]["state"], "healthy")
        self.assertIn("billing", self.run_here("consumers")[1])
        # A new consumer begins where it is told to, an old one where it was.
        self.assertEqual(self.run_here("pub", "consumed/new", "first")[0], 0)
        self.assertEqual(self.run_here("sub", "consumed/new", "--consumer", "fresh", "--since", "earliest", "-n", "1")[1], "first\n")
        self.assertEqual(self.run_here("consumers", "delete", "fresh")[0], 0)
        self.assertEqual(self.run_here("consumers", "reset", "billing", "--since", "earliest")[0], 0)
        self.assertEqual(self.run_here("consumers", "delete", "billing")[0], 0)
        self.assertNotIn("billing", self.run_here("consumers")[1])
        code, _, err = self.run_here("consumers", "show", "billing")
        self.assertEqual(code, 1)
        self.assertIn("no consumer", err)

    def test_lines_through_kill(self):
        """`pub -` loses and doubles no line when the node is killed meanwhile"""
        with Node() as node:
            publisher = subprocess.Popen([str(BINARY), "pub", "lines", "-", "--url", node.url], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for number in range(2000):
                publisher.stdin.write(f"{number}\n".encode())
                publisher.stdin.flush()
                if number in (500, 1200):
                    node.kill()
                    node.start()
                elif number % 50 == 0:
                    time.sleep(0.005)
            publisher.stdin.close()
            self.assertEqual(publisher.wait(60), 0)
            events = []
            cursor = "since=earliest"
            while len(events) < 2000:
                answer = node.json(f"/v1/events?topic=lines&{cursor}")
                if not answer["events"]:
                    break
                events += [event["data"] for event in answer["events"]]
                cursor = f"cursor={answer['cursor']}"
            self.assertEqual(events, [str(number) for number in range(2000)])


class StartTests(unittest.TestCase):
    def test_mqtt_port(self):
        """A node whose ports the system chooses says where it serves MQTT"""
        with Node("--mqtt", "127.0.0.1:0", "--log-format", "text") as node:
            found = until(lambda: re.search(r"started: .* mqtt=127\.0\.0\.1:(\d+)", node.log()), 10, "its saying so")
            with socket.create_connection(("127.0.0.1", int(found[1])), timeout=5) as client:
                client.sendall(bytes.fromhex("101000044d5154540502003c000003616263"))
                self.assertEqual(client.recv(1)[0] >> 4, 2)

    def test_damaged_alone(self):
        """A node alone with a damaged shard is not ready, and says which: there is nobody to mend it"""
        with Node() as node:
            for number in range(20):
                node.publish("damaged", "x" * 200)
            self.assertEqual(node.terminate(), 0)
            snapshot = next(pathlib.Path(node.data).glob("shards/*/*.snapshot"))
            shard = snapshot.parent
            snapshot.unlink()
            log = next(shard.glob("*.log"))
            content = bytearray(log.read_bytes())
            content[1000] ^= 4
            log.write_bytes(content)
            node.start(wait=False)
            status, _, body = until(lambda: reachable(node), 20, "its answering")
            self.assertEqual((status, f"shard {shard.name}: " in body.decode()), (503, True), body)


def reachable(node):
    try:
        return node.get("/readyz")
    except OSError:
        return None


if __name__ == "__main__":
    unittest.main()
