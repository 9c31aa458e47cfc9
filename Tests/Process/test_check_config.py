"""`tidings check-config`: it says of a configuration what a node would, all of it, and touches nothing."""

import json
import os
import pathlib
import resource
import socket
import subprocess
import tempfile
import unittest

from harness.node import BINARY, Node, free_port


class CheckConfigTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tidings-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_command(self, *words, environment=None, command="check-config", **more):
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        done = subprocess.run(
            [str(BINARY), command, *map(str, words)], capture_output=True, text=True, timeout=20, cwd=self.folder, env=plain | (environment or {}), **more)
        return done.returncode, done.stdout, done.stderr

    def test_touches_nothing(self):
        """It makes no folder, takes no address and locks nothing, beside a node that has all of them"""
        with Node() as node:
            words = ("--data", node.data, "--http", node.address, "--mqtt", f"127.0.0.1:{free_port()}")
            # A node that is held has its addresses and locks, and writes nothing of its own meanwhile.
            node.pause()
            before = sorted(pathlib.Path(node.data).rglob("*"))
            done = self.run_command(*words)
            after = sorted(pathlib.Path(node.data).rglob("*"))
            node.resume()
            self.assertEqual((done[0], after), (0, before))
            self.assertEqual(node.get("/readyz")[0], 200)
        self.assertEqual(self.run_command("--data", "new/one")[0], 0)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_table(self):
        """The table says what holds and who said so"""
        (self.folder / "node.json5").write_text("{\n  // why\n  heartbeat: '20s',\n  node: 'file' }\n")
        code, out, err = self.run_command("--config", "node.json5", "--shards=4", environment={"TIDINGS_NODE": "variable"})
        self.assertEqual((code, err), (0, "nothing is wrong\n"))
        rows = {line.split()[0]: line.split(None, 1)[1] for line in out.splitlines()}
        self.assertRegex(rows["heartbeat"], r"20s +node.json5, line 3$")
        self.assertRegex(rows["node"], r"variable +TIDINGS_NODE, not node.json5, line 4$")
        self.assertRegex(rows["shards"], r"4 +--shards$")
        self.assertRegex(rows["http"], r"127.0.0.1:8080 +default$")
        served = subprocess.run([str(BINARY), "serve", "--help"], capture_output=True, text=True).stdout
        for name in rows.keys() - {"OPTION"}:
            self.assertIn(f"--{name}", served)

    def test_mistakes(self):
        """Every mistake is told with what to do, and the exit code is 1; tidings serve stops at the first of them"""
        (self.folder / "node.json5").write_text("{\n htpp: 'x',\n retention: '5x' }")
        words = ("--config", "node.json5", "--cluster", "10.0.0.1:7400")
        code, out, err = self.run_command(*words, "--json", environment={"TIDINGS_SHARD": "3"})
        found = json.loads(out)
        self.assertEqual((code, found["ok"], err), (1, False, ""))
        said = [each["problem"] for each in found["mistakes"]]
        self.assertEqual(len(said), 4, said)
        for word in ("line 2: 'htpp'", "TIDINGS_SHARD", "line 3: 'retention'", "--cluster 10.0.0.1:7400"):
            self.assertTrue(any(word in each for each in said), word)
        code, _, err = self.run_command(*words, command="serve", environment={"TIDINGS_SHARD": "3"})
        self.assertEqual(code, 2)
        self.assertIn(said[0], err)
        code, out, err = self.run_command(*words, environment={"TIDINGS_SHARD": "3"})
        self.assertTrue(err.endswith("4 mistakes\n"), err)
        self.assertIn("5x (refused)", out)

    def test_files(self):
        """Files that cannot be read are mistakes; what stands in a secret's is never shown"""
        self.assertIn("cannot be read", self.run_command("--config", "none.json5")[2])
        (self.folder / "broken.json5").write_text("{ a: ")
        self.assertIn("line 1", self.run_command("--config", "broken.json5")[2])
        self.assertIn("cannot be read", self.run_command("--join", "a:1", "--cluster-secret-file", "none")[2])
        secret = self.folder / "secret"
        secret.write_text("too short\n")
        self.assertEqual(self.run_command("--join", "a:1", "--cluster-secret-file", "secret")[0], 1)
        secret.write_text("correct horse battery staple\n")
        secret.chmod(0o644)
        code, out, err = self.run_command("--join", "a:1", "--cluster-secret-file", "secret")
        self.assertEqual(code, 0)
        self.assertIn("warning: --cluster-secret-file secret can be read by others", err)
        self.assertNotIn("horse", out + err)

    def test_machine(self):
        """A limit of open files that is too low is warned of"""
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))

        code, _, err = self.run_command("--max-connections", "5000", preexec_fn=few)
        self.assertEqual(code, 0)
        self.assertIn("the limit of open files, 1024", err)

    def test_agrees_with_serve(self):
        """What it calls a mistake a node does not start with, and for that reason: folders and addresses"""
        (self.folder / "letter.txt").touch()
        port = free_port()
        web, everywhere = ("--http", f"127.0.0.1:{port}"), ("--http", f"0.0.0.0:{port}", "--auth", "none")
        for words, said, served in (
            (("--data", "letter.txt"), "--data letter.txt is not a folder", "cannot use letter.txt"),
            (("--data", "letter.txt/below"), "--data letter.txt/below is not there and nobody can make it", "cannot use letter.txt/below"),
            (("--data", "."), "it holds 'letter.txt'", "it holds 'letter.txt'"),
            (("--data", "/proc/tidings"), "--data /proc/tidings is not there and nobody can make it", "cannot use /proc/tidings"),
            ((*web, "--mqtt", web[1]), "are the same address", "are the same address"),
            ((*web, "--cluster", web[1]), "are the same address", "are the same address"),
            ((*everywhere, "--mqtt", web[1]), "are the same port of one address", "are the same port of one address"),
        ):
            with self.subTest(" ".join(words)):
                code, _, err = self.run_command(*words)
                self.assertEqual(code, 1)
                self.assertIn(said, err)
                self.assertIn("1 mistake", err)
                code, _, err = self.run_command(*words, command="serve")
                self.assertNotEqual(code, 0)
                self.assertIn(served, err)
        self.assertEqual([each.name for each in self.folder.iterdir()], ["letter.txt"])

    def test_advertised(self):
        """Whether a node bound to every address could be dialled by its host's name is looked up as the node would"""
        (self.folder / "secret").write_text("correct horse battery staple\n")
        words = ("--role", "edge", "--join", "127.0.0.1:1", "--cluster", "0.0.0.0:7400", "--cluster-secret-file", "secret")
        try:
            addresses = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        except socket.gaierror:
            addresses = set()
        leads = any(not address.startswith("127.") for address in addresses)
        code, _, err = self.run_command(*words)
        self.assertEqual((code, "stands for none" in err), (0, False) if leads else (1, True), err)
        self.assertNotIn("stands for none", self.run_command(*words, "--advertise", "10.0.0.1:7400")[2])


if __name__ == "__main__":
    unittest.main()
