"""Headless Chromium, driven over its DevTools protocol."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.request

from .node import until
from .websocket import WebSocket


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tidings-browser-")
        self.process = None
        self.pages = []

    def __enter__(self):
        command = [
            "/usr/bin/chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
            "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--mute-audio", "--hide-scrollbars",
            "--remote-debugging-port=0", f"--user-data-dir={self.folder}", "about:blank",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        told = pathlib.Path(self.folder) / "DevToolsActivePort"
        until(lambda: told.exists() and told.read_text().strip(), 30, "the browser's start")
        self.port = int(told.read_text().split()[0])
        return self

    def __exit__(self, *_):
        for page in self.pages:
            page.socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def open(self, url, before=None, size=None):
        """A new page; `before` is a script that runs in it ahead of any of its own."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            target = json.load(answer)
        page = Page(self.port, target["webSocketDebuggerUrl"].split(str(self.port), 1)[1])
        self.pages.append(page)
        if before:
            page.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        if size:
            page.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=size[0] < 600)
        page.go(url)
        return page


class BrowserTestCase(unittest.TestCase):
    """One browser for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.browser = Browser().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()


class Page:
    def __init__(self, port, path):
        self.socket = WebSocket(port, path, protocol=None, timeout=60)
        self.number = 0
        self.console = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send({"id": self.number, "method": method, "params": parameters})
        while True:
            message = self.socket.message()
            if message.get("id") == self.number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            self.note(message)

    def note(self, message):
        if message.get("method") == "Runtime.exceptionThrown":
            details = message["params"]["exceptionDetails"]
            self.console.append(details.get("exception", {}).get("description", details["text"]))
        elif message.get("method") == "Runtime.consoleAPICalled" and message["params"]["type"] in ("error", "warning"):
            self.console.append(" ".join(str(each.get("value", each.get("description"))) for each in message["params"]["args"]))

    def go(self, url):
        self.call("Page.navigate", url=url)
        until(lambda: self.evaluate("document.readyState") == "complete" and self.evaluate("location.href") != "about:blank", 20, f"{url}'s loading")

    def evaluate(self, script):
        """The value of an expression, awaited if it is a promise."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def run(self, body):
        """Runs statements in an async function; answers what it returns."""
        return self.evaluate(f"(async () => {{ {body} }})()")

    def until(self, script, seconds=15.0):
        deadline = time.monotonic() + seconds
        while True:
            value = self.evaluate(script)
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"{script} did not become true within {seconds} s; the page said {self.console[-5:]}")
            time.sleep(0.03)

    def screenshot(self, path):
        import base64
        pathlib.Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
