"""docs/openapi.yaml describes the node that runs: nothing is answered that it does not say, and nothing is left out of it.

The description's requests, valid and broken, are made up by schemathesis; TIDINGS_OPENAPI_SEED and TIDINGS_OPENAPI_EXAMPLES
change and lengthen that. Three things it is not asked to try, since they have no end: WebSockets, the status as a stream,
and events as SSE or NDJSON (it accepts JSON alone, and its waits are cut to none). Those are looked at here one by one.
"""

import contextlib
import os
import pathlib
import re
import shutil
import tempfile

from harness.node import ROOT, until
from outside import openapi
from outside.node import NodeTest
from outside.wire import Wire, request

SEED = int(os.environ.get("TIDINGS_OPENAPI_SEED", "1"))
EXAMPLES = int(os.environ.get("TIDINGS_OPENAPI_EXAMPLES", "15"))
CLUSTER = "0123456789ab"  # in the document's cursors
SOCKETS = ["/v1/ws", "/mqtt"]
ENDLESS = [*SOCKETS, "/v1/cluster/events"]
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance"]
# Of any request that is not quite HTTP, or not what the path takes; the document says so once, in words.
ANYWHERE = {405, 501, 505}
HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


class Description(NodeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        found = openapi.description()
        cls.document, cls.wrong, cls.examples = found["document"], found["wrong"], found["examples"]
        cls.paths = cls.document["paths"]

    def responses(self, path, method):
        """The documented answers, their references followed."""
        answers = self.paths[path][method]["responses"]
        for status, answer in answers.items():
            if "$ref" in answer:
                answer = self.document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
            yield int(status), answer

    def documented(self, path, method, answer):
        """That the answer's status is documented for the path, with the type that it has."""
        answers = dict(self.responses(path, method))
        self.assertIn(answer.status, answers, f"{method} {path}")
        types = answers[answer.status].get("content", {})
        if types and "*/*" not in types:
            self.assertIn(answer["Content-Type"].split(";")[0], types, f"{method} {path}: {answer.status}")

    def test_schemathesis(self):
        """Whatever the description allows or forbids, the node answers as described, and never with an error of its own"""
        cluster = self.ask("GET", "/v1/cluster").json()["cluster"]["id"]
        for topic in ("orders/42", "b/1", "steps", "room/1"):
            for value in ("1", '{"cups":2}', "\x00\xff"):
                self.publish(topic, value, {"Content-Type": "application/json"}, method="PUT")
        for consumer in ("billing", "0"):
            self.assertEqual(self.ask("GET", f"/v1/events?topic=steps&consumer={consumer}&since=earliest").status, 200)
        # Cursors of a cluster that is not the node's would lead nowhere: every other one is made its own.
        text = openapi.DOCUMENT.read_text()
        self.assertIn(CLUSTER, text)
        text = text.replace(CLUSTER, cluster).replace("v1~[0-9a-f]{12}", f"v1~({cluster}|[0-9a-f]{{12}})")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tidings-openapi-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        (folder / "openapi.yaml").write_text(text)
        print(f"  seed {SEED}, at most {EXAMPLES} examples of each operation; not tried: {', '.join(ENDLESS)}, events as streams", flush=True)
        code, said = openapi.run(
            self.node.url, folder / "openapi.yaml", folder, "--seed", str(SEED), "--max-examples", str(EXAMPLES), "--checks", ",".join(CHECKS),
            "--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--request-timeout", "10", "--header", "Accept: application/json",
            *[part for path in ENDLESS for part in ("--exclude-path", path)])
        self.assertEqual(code, 0, f"seed {SEED}:\n{said[-12000:]}")
        tried = re.search(r"(\d+) generated, \1 passed", said)
        self.assertTrue(tried and int(tried[1]) > 500, said[-3000:])
        operations = re.search(r"Tested: (\d+)", said)
        self.assertEqual(int(operations[1]), sum(len(self.methods(path)) for path in self.paths if path not in ENDLESS), said[-3000:])
        self.assertIsNone(self.node.process.poll(), self.node.log())

    def methods(self, path):
        return {method for method in self.paths[path] if method in ("get", "post", "put", "delete")}

    def test_examples(self):
        """The examples of the description are what its schemas describe"""
        self.assertEqual(self.wrong, [])
        self.assertGreater(self.examples, 30)
        self.assertEqual(self.document["info"]["version"], self.ask("GET", "/v1/cluster").json()["nodes"][0]["version"])

    def test_routes(self):
        """Every route of the node is described, with just the methods that it has"""
        source = (ROOT / "Sources/Edge/HTTPServing/Route.swift").read_text()
        described = {re.sub(r"\{.*", "", path) for path in self.paths}
        for route in set(re.findall(r'"(/[a-z0-9./-]*)"', source)) - {"/index.html"}:
            # What follows a name in the path is written apart.
            self.assertTrue(route in described or route == "/" or any(path.endswith(route) for path in self.paths), route)
        for path in self.paths:
            allowed = set(self.ask("OPTIONS", re.sub(r"\{.*?\}", "a", path))["Allow"].split(", "))
            methods = {method.upper() for method in self.methods(path)} | {"OPTIONS"}
            if "GET" in methods and path not in SOCKETS:
                methods.add("HEAD")
            if path == "/v1/events":
                methods.add("QUERY")
            self.assertEqual(allowed, methods, path)
            answer = self.ask("PATCH", re.sub(r"\{.*?\}", "a", path))
            self.problem(answer, 405)
            self.assertEqual(set(answer["Allow"].split(", ")), methods, path)

    def test_heads(self):
        """HEAD is answered as GET is, and QUERY as POST is"""
        self.publish("orders/42", "on", {"Content-Type": "text/plain"}, method="PUT")
        for path in self.paths:
            if "get" not in self.methods(path) or path in ENDLESS:
                continue
            target = path.replace("{topic}", "orders/42").replace("{name}", "nobody") + "?topic=orders/42"
            get, head = self.ask("GET", target), self.ask("HEAD", target)
            self.documented(path, "get", get)
            self.assertEqual((head.status, head["Content-Type"], head.body), (get.status, get["Content-Type"], b""), path)
        for body in ('{"topic":"orders/42","since":"earliest"}', '{"topic":"orders/42","curser":"1"}', "nonsense"):
            post, query = (self.ask(method, "/v1/events", (), body) for method in ("POST", "QUERY"))
            self.documented("/v1/events", "post", post)
            self.assertEqual((query.status, query.body), (post.status, post.body))

    def test_parameters(self):
        """Every parameter that a reader can say is described, in the query and in the body, and no other"""
        source = (ROOT / "Sources/Edge/HTTPServing/ReadParameters.swift").read_text().split("static func isConsumerName")[0]
        known = {name for case in re.findall(r"^    case (\".*?\"):", source, re.MULTILINE) for name in re.findall(r'"([^"]+)"', case)}
        aliases = {"lastEventID", "last-event-id"}
        query = {each["name"] for each in self.paths["/v1/events"]["get"]["parameters"] if each.get("in") == "query"}
        self.assertEqual(query, known - aliases - {"before"})
        body = set(self.document["components"]["schemas"]["Reading"]["properties"])
        self.assertEqual(body, query - {"access_token", "_"})
        for name in query:
            self.assertNotIn("There is no parameter", self.ask("GET", f"/v1/events?{name}=~").body.decode(), name)

    def test_statuses(self):
        """The description and http.md know the same errors"""
        table = (ROOT / "docs" / "http.md").read_text().split("## Errors")[1].split("\n## ")[0]
        told = {int(status) for row in re.findall(r"^\| ([0-9, ]+) \|", table, re.MULTILINE) for status in row.split(", ")}
        described = {status for path in self.paths for method in self.methods(path) for status, _ in self.responses(path, method) if status >= 400}
        self.assertEqual(described | ANYWHERE, told)
        for path in self.paths:
            for method in self.methods(path):
                for status, answer in self.responses(path, method):
                    if status >= 400:
                        self.assertEqual(list(answer["content"]), ["application/problem+json"], f"{method} {path} {status}")

    def test_endless(self):
        """What has no end begins as described: streams of events, the status, a wait, a WebSocket"""
        for path, headers in (
            ("/v1/events?topic=endless", {"Accept": "text/event-stream"}), ("/v1/events?topic=endless", {"Accept": "application/x-ndjson"}),
            ("/v1/cluster/events", {}), ("/v1/ws", HANDSHAKE), ("/v1/ws", {}), ("/v1/ws", {**HANDSHAKE, "Sec-WebSocket-Key": "short"}),
            ("/v1/events?topic=endless&wait=1", {}), ("/mqtt", {**HANDSHAKE, "Sec-WebSocket-Protocol": "mqtt"}), ("/mqtt", HANDSHAKE), ("/mqtt", {}),
        ):
            with self.subTest(f"{path} {headers}"), Wire(self.port) as wire:
                wire.send(request("GET", path, headers))
                answer = wire.head()
                self.documented(path.split("?")[0], "get", answer)
                expected = 204 if "wait" in path else 200
                if path in SOCKETS:
                    is_wrong = "short" in headers.values() or path == "/mqtt" and "Sec-WebSocket-Protocol" not in headers
                    expected = 426 if not headers else 400 if is_wrong else 101
                self.assertEqual(answer.status, expected)

    def test_long_waits(self):
        """However long a wait is said to be, the node waits, and answers others"""
        with contextlib.ExitStack() as wires:
            asked = 0
            for wait in (61, 1 << 40, (1 << 63) - 1):
                for sent in (request("GET", f"/v1/events?topic=endless&wait={wait}"), request("POST", "/v1/events", {}, f'{{"topic":"endless","wait":{wait}}}')):
                    wires.enter_context(Wire(self.port)).send(sent)
                    asked += 1
            until(lambda: self.waiting() == asked, 10, "the waiting")

    def waiting(self):
        return self.ask("GET", "/v1/cluster").json()["nodes"][0]["connections"]["longpoll"]
