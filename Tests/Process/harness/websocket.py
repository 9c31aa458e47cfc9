"""A WebSocket client small enough to send what no real client would: wrong masks, wrong lengths, wrong text."""

import base64
import json
import os
import socket
import struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Closed(ConnectionError):
    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason}")
        self.code = code
        self.reason = reason


class WebSocket:
    def __init__(self, port, path="/v1/ws", protocol="tidings.v1", timeout=20.0, headers=()):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers,
        ]
        if protocol:
            lines.append(f"Sec-WebSocket-Protocol: {protocol}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.rest = b""
        head = self._head()
        self.status = int(head.split()[1])
        if self.status != 101:
            raise ConnectionError(f"refused: {head.splitlines()[0]}")

    def _head(self):
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        return head.decode()

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed(1006, "without a word")
        self.rest += data

    def _take(self, count):
        while len(self.rest) < count:
            self._more()
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    # -- Sending

    def frame(self, opcode, payload=b"", final=True, masked=True, reserved=0, length=None):
        first = (0x80 if final else 0) | reserved << 4 | opcode
        size = len(payload) if length is None else length
        mask_bit = 0x80 if masked else 0
        if size < 126:
            head = struct.pack("!BB", first, mask_bit | size)
        elif size < 65536:
            head = struct.pack("!BBH", first, mask_bit | 126, size)
        else:
            head = struct.pack("!BBQ", first, mask_bit | 127, size)
        if masked:
            mask = os.urandom(4)
            payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
            head += mask
        self.socket.sendall(head + payload)

    def send(self, message):
        self.frame(TEXT, json.dumps(message).encode())

    # -- Receiving

    def receive(self):
        """The next frame that is no ping: (opcode, payload). Raises `Closed` with the code at the end."""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self._take(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._take(8))
            payload = self._take(size)
            opcode = first & 0x0F
            if opcode == PING:
                self.frame(PONG, payload)
            elif opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                raise Closed(code, payload[2:].decode(errors="replace"))
            else:
                return opcode, payload

    def message(self, op=None):
        """The next message, or the next of this operation."""
        while True:
            message = json.loads(self.receive()[1])
            if op is None or message.get("op") == op:
                return message

    def subscribe(self, *topics, **start):
        self.send({"op": "subscribe", "id": "s1", "topics": list(topics), **start})
        return self.message("subscribed")

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
