"""The documentation is true: its commands are run, its transcripts are spoken, its lists are compared with the product.

How a document is written so that it can be run stands in docs/contributing.md.
"""

import pathlib
import re
import subprocess
import tempfile
import unittest

from harness.documents import EXAMPLES, Document, blocks
from harness.node import BINARY, ROOT, Node, free_port
from harness.websocket import WebSocket

DOCS = ROOT / "docs"
STATEMENT = r"\[(MQTT-[0-9.]+-[0-9]+(?: of 3\.1\.1)?)\]"


class DocumentationTests(unittest.TestCase):
    def test_commands(self):
        """Every command that the documentation shows does what the documentation shows"""
        documents = [*sorted(DOCS.glob("*.md")), *sorted(EXAMPLES.glob("*/README.md"))]
        self.assertGreater(len(documents), 16)
        ran = 0
        for path in documents:
            with self.subTest(str(path.relative_to(ROOT))):
                document = Document(path)
                document.run()
                ran += len(document.groups)
        self.assertGreater(ran, 60)

    def test_transcripts(self):
        """The documents show WebSocket transcripts, and blocks are of known kinds"""
        kinds = {block.kind for path in DOCS.rglob("*.md") for block in blocks(path)}
        self.assertIn("websocket", kinds)
        self.assertLessEqual(kinds, {"", "console", "websocket", "sh", "python", "js", "cpp", "html", "json", "json5", "nginx", "ini", "yaml", "text", "promql"})

    def help(self, *words):
        return subprocess.run([BINARY, *words, "--help"], capture_output=True, text=True, check=True).stdout

    def options(self, *words):
        return re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", self.help(*words), re.MULTILINE)

    def test_configuration(self):
        """Every option of serve is in configuration.md, with its default"""
        text = (DOCS / "configuration.md").read_text()
        options = self.options("serve")
        self.assertGreater(len(options), 15)
        for option in options:
            self.assertIn(f"`{option}", text)
        rows = dict(re.findall(r"^\| `(--[a-z-]+)[^`]*` \| ([^|]+?) \|", text, re.MULTILINE))
        for paragraph in re.split(r"\n(?=\s+(?:-\w, )?--)", self.help("serve").split("Options:")[1].split("\n\n")[0]):
            flat = " ".join(paragraph.split())
            if default := re.search(r"\(default: (.+?)\)$", flat):
                option = flat.split()[0]
                self.assertIn(default[1], rows.get(option, "").replace("`", ""), option)

    def test_command_line(self):
        """Every command and every option of it is in command-line.md"""
        text = (DOCS / "command-line.md").read_text()
        commands = re.findall(r"^  tidings (\w+)", self.help(), re.MULTILINE)
        self.assertIn("serve", commands)
        for command in commands:
            self.assertIn(f"## tidings {command}", text)
        for words in [["pub"], ["sub"], ["consumers"], ["status"], *(["bench", each] for each in ("fanout", "publish", "idle", "storm"))]:
            for option in self.options(*words):
                self.assertIn(f"`{option}", text, " ".join(words))

    def test_routes(self):
        """Every route is in http.md"""
        text = (DOCS / "http.md").read_text()
        source = (ROOT / "Sources/Edge/HTTPServing/Route.swift").read_text()
        routes = set(re.findall(r'"(/[a-z0-9./-]+)"', source)) - {"/index.html"}
        self.assertGreater(len(routes), 12)
        for route in routes:
            self.assertIn(f"{route.rstrip('/')}", text, route)

    def test_parameters(self):
        """Every parameter of reading and every header of publishing is in http.md"""
        text = (DOCS / "http.md").read_text()
        source = (ROOT / "Sources/Edge/HTTPServing/ReadParameters.swift").read_text()
        names = re.findall(r'^    case "([a-z]+)"', source, re.MULTILINE)
        self.assertGreater(len(names), 8)
        for name in names:
            self.assertIn(f"`{name}", text)
        for header in ("Tidings-Event", "Tidings-TTL", "Tidings-Ack", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "Tidings-Cursor", "Tidings-Position"):
            self.assertIn(f"`{header}", text)

    def test_operations(self):
        """Every operation and every error code of tidings.v1 is in websocket.md"""
        text = (DOCS / "websocket.md").read_text()
        folder = ROOT / "Sources/Edge/WebSocketServing"
        source = "".join(path.read_text() for path in folder.glob("*.swift"))
        said = set(re.findall(r'\\"op\\":\\"([a-z]+)\\"', source)) | set(re.findall(r'^    case "([a-z]+)":', source, re.MULTILINE))
        self.assertGreater(len(said), 10)
        for name in said:
            self.assertIn(f"`{name}`", text)
        for code in set(re.findall(r'code: "([a-z-]+)"', source)) | set(re.findall(r'^    case \.\w+: "([a-z-]+)"', source, re.MULTILINE)):
            self.assertIn(f"`{code}`", text)

    def test_metrics(self):
        """Every metric is in operations.md, and no other"""
        text = (DOCS / "operations.md").read_text()
        # A node of a cluster tells everything that a node alone does, and more.
        with Node("--cluster", f"127.0.0.1:{free_port()}") as node:
            stream = WebSocket(node.port)
            stream.subscribe("metrics")
            node.publish("metrics", "so that there is a latency")
            stream.message("event")
            told = set(re.findall(r"^# TYPE (\S+)", node.get("/metrics")[2].decode(), re.MULTILINE))
            stream.close()
        documented = set(re.findall(r"`(tidings_[a-z_]+)`", text))
        self.assertEqual(documented, told)

    def test_conformance(self):
        """Every statement of the MQTT specification that a test names is in mqtt-conformance.md with that test, and no other"""
        named = {}
        for path in sorted((ROOT / "Tests/MQTT").glob("*.swift")):
            for sentence, function in re.findall(r'@Test\(\s*"((?:[^"\\]|\\.)*)".*?func (\w+)', path.read_text(), re.DOTALL):
                for statement in re.findall(STATEMENT, sentence):
                    named.setdefault(statement, set()).add(f"{path.stem}.{function}")
        for path in sorted((ROOT / "Tests/Conformance").glob("test_mqtt_*.py")):
            text = path.read_text()
            for function, sentence in re.findall(r'def (test_\w+)\(self\):\n\s+"""(.*?)"""', text, re.DOTALL):
                for statement in re.findall(STATEMENT, sentence):
                    named.setdefault(statement, set()).add(f"{path.stem}.{function}")
            for statement in re.findall(r'yield f?".*?", "([0-9.]+-[0-9]+)"', text):
                named.setdefault(f"MQTT-{statement}", set()).add(f"{path.stem}.test_everything")
        self.assertGreater(len(named), 100)
        shown = {}
        for statement, tests in re.findall(r"^\| (MQTT-[^|]+?) \|[^|]+\| ([^|]+) \|$", (DOCS / "mqtt-conformance.md").read_text(), re.MULTILINE):
            shown[statement] = set(re.findall(r"`([^`]+)`", tests))
        self.assertEqual(shown, named)

    def test_links(self):
        """Every link and picture of every document leads somewhere, and where it names a heading, to one that is there"""
        broken, followed = [], 0
        for path in written():
            text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
            for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text):
                if "://" in target:
                    continue
                followed += 1
                name, _, anchor = target.partition("#")
                file = (path.parent / name).resolve() if name else path
                if not file.exists():
                    broken.append(f"{path.relative_to(ROOT)}: {target}")
                elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                    broken.append(f"{path.relative_to(ROOT)}: {target}")
        self.assertEqual(broken, [])
        self.assertGreater(followed, 200)

    def test_pictures(self):
        """Every picture is shown by a document, says what it shows, and is under 150 kB"""
        shown = {}
        for path in written():
            for words, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", path.read_text()):
                shown.setdefault((path.parent / target).resolve(), []).append(words)
        pictures = sorted((DOCS / "images").rglob("*.png"))
        self.assertGreater(len(pictures), 6)
        for picture in pictures:
            self.assertTrue(any(shown.get(picture, [])), picture.name)
            self.assertLess(picture.stat().st_size, 150_000, picture.name)

    def test_configuration_file(self):
        """The configuration file that configuration.md shows is taken as it stands"""
        shown = [block for block in blocks(DOCS / "configuration.md") if block.kind == "json5"]
        self.assertTrue(shown)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "tidings.json5"
            file.write_text("\n".join(shown[0].lines))
            with Node("--config", str(file)) as node:
                self.assertEqual(node.json("/v1/cluster")["cluster"]["state"], "healthy")


def written():
    """Every document of the repository: the guides, and what stands beside the code."""
    return [path for path in sorted(ROOT.rglob("*.md")) if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]


def anchors(file):
    """The anchors that headings get where such documents are shown."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


if __name__ == "__main__":
    unittest.main()
