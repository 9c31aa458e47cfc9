"""Starting the node wrongly: each mistake has one clear answer, an exit code, and the name of what was wrong."""

import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

from harness.node import BINARY, Node, free_port


class Start(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tidings-start-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def refused(self, *arguments, code, says, environment=None):
        """That `tidings serve` with these arguments ends soon, with this code, and names what was wrong."""
        ended = subprocess.run([str(BINARY), "serve", *map(str, arguments)], capture_output=True, text=True, timeout=10, cwd=self.folder, env={**os.environ, **(environment or {})})
        with self.subTest(arguments, environment=environment):
            self.assertEqual(ended.returncode, code, ended.stderr)
            for word in says:
                self.assertIn(word, ended.stderr)
            self.assertNotIn("Fatal error", ended.stderr)
            self.assertEqual(ended.stdout, "")

    def test_options(self):
        """Unknown options and bad values name the option"""
        for arguments, word in (
            (["--nonsense"], "--nonsense"), (["--http"], "--http"), (["--http", "nonsense"], "--http"), (["--http", "127.0.0.1:99999"], "--http"), (["--http", "127.0.0.1:-1"], "--http"), (["--http", ":x"], "--http"), (["--shards", "0"], "--shards"), (["--shards", "many"], "--shards"), (["--retention", "soon"], "--retention"), (["--retention", ""], "--retention"),
            (["--heartbeat", "0s"], "--heartbeat"), (["--max-message", "1"], "--max-message"), (["--max-connections", "-5"], "--max-connections"), (["--durability", "maybe"], "--durability"), (["--role", "king"], "--role"), (["--auth", "secret"], "--auth"), (["--origins", "app.example.com"], "--origins"), (["--origins", "https://a/"], "--origins"), (["--log-format", "xml"], "--log-format"),
            (["--log-level", "loud"], "--log-level"), (["stray"], "stray"), (["--join", "a"], "--join"), (["--role", "edge"], "--join"), (["--mqtts", "127.0.0.1:1"], "--mqtts"), (["--https", "127.0.0.1:1"], "--https"), (["--reactors", "9999"], "--reactors"),
        ):
            self.refused(*arguments, code=2, says=[word])
        self.refused(code=2, says=["TIDINGS_SHARDS"], environment={"TIDINGS_SHARDS": "x"})

    def test_configuration_file(self):
        """Mistakes in the file name the file, the key and the line"""
        path = self.folder / "tidings.json5"
        for text, words in (("{\n  http: '127.0.0.1:1',\n  nonsense: 1,\n}", ["nonsense", "3"]), ("{\n shards: 'x'\n}", ["shards", "2"]), ("{\n\n shards: }", ["3"]), ("[]", ["tidings.json5"]), ("", ["tidings.json5"])):
            path.write_text(text)
            self.refused("--config", path, code=2, says=words)
        self.refused("--config", self.folder / "absent.json5", code=2, says=["absent.json5"])

    def test_beyond_loopback(self):
        """A node bound beyond loopback wants --auth none in words"""
        for address in ("0.0.0.0", "[::]"):
            self.refused("--http", f"{address}:{free_port()}", "--data", self.folder / "d", code=2, says=["--auth none"])

    def test_port_in_use(self):
        """A port in use is named"""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            self.refused("--http", f"127.0.0.1:{port}", "--data", self.folder / "d", code=1, says=[str(port)])

    def test_data_folders(self):
        """A data folder that is a file, is not ours, or is held by another node is refused and says so"""
        file = self.folder / "file"
        file.write_text("x")
        self.refused("--http", f"127.0.0.1:{free_port()}", "--data", file, code=1, says=[str(file)])
        foreign = self.folder / "foreign"
        foreign.mkdir()
        (foreign / "precious.txt").write_text("do not touch")
        self.refused("--http", f"127.0.0.1:{free_port()}", "--data", foreign, code=1, says=[str(foreign)])
        self.assertEqual([each.name for each in foreign.iterdir()], ["precious.txt"])
        with Node() as node:
            self.refused("--http", f"127.0.0.1:{free_port()}", "--data", node.data, code=1, says=[node.data, str(node.process.pid)])
            self.assertEqual(node.get("/readyz")[0], 200)
