"""MQTT with paho, and with bytes where no client library shows them."""

import queue
import sys
import unittest

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from .cluster import Cluster
from .node import ROOT, Node, free_port

sys.path.append(str(ROOT / "Tests" / "Conformance"))
from outside import mqtt as wire  # noqa: E402, F401

V31, V311, V5 = paho.MQTTv31, paho.MQTTv311, paho.MQTTv5
PATIENCE = 10


class Client:
    """A paho client on a thread of its own; what it hears comes through queues."""

    def __init__(self, port, name="", version=V5, transport="tcp", will=None, **more):
        start = {} if version == V5 else {"clean_session": True}
        self.paho = paho.Client(name or f"client-{id(self)}", protocol=version, transport=transport, **start)
        self.messages, self.acks, self.ends = queue.Queue(), queue.Queue(), queue.Queue()
        self.paho.on_message = lambda client, data, message: self.messages.put(message)
        self.paho.on_connect = lambda client, data, flags, code, *rest: self.acks.put(("connect", code, rest))
        self.paho.on_disconnect = lambda client, data, code, *rest: self.ends.put(code)
        self.paho.on_subscribe = lambda client, data, mid, codes, *rest: self.acks.put(("subscribe", [getattr(code, "value", code) for code in codes], rest))
        if transport == "websockets":
            self.paho.ws_set_options("/mqtt")
        if will:
            self.paho.will_set(*will)
        self.paho.connect("127.0.0.1", port, keepalive=30, **more)
        self.paho.loop_start()
        kind, code, _ = self.acks.get(timeout=PATIENCE)
        assert kind == "connect" and code == 0, (kind, code)

    def subscribe(self, filter, qos=1, cursor=None, positions=False):
        properties = None
        wishes = ([("tidings-cursor", cursor)] if cursor else []) + ([("tidings-position", "1")] if positions else [])
        if wishes:
            properties = Properties(PacketTypes.SUBSCRIBE)
            properties.UserProperty = wishes
        if properties:
            self.paho.subscribe(filter, options=paho.SubscribeOptions(qos=qos), properties=properties)
        else:
            self.paho.subscribe(filter, qos)
        kind, codes, _ = self.acks.get(timeout=PATIENCE)
        assert kind == "subscribe" and codes[0] == qos, (kind, codes)
        return self

    def publish(self, topic, payload, qos=1, retain=False, **values):
        properties = None
        if values:
            properties = Properties(PacketTypes.PUBLISH)
            for name, value in values.items():
                setattr(properties, name, value)
        sent = self.paho.publish(topic, payload, qos, retain, properties)
        sent.wait_for_publish(PATIENCE)
        assert sent.is_published(), topic

    def message(self):
        return self.messages.get(timeout=PATIENCE)

    def close(self):
        self.paho.disconnect()
        self.paho.loop_stop()


class NodeTestCase(unittest.TestCase):
    """One node for the tests of a class, with a port for MQTT."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.mqtt = free_port()
        cls.node = Node("--mqtt", f"127.0.0.1:{cls.mqtt}", *cls.options)
        cls.addClassCleanup(cls.node.stop)
        cls.node.start()


class ClusterTestCase(unittest.TestCase):
    """One cluster for the tests of a class; `ports` are those of its edges for MQTT."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.stop)
        cls.ports = cls.cluster.serve_mqtt()
        cls.cluster.start()
