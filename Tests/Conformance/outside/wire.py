"""HTTP/1.1 on a bare socket: sends any bytes at all, and believes no answer that the grammar does not allow."""

import json
import re
import socket
import time

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
HTTP_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT")


class Ended(ConnectionError):
    """The server closed where more was expected."""


class Malformed(AssertionError):
    """The server sent what no server may send."""


class Answer:
    def __init__(self, status, reason, fields):
        self.status = status
        self.reason = reason
        self.fields = fields
        self.body = b""

    def __getitem__(self, name):
        """The value of a field that stands at most once; None when it is not there."""
        found = [value for key, value in self.fields if key.lower() == name.lower()]
        if len(found) > 1:
            raise Malformed(f"{name} stands {len(found)} times: {found}")
        return found[0] if found else None

    def __contains__(self, name):
        return self[name] is not None

    def names(self):
        return sorted(key.lower() for key, _ in self.fields)

    @property
    def closes(self):
        return "close" in (self["Connection"] or "").lower()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:300]!r}"


class Wire:
    def __init__(self, port, timeout=5.0, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.rest = b""
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # -- Sending

    def send(self, data):
        """Sends; a server that has already refused and closed is not an error here, its answer says why."""
        try:
            self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def dribble(self, data, size=1):
        for start in range(0, len(data), size):
            self.send(data[start:start + size])
        return self

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    # -- Receiving

    def more(self):
        if self.ended:
            return False
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            return False
        self.rest += data
        return True

    def until(self, mark):
        while mark not in self.rest:
            if not self.more():
                raise Ended(f"after {self.rest!r}")
        taken, _, self.rest = self.rest.partition(mark)
        return taken

    def take(self, count):
        while len(self.rest) < count:
            if not self.more():
                raise Ended(f"{len(self.rest)} of {count} bytes came")
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def head(self):
        lines = self.until(b"\r\n\r\n").split(b"\r\n")
        match = STATUS_LINE.fullmatch(lines[0])
        if not match:
            raise Malformed(f"status line {lines[0]!r}")
        fields = []
        for line in lines[1:]:
            field = FIELD_LINE.fullmatch(line)
            if not field:
                raise Malformed(f"field line {line!r}")
            fields.append((field[1].decode(), (field[2] or b"").decode()))
        answer = Answer(int(match[1]), match[2].decode(), fields)
        if answer.status >= 200 and not HTTP_DATE.fullmatch(answer["Date"] or ""):
            raise Malformed(f"Date of {answer!r}")
        return answer

    def answer(self, method="GET"):
        """The next whole answer, interim ones included."""
        answer = self.head()
        length = answer["Content-Length"]
        if answer.status < 200 or answer.status == 204:
            if length is not None or "Transfer-Encoding" in answer:
                raise Malformed(f"a length in {answer!r}")
            return answer
        if method == "HEAD" or answer.status == 304:
            return answer
        if answer["Transfer-Encoding"] == "chunked":
            answer.body = self.chunks()
        elif length is not None:
            if not length.isdigit():
                raise Malformed(f"Content-Length {length}")
            answer.body = self.take(int(length))
        else:
            if not answer.closes:
                raise Malformed(f"a body without a length on a connection that stays: {answer!r}")
            answer.body = self.everything()
        return answer

    def chunks(self):
        body = b""
        while size := int(self.until(b"\r\n"), 16):
            body += self.take(size)
            if self.take(2) != b"\r\n":
                raise Malformed("a chunk's end")
        self.until(b"\r\n")
        return body

    def everything(self):
        while self.more():
            pass
        taken, self.rest = self.rest, b""
        return taken

    def is_closed(self, seconds=5.0):
        """Whether the server ends the connection, with nothing sent before that."""
        self.socket.settimeout(seconds)
        try:
            while self.more():
                pass
        except TimeoutError:
            return False
        return not self.rest

    def line(self):
        return self.until(b"\n") + b"\n"


def request(method, path, headers=(), body=None, host="127.0.0.1", version="HTTP/1.1"):
    """A well-formed request as bytes."""
    lines = [f"{method} {path} {version}", f"Host: {host}"]
    pairs = headers.items() if isinstance(headers, dict) else headers
    lines += [f"{name}: {value}" for name, value in pairs]
    if body is not None:
        body = body if isinstance(body, bytes) else body.encode()
        if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
            lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + (body or b"")


def ask(port, method, path, headers=(), body=None, **more):
    """One request on a connection of its own, its answer read strictly."""
    with Wire(port, timeout=more.pop("timeout", 10.0)) as wire:
        wire.send(request(method, path, headers, body, **more))
        answer = wire.answer(method)
        while answer.status < 200:
            answer = wire.answer(method)
        return answer


def stays_silent(wire, seconds):
    """Whether nothing at all comes, and the connection stays, for so long."""
    wire.socket.settimeout(seconds)
    began = time.monotonic()
    try:
        return not wire.more() and time.monotonic() - began >= seconds
    except TimeoutError:
        return not wire.rest
