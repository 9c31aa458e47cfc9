"""A publisher over MQTT that sends each message again, under its key, until it is acknowledged: QoS 1 and one at a time."""

import sys

from .node import ROOT
from .websocket import BINARY, WebSocket
from .witness import ANSWER_WITHIN, Publisher

sys.path.append(str(ROOT / "Tests" / "Conformance"))
from outside import mqtt as wire  # noqa: E402


class Frames:
    """A WebSocket that looks like the socket whose bytes it carries."""

    def __init__(self, port, timeout):
        self.stream = WebSocket(port, "/mqtt", "mqtt", timeout)

    def sendall(self, data):
        self.stream.frame(BINARY, data)

    def recv(self, _):
        return self.stream.receive()[1]

    def close(self):
        self.stream.close()


class SocketClient(wire.Client):
    """A connection that was accepted, over WebSocket."""

    def __init__(self, port, client="", timeout=5.0):
        self.socket = Frames(port, timeout)
        self.version, self.rest, self.ended, self.mid, self.early = wire.V5, b"", False, 0, []
        self.send(wire.connect(client, wire.V5))
        self.welcome = self.packet()
        if self.welcome.kind != wire.CONNACK or self.welcome.code != 0:
            raise ConnectionError(f"not accepted: {self.welcome}")


class MQTTPublisher(Publisher):
    """Ports of `edges` are those of MQTT, or with `sockets` of HTTP."""

    def __init__(self, edges, topic, rate, seed, sockets=False):
        super().__init__(edges, topic, rate, seed)
        self.kind = SocketClient if sockets else wire.Client
        self.connections = 0

    def attempt(self, body, key):
        try:
            if self.connection is None:
                # One name for all its connections: who comes back takes over from itself.
                self.connection = self.kind(self.edge.port, f"publisher-{self.topic}", timeout=ANSWER_WITHIN)
                self.connections += 1
            if self.connection.mid == 0xFFFF:
                self.connection.mid = 0
            code = self.connection.publish(self.topic, body, 1, user_property=("tidings-key", key))
        except (OSError, wire.Malformed) as error:
            # A DISCONNECT where an acknowledgement was waited for is an edge that takes its leave.
            self.errors[f"MQTT {type(error).__name__}"] += 1
            self.leave(self.edge)
            return False
        if code < 0x80:
            return True
        self.errors[f"MQTT 0x{code:02X}"] += 1
        return False
