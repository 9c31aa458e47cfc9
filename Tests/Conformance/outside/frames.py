"""WebSocket frames as bytes, and a client that judges every frame it is sent."""

import base64
import hashlib
import os
import struct
import zlib

from .wire import Answer, Ended, Malformed, Wire

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MASK = b"\x9f\x03\xd5\x71"


def masked(payload, mask=MASK):
    """The payload under its mask; XOR of one long number, for messages of megabytes."""
    if not payload:
        return b""
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")


def frame(opcode, payload=b"", final=True, reserved=0, mask=MASK, length=None, form=None):
    """One frame. `length` lies about the payload's; `form` (7, 16 or 64) writes it longer than it need be."""
    size = len(payload) if length is None else length
    if form is None:
        form = 7 if size < 126 else 16 if size < 65536 else 64
    bit = 0x80 if mask is not None else 0
    first = (0x80 if final else 0) | reserved << 4 | opcode
    if form == 7:
        head = struct.pack("!BB", first, bit | size)
    elif form == 16:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    return head + payload if mask is None else head + mask + masked(payload, mask)


def fragments(opcode, pieces, reserved=0):
    """One message in several frames."""
    last = len(pieces) - 1
    return b"".join(
        frame(opcode if index == 0 else CONTINUATION, piece, final=index == last, reserved=reserved if index == 0 else 0)
        for index, piece in enumerate(pieces))


def closing(code=None, reason=b""):
    payload = b"" if code is None else struct.pack("!H", code) + reason
    return frame(CLOSE, payload)


def chopped(payload, size):
    return [payload[start:start + size] for start in range(0, len(payload), size)] or [b""]


def deflated(payload, level=6, bits=15, strategy=zlib.Z_DEFAULT_STRATEGY, tail=False):
    """A message as permessage-deflate has it, compressed for itself."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -bits, 9, strategy)
    packed = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)
    return packed if tail else packed[:-4]


def inflated(payload, bits=15):
    opener = zlib.decompressobj(-bits)
    plain = opener.decompress(payload + b"\x00\x00\xff\xff")
    if opener.unconsumed_tail:
        raise Malformed("compressed data without an end")
    return plain


def key():
    return base64.b64encode(os.urandom(16)).decode()


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def handshake(path, nonce, offer=None, protocol=None, headers=(), host="127.0.0.1"):
    lines = [
        f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {nonce}", "Sec-WebSocket-Version: 13", *headers,
    ]
    if offer:
        lines.append(f"Sec-WebSocket-Extensions: {offer}")
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Socket(Wire):
    """An open WebSocket."""

    def __init__(self, port, path="/v1/echo", offer=None, protocol=None, headers=(), timeout=10.0, early=b"", receive_buffer=None):
        super().__init__(port, timeout, receive_buffer)
        nonce = key()
        self.send(handshake(path, nonce, offer, protocol, headers) + early)
        answer = self.switching()
        if answer.status != 101:
            raise ConnectionError(f"not upgraded: {answer!r}")
        if answer["Sec-WebSocket-Accept"] != accept_of(nonce):
            raise Malformed(f"accept {answer!r}")
        if (answer["Upgrade"] or "").lower() != "websocket" or (answer["Connection"] or "").lower() != "upgrade":
            raise Malformed(f"upgrade {answer!r}")
        self.protocol = answer["Sec-WebSocket-Protocol"]
        self.extensions = answer["Sec-WebSocket-Extensions"]
        self.bits = 15
        for parameter in (self.extensions or "").split(";"):
            name, _, value = parameter.strip().partition("=")
            if name == "server_max_window_bits":
                self.bits = int(value)

    def switching(self):
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")
        fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        return Answer(int(lines[0].split()[1]), "", fields)

    def raw_frame(self):
        """The next frame as the server wrote it: (opcode, final, reserved, payload)."""
        first, second = self.take(2)
        if second & 0x80:
            raise Malformed("the server masked a frame")
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.take(2))
            if size < 126:
                raise Malformed("a length longer than need be")
        elif size == 127:
            (size,) = struct.unpack("!Q", self.take(8))
            if size < 65536:
                raise Malformed("a length longer than need be")
        opcode, final, reserved = first & 0x0F, bool(first & 0x80), first >> 4 & 7
        if opcode >= 8 and (size > 125 or not final):
            raise Malformed("a control frame too long, or fragmented")
        return opcode, final, reserved, self.take(size)

    def message(self):
        """The next thing said, as (opcode, payload): whole messages inflated, pongs and pings as they are; a close
        as (CLOSE, code, reason)."""
        opcode, final, reserved, payload = self.raw_frame()
        if opcode == CLOSE:
            if len(payload) == 1:
                raise Malformed("a close of one byte")
            code = struct.unpack("!H", payload[:2])[0] if payload else None
            return CLOSE, code, payload[2:].decode()
        if opcode >= 8:
            if reserved:
                raise Malformed("a reserved bit in a control frame")
            return opcode, payload
        if reserved & 3 or (reserved and not self.extensions):
            raise Malformed(f"reserved bits {reserved}")
        while not final:
            following, final, later, piece = self.raw_frame()
            if following != CONTINUATION or later:
                raise Malformed("a message that goes on wrongly")
            payload += piece
        if reserved & 4:
            payload = inflated(payload, self.bits)
        if opcode == TEXT:
            payload.decode()
        return opcode, payload

    def everything_said(self, seconds=5.0):
        """All that is said until the server ends the connection. Fails when it does not end."""
        self.socket.settimeout(seconds)
        said = []
        while True:
            try:
                said.append(self.message())
            except Ended:
                if self.rest:
                    raise Malformed(f"half a frame at the end: {self.rest[:40]!r}")
                return said
