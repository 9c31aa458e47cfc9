"""Documents whose commands and transcripts are run; docs/contributing.md says how they are written."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import urllib.request

from .node import BINARY, ROOT, Node, free_port, until
from .websocket import WebSocket

ADDRESS = "127.0.0.1:8080"  # as documents write it; the node that is asked listens elsewhere
MQTT_PORT = "1883"  # the same
PAGE_PORT = "8000"  # where pages are served, as documents write it
EXAMPLES = ROOT / "docs" / "examples"
PATIENCE = 20  # seconds for what a command prints


class Block:
    """A fenced block: what kind it is, what else its first line says, and its lines."""

    def __init__(self, path, number, info, lines):
        self.place = f"{path.relative_to(ROOT)}, line {number}"
        self.kind, *self.words = info.split() or [""]
        self.lines = lines

    def steps(self):
        """The commands of a console block, each with the output that is shown for it."""
        steps = []
        for line in self.lines:
            if line.startswith("$ "):
                steps.append(([line[2:]], []))
            elif steps and not steps[-1][1] and is_unfinished("\n".join(steps[-1][0])):
                steps[-1][0].append(line)
            else:
                assert steps, f"{self.place}: a console block begins with '$ '"
                steps[-1][1].append(line)
        return [("\n".join(command), shown) for command, shown in steps]


def is_unfinished(command):
    """Whether the shell would ask for more: the line ends with a backslash, or inside quotes."""
    try:
        shlex.split(command)
    except ValueError:
        return True
    return command.endswith("\\")


def blocks(path):
    found, start, info, lines = [], None, "", []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("```"):
            if start is None:
                start, info, lines = number, line[3:], []
            else:
                found.append(Block(path, start, info, lines))
                start = None
        elif start is not None:
            lines.append(line)
    assert start is None, f"{path.name}, line {start}: the block does not end"
    return found


def pattern(lines):
    """`…` stands for anything on a line; a line of nothing else for any number of lines."""
    parts = []
    for line in lines:
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(r"[^\n]*?".join(re.escape(piece) for piece in line.rstrip().split("…")) + r"[ \t]*\n")
    return re.compile("".join(parts))


class Document:
    """Runs one document's blocks in order: one directory, one set of variables, one node unless it starts its own.

    An example's README is run in a copy of its folder. `with` a document, its commands can be started one by one.
    """

    def __init__(self, path):
        self.path = path
        self.blocks = blocks(path)
        self.is_example = EXAMPLES in path.parents
        self.directory = None
        self.groups = []
        self.follower = []
        self.node = None
        self.ports = {}

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="tidings-docs-"))
        console = [line for block in self.blocks if block.kind == "console" for line in block.lines]
        starts_its_own = any(re.search(r"tidings serve.*&", line) for line in console)
        named = console + [line for block in self.blocks if block.words for line in block.lines]
        needs_one = bool(console) or any(block.kind == "websocket" for block in self.blocks)
        mqtt = []
        if needs_one and not starts_its_own:
            if any(MQTT_PORT in line for line in named):
                self.ports[MQTT_PORT] = str(free_port())
                mqtt = ["--mqtt", f"127.0.0.1:{self.ports[MQTT_PORT]}"]
            self.node = Node("--diagnostics", *mqtt, data=str(self.directory / "tidings-data")).start()
        self.port = self.node.port if self.node else free_port()
        if any(f"http.server {PAGE_PORT}" in line for line in console):
            self.ports[PAGE_PORT] = str(free_port())
        if self.is_example:
            for file in self.path.parent.iterdir():
                copy = self.directory / file.name
                copy.write_text(self.here(file.read_text()))
                copy.chmod(file.stat().st_mode)
        return self

    def __exit__(self, *_):
        for group in self.groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.node:
            self.node.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self):
        with self:
            for block in self.blocks:
                if block.kind == "websocket":
                    self.speak(block)
                elif block.kind == "console":
                    self.type(block)
                elif block.words:
                    (self.directory / block.words[0]).write_text(self.here("\n".join(block.lines) + "\n"))
            for process, output, shown, place in self.follower:
                self.await_output(process, output, shown, place)

    def here(self, text):
        text = text.replace(ADDRESS, f"127.0.0.1:{self.port}")
        for written, port in self.ports.items():
            text = re.sub(rf"\b{written}\b", port, text)
        return text

    # -- Console

    def environment(self):
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        return plain | {
            "PATH": f"{BINARY.parent}:/usr/bin:/bin:{os.environ['PATH']}",
            "TIDINGS_HTTP": f"127.0.0.1:{self.port}", "TIDINGS_URL": f"http://127.0.0.1:{self.port}",
        }

    def start(self, command):
        """Starts a command with bash; answers the process, and the file that it prints into."""
        output = self.directory / f".output-{len(self.groups)}"
        script = f"set -a; [ -f .state ] && . ./.state; {self.here(command)}\ncode=$?; export -p >.state; exit $code"
        with open(output, "wb") as sink:
            process = subprocess.Popen(
                ["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, cwd=self.directory,
                env=self.environment(), start_new_session=True)
        self.groups.append(process.pid)
        return process, output

    def serve(self):
        """Serves the page as the document says; answers its address."""
        self.start(self.shown("http.server"))
        address = f"http://127.0.0.1:{self.ports[PAGE_PORT]}/"

        def is_served():
            try:
                return urllib.request.urlopen(address, timeout=2).close() is None
            except OSError:
                return False
        until(is_served, 20, "the page's being served")
        return address

    def shown(self, part):
        """The one command of the document that contains `part`, as it stands there."""
        commands = [command for block in self.blocks if block.kind == "console" for command, _ in block.steps() if part in command]
        assert len(commands) == 1, f"{self.path} shows {len(commands)} commands with {part!r}"
        return commands[0]

    def type(self, block):
        for command, shown in block.steps():
            place = f"{block.place}: $ {command}"
            process, output = self.start(command)
            if "background" in block.words:
                self.follower.append((process, output, shown, place))
            elif shown and shown[-1] == "^C":
                self.await_output(process, output, shown[:-1], place)
                os.killpg(process.pid, signal.SIGINT)
                process.wait(PATIENCE)
            else:
                expected = 0
                if shown and (code := re.fullmatch(r"\(exit (\d+)\)", shown[-1])):
                    expected, shown = int(code[1]), shown[:-1]
                code = process.wait(PATIENCE)
                assert code == expected, f"{place}\nended with {code}, not {expected}:\n{self.text(output)}"
                if shown:
                    assert pattern(shown).fullmatch(self.text(output)), self.difference(place, shown, output)

    def await_output(self, process, output, shown, place):
        wanted = pattern(shown)
        try:
            until(lambda: wanted.match(self.text(output)), PATIENCE, "the output")
        except AssertionError:
            raise AssertionError(self.difference(place, shown, output)) from None

    def text(self, output):
        text = output.read_text(errors="replace").replace("\r\n", "\n").replace(f"127.0.0.1:{self.port}", ADDRESS)
        for written, port in self.ports.items():
            text = re.sub(rf"\b{port}\b", written, text)
        return text if text.endswith("\n") or not text else text + "\n"

    def difference(self, place, shown, output):
        return f"{place}\n-- the document shows\n" + "\n".join(shown) + f"\n-- the command printed\n{self.text(output)}"

    # -- WebSocket

    def speak(self, block):
        """`>` is said to the node, `<` must be what it says next; as JSON, with `…` for what differs each time."""
        socket = WebSocket(self.port, timeout=PATIENCE)
        try:
            for line in block.lines:
                if line.startswith("> "):
                    socket.frame(1, line[2:].encode())
                elif line.startswith("< "):
                    said = socket.receive()[1].decode()
                    assert pattern([line[2:]]).fullmatch(said + "\n"), f"{block.place}\n-- the document shows\n{line[2:]}\n-- the node said\n{said}"
        finally:
            socket.close()
