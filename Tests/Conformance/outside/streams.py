"""Streams of events, read by the letter: server-sent events as the HTML standard has them, and lines of JSON."""

from .wire import Wire, request

SSE = {"Accept": "text/event-stream"}
LINES = {"Accept": "application/x-ndjson"}


def fold(cursor, *others):
    """What a client does that keeps the highest it has seen."""
    places = {}
    for each in (cursor, *others):
        version, cluster, *rest = each.split("~")
        for place in rest:
            shard, offset = map(int, place.split("."))
            places[shard] = max(places.get(shard, 0), offset)
    return "~".join([version, cluster, *(f"{shard}.{places[shard]}" for shard in sorted(places))])


class Stream(Wire):
    """A GET that goes on."""

    def __init__(self, port, query, headers, method="GET", body=None, timeout=5.0):
        super().__init__(port, timeout)
        self.send(request(method, f"/v1/events?{query}", headers, body))
        self.answer_head = self.head()


class SSEClient(Stream):
    """Server-sent events by the letter of the HTML standard, line ends and all."""

    def __init__(self, port, query, headers=(), **more):
        super().__init__(port, query, {**SSE, **dict(headers)}, **more)
        self.last_id, self.retry, self.comments, self.ids = "", None, 0, []

    def dispatch(self):
        """The next block: (type, data), data None when the block had none."""
        kind, data, fields = "", [], 0
        while True:
            line = self.until(b"\n").decode()
            assert "\r" not in line, "a carriage return ends a line"
            if line == "":
                if not fields:
                    continue
                return kind or "message", "\n".join(data) if data else None
            if line.startswith(":"):
                self.comments += 1
                continue
            fields += 1
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                assert "\0" not in value
                self.last_id = value
                self.ids.append(value)
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif name == "retry":
                assert value.isdigit()
                self.retry = int(value)
            else:
                raise AssertionError(f"unknown field {line!r}")

    def event(self):
        while True:
            kind, data = self.dispatch()
            if data is not None:
                return kind, data

    def begun(self):
        while not self.ids:
            self.dispatch()
        return self
