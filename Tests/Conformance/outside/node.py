"""One node for a whole class of tests, and a look at whether it is well."""

import unittest

from harness.node import Node

from .wire import ask


class NodeTest(unittest.TestCase):
    """Starts a node before the first test of the class; after the last one it must be alive and have said nothing bad."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.node = Node("--diagnostics", "--log-format", "json", *cls.options)
        cls.addClassCleanup(cls.node.stop)
        cls.node.start()
        cls.port = cls.node.port

    @classmethod
    def tearDownClass(cls):
        assert cls.node.process.poll() is None, f"the node died:\n{cls.node.log()}"
        assert ask(cls.port, "GET", "/readyz").status == 200

    def ask(self, method, path, headers=(), body=None, **more):
        return ask(self.port, method, path, headers, body, **more)

    def publish(self, topic, body="", headers=(), method="POST"):
        answer = self.ask(method, f"/v1/topics/{topic}", headers, body)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def problem(self, answer, status):
        """That the answer is a problem document of this status, complete and useful."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer["Content-Type"], "application/problem+json")
        document = answer.json()
        self.assertEqual(document["status"], status)
        self.assertTrue({"type", "title", "status", "detail"} <= document.keys(), document)
        self.assertIsInstance(document["type"], str)
        self.assertIsInstance(document["title"], str)
        self.assertGreater(len(document["detail"]), 10, document)
        return document
