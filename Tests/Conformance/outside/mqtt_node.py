"""A node that serves MQTT, for a whole class of tests."""

from harness.node import free_port
from .mqtt import Client, DISCONNECT, Line, V5
from .node import NodeTest

MALFORMED, PROTOCOL_ERROR = 0x81, 0x82
LARGEST = (1 << 20) + (64 << 10)
# What CONNACK of 5.0 says of a node as it is without options.
TERMS = {"receive_maximum": 1024, "maximum_packet_size": LARGEST, "topic_alias_maximum": 64}


class MQTTTest(NodeTest):
    limits = ()

    @classmethod
    def setUpClass(cls):
        cls.mqtt = free_port()
        cls.options = ("--mqtt", f"127.0.0.1:{cls.mqtt}", *cls.limits)
        super().setUpClass()

    def client(self, name="", version=V5, **more):
        client = Client(self.mqtt, name, version, **more)
        self.addCleanup(client.close)
        return client

    def line(self, version=V5, **more):
        line = Line(self.mqtt, version, **more)
        self.addCleanup(line.close)
        return line

    def ends(self, line, code=None, version=V5):
        """That the server ends the connection, having said why where the version has words for it, and nothing else."""
        said = line.said()
        if version == V5 and code is not None:
            self.assertEqual([(each.kind, each.code) for each in said], [(DISCONNECT, code)], said)
        else:
            self.assertEqual(said, [])

    def of(self, message, **expected):
        """That a message has these fields and properties."""
        for name, value in expected.items():
            found = getattr(message, name) if name in ("topic", "payload", "qos", "retain", "dup", "mid") else message.properties.get(name)
            self.assertEqual(found, value, f"{name} of {message}")
        return message

    def value_of(self, topic):
        answer = self.ask("GET", f"/v1/topics/{topic}")
        return answer.body if answer.status == 200 else None
