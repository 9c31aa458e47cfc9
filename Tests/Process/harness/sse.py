"""Server-Sent Events as a browser reads them, and HTTP streams as they come."""

import socket
import urllib.parse


class HTTPStream:
    """A GET whose body is read as it arrives."""

    def __init__(self, port, path, headers=None, timeout=30.0, receive_buffer=None, host="127.0.0.1"):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}"] + [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.line().split()[1])
        self.headers = {}
        while True:
            line = self.line().rstrip(b"\r\n")
            if not line:
                break
            name, value = line.split(b":", 1)
            self.headers[name.decode().lower()] = value.strip().decode()
        if self.headers.get("transfer-encoding") == "chunked":
            self.file = Chunked(self.file)

    def line(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the stream ended")
        return line

    def close(self):
        # A shutdown wakes a thread that is reading; a mere close would not.
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class Chunked:
    """Takes a chunked body out of its chunks."""

    def __init__(self, file):
        self.file = file
        self.rest = b""

    def readline(self):
        while b"\n" not in self.rest:
            size = self.file.readline()
            if not size or int(size.split(b";")[0], 16) == 0:
                return b""
            self.rest += self.file.read(int(size.split(b";")[0], 16))
            self.file.readline()
        line, _, self.rest = self.rest.partition(b"\n")
        return line + b"\n"


class SSEStream(HTTPStream):
    """Yields events as (id, type, data); an id without data comes as (id, None, None)."""

    def __init__(self, port, query, headers=None, **options):
        path = "/v1/events?" + (query if isinstance(query, str) else urllib.parse.urlencode(query, doseq=True))
        super().__init__(port, path, {"Accept": "text/event-stream", **(headers or {})}, **options)
        self.id = None
        self.comments = 0
        self.retry = None

    def event(self):
        kind, data, has_id = None, [], False
        while True:
            line = self.line().decode().rstrip("\r\n")
            if line == "":
                if data:
                    return self.id, kind, "\n".join(data)
                if has_id:
                    return self.id, None, None
                kind = None
                continue
            if line.startswith(":"):
                self.comments += 1
                continue
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if field == "id":
                self.id, has_id = value, True
            elif field == "event":
                kind = value
            elif field == "data":
                data.append(value)
            elif field == "retry":
                self.retry = int(value)

    def message(self):
        """The next event that has data."""
        while True:
            event = self.event()
            if event[2] is not None:
                return event

    def begun(self):
        """Reads up to the first id: from here on nothing that is published is missed."""
        while self.id is None:
            self.event()
        return self
