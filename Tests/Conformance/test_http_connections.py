"""What a connection lives through: many requests, expectations, half-closes, old versions, slow clients, floods."""

import threading
import time

from harness.node import Node, until
from outside.frames import TEXT, Socket, frame
from outside.node import NodeTest
from outside.wire import Ended, Wire, ask, request, stays_silent


class Connections(NodeTest):
    def test_pipelining(self):
        """A thousand pipelined requests are answered in order, reads and writes mixed"""
        with Wire(self.port, timeout=10) as wire:
            data = []
            for index in range(250):
                data.append(request("POST", "/v1/topics/pipe", body=f"{index}"))
                data.append(request("POST", "/v1/echo", body=f"echo {index}"))
                data.append(request("GET", "/v1/topics/pipe" if index % 50 else "/v1/events?topic=pipe&since=earliest&limit=1"))
                data.append(request("HEAD", "/healthz"))
            threading.Thread(target=wire.send, args=(b"".join(data),), daemon=True).start()
            for index in range(250):
                published = wire.answer("POST")
                self.assertEqual(published.status, 200, published)
                self.assertEqual(wire.answer("POST").body, f"echo {index}".encode())
                read = wire.answer()
                self.assertEqual(read.status, 404 if index % 50 else 200, read)
                self.assertEqual(wire.answer("HEAD").status, 200)
        events = self.ask("GET", "/v1/events?topic=pipe&since=earliest").json()["events"]
        self.assertEqual([event["data"] for event in events], [str(index) for index in range(250)])

    def test_what_was_published_is_read(self):
        """A read pipelined behind a publish sees it"""
        with Wire(self.port) as wire:
            wire.send(request("PUT", "/v1/topics/own/write", body="mine") + request("GET", "/v1/topics/own/write") + request("DELETE", "/v1/topics/own/write") + request("GET", "/v1/topics/own/write"))
            self.assertEqual([wire.answer(method).status for method in ("PUT", "GET", "DELETE", "GET")], [200, 200, 200, 404])

    def test_keep_alive(self):
        """HTTP/1.1 stays unless told to close; HTTP/1.0 closes unless asked to stay"""
        for version, fields, stays in (
            ("HTTP/1.1", {}, True), ("HTTP/1.1", {"Connection": "keep-alive"}, True), ("HTTP/1.1", {"Connection": "close"}, False), ("HTTP/1.1", {"Connection": "keep-alive, Close"}, False), ("HTTP/1.0", {}, False), ("HTTP/1.0", {"Connection": "close"}, False),
            ("HTTP/1.0", {"Connection": "Keep-Alive"}, True),
        ):
            with self.subTest(f"{version} {fields}"), Wire(self.port) as wire:
                data = request("GET", "/healthz", fields, version=version)
                answer = wire.send(data).answer()
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.closes, not stays)
                if stays:
                    if version == "HTTP/1.0":
                        self.assertEqual(answer["Connection"].lower(), "keep-alive")
                    self.assertEqual(wire.send(data).answer().status, 200)
                else:
                    self.assertTrue(wire.is_closed(1))
        with Wire(self.port) as wire:
            answer = wire.send(b"GET /healthz HTTP/1.0\r\n\r\n").answer()
            self.assertEqual(answer.status, 200, "HTTP/1.0 needs no Host")

    def test_nothing_behind_a_close(self):
        """A request behind one that closes is not carried out"""
        for first in (request("GET", "/healthz", {"Connection": "close"}), request("POST", "/v1/topics/closing", {"Connection": "close"}, "x"), b"GET /healthz HTTP/1.0\r\n\r\n"):
            with self.subTest(first), Wire(self.port) as wire:
                wire.send(first + request("POST", "/v1/topics/after/close", body="never"))
                self.assertEqual(wire.answer().status, 200)
                self.assertTrue(wire.is_closed())
        self.assertEqual(self.ask("GET", "/v1/history?topic=after/close").json()["events"], [])

    def test_streams_close_too(self):
        """A request behind a stream is not carried out"""
        with Wire(self.port) as wire:
            wire.send(request("GET", "/v1/events?topic=x", {"Accept": "text/event-stream"}) + request("POST", "/v1/topics/after/stream", body="never"))
            self.assertEqual(wire.head().status, 200)
            wire.until(b"id: ")
        self.assertEqual(self.ask("GET", "/v1/history?topic=after/stream").json()["events"], [])

    def test_expect(self):
        """100 Continue is sent to who waits for it, and not where the answer is known already"""
        ask_first = {"Expect": "100-continue", "Content-Length": "5"}
        with self.subTest("the body waits"), Wire(self.port) as wire:
            wire.send(request("POST", "/v1/echo", ask_first))
            self.assertEqual(wire.answer().status, 100)
            self.assertEqual(wire.send(b"hello").answer().body, b"hello")
            wire.send(request("POST", "/v1/echo", {"expect": "100-Continue", "Transfer-Encoding": "chunked"}))
            self.assertEqual(wire.answer().status, 100)
            self.assertEqual(wire.send(b"5\r\nagain\r\n0\r\n\r\n").answer().body, b"again")
        with self.subTest("the body comes at once"), Wire(self.port) as wire:
            wire.send(request("POST", "/v1/echo", ask_first, "hello"))
            answer = wire.answer()
            if answer.status == 100:
                answer = wire.answer()
            self.assertEqual(answer.body, b"hello")
        with self.subTest("too large"), Wire(self.port) as wire:
            wire.send(request("POST", "/v1/echo", {"Expect": "100-continue", "Content-Length": "99999999"}))
            answer = wire.answer()
            self.problem(answer, 413)
            self.assertTrue(wire.is_closed())
        with self.subTest("HTTP/1.0"), Wire(self.port) as wire:
            wire.send(request("POST", "/v1/echo", ask_first, version="HTTP/1.0"))
            self.assertTrue(stays_silent(wire, 0.3))
            wire.socket.settimeout(5)
            self.assertEqual(wire.send(b"hello").answer().body, b"hello")
        with self.subTest("behind a publish"), Wire(self.port) as wire:
            wire.send(request("POST", "/v1/topics/expect", body="x") + request("POST", "/v1/echo", ask_first))
            self.assertEqual(wire.answer().status, 200)
            self.assertEqual(wire.answer().status, 100)
            self.assertEqual(wire.send(b"hello").answer().body, b"hello")
        with self.subTest("behind a long-poll"), Wire(self.port) as wire:
            wire.send(request("GET", "/v1/events?topic=silent&wait=1") + request("POST", "/v1/echo", ask_first))
            self.assertEqual(wire.answer().status, 204)
            self.assertEqual(wire.answer().status, 100)
            self.assertEqual(wire.send(b"hello").answer().body, b"hello")

    def test_head(self):
        """HEAD has the fields that GET has, and no body"""
        self.publish("head/value", '{"a":1}', {"Content-Type": "application/json", "Tidings-Event": "t"}, method="PUT")
        self.ask("GET", "/v1/events?topic=head/value&consumer=head-consumer")
        for path in ("/", "/tidings.js", "/healthz", "/readyz", "/metrics", "/v1/cluster", "/v1/topics/head/value", "/v1/topics/head/none", "/v1/history?topic=head/value", "/v1/events?topic=head/value&since=earliest", "/v1/events", "/v1/consumers", "/v1/consumers/head-consumer", "/v1/consumers/none", "/nothing", "/v1/echo"):
            with self.subTest(path), Wire(self.port) as wire:
                wire.send(request("GET", path) + request("HEAD", path) + request("GET", "/healthz", {"Connection": "close"}))
                get, head = wire.answer(), wire.answer("HEAD")
                self.assertEqual((get.status, get.names()), (head.status, head.names()))
                if path not in ("/metrics", "/v1/cluster"):
                    self.assertEqual(get["Content-Length"], head["Content-Length"])
                self.assertEqual(wire.answer().body, b"alive\n")
        for path, accept in (("/v1/events?topic=x", "text/event-stream"), ("/v1/events?topic=x", "application/x-ndjson"), ("/v1/cluster/events", "text/event-stream")):
            with self.subTest(f"{path} {accept}"), Wire(self.port) as wire:
                answer = wire.send(request("HEAD", path, {"Accept": accept})).answer("HEAD")
                self.assertEqual((answer.status, answer["Content-Type"]), (200, accept))
                self.assertTrue(wire.is_closed(1))

    def test_half_close(self):
        """A client that has said all it has to say, and says so, still gets its answers"""
        self.publish("half/close", "x", method="PUT")
        cases = [
            (request("GET", "/healthz"), [200]), (request("GET", "/v1/topics/half/close"), [200]), (request("POST", "/v1/topics/half/more", body="x"), [200]), (request("GET", "/v1/history?topic=half/close"), [200]), (request("GET", "/metrics"), [200]), (request("GET", "/v1/cluster"), [200]),
            (request("GET", "/v1/consumers"), [200]), (request("GET", "/v1/events?topic=half/%23&since=earliest"), [200]), (request("GET", "/v1/events?topic=half/%23&wait=1"), [204]), (request("GET", "/v1/events?topic=half/%23&consumer=half-close"), [200]), (request("POST", "/v1/publish", body='[{"topic":"half/a"},{"topic":"half/b"}]'), [200]),
            (request("POST", "/v1/echo", body=b"x" * 500_000), [200]), (request("GET", "/healthz") * 300, [200] * 300), (request("POST", "/v1/topics/half/many", body="x") * 300, [200] * 300), (request("GET", "/v1/topics/half/close") * 40, [200] * 40),
            (request("POST", "/v1/topics/half/many", body="x") + request("GET", "/v1/events?topic=half/many&wait=1"), [200, 204]), (b"GET /healthz HTTP/1.0\r\n\r\n", [200]),
        ]
        for data, statuses in cases:
            with self.subTest(data[:80]), Wire(self.port) as wire:
                wire.send(data).finish_sending()
                self.assertEqual([wire.answer().status for _ in statuses], statuses)
                self.assertTrue(wire.is_closed(1), "the connection stays although both have said all")

    def test_half_close_of_a_waiting_poll(self):
        """A long-poll whose client has half-closed is answered by the event it waits for, and ended"""
        with Wire(self.port) as wire:
            wire.send(request("GET", "/v1/events?topic=half/wait&wait=30"))
            time.sleep(0.05)
            wire.finish_sending()
            time.sleep(0.05)
            self.publish("half/wait", "here")
            self.assertEqual(wire.answer().json()["events"][0]["data"], "here")
            self.assertTrue(wire.is_closed(1))

    def test_slow_reader_of_answers(self):
        """A client that asks and does not read is held back, and served when it reads"""
        self.publish("slow/value", b"v" * 500_000, method="PUT")
        with Wire(self.port, receive_buffer=4096) as wire:
            data = request("GET", "/v1/topics/slow/value") * 60
            sender = threading.Thread(target=wire.send, args=(data,), daemon=True)
            sender.start()
            time.sleep(0.3)
            began = time.monotonic()
            self.assertEqual(self.ask("GET", "/healthz").status, 200)
            self.assertLess(time.monotonic() - began, 0.3)
            for _ in range(60):
                self.assertEqual(len(wire.answer().body), 500_000)


class SlowClients(NodeTest):
    """The timers of the node as they are: a head within 10 s, a body that pauses 15 s at most."""

    def answered_after(self, sends, every, limit):
        """What comes, and after how long, while `sends` are sent one every so many seconds."""
        with Wire(self.port, timeout=every) as wire:
            began = time.monotonic()
            while time.monotonic() - began < limit:
                wire.send(next(sends, b""))
                try:
                    answer = wire.answer()
                    return answer.status, time.monotonic() - began, answer.closes and wire.is_closed()
                except TimeoutError:
                    continue
                except Ended:
                    return None, time.monotonic() - began, True
        return "nothing", limit, False

    def test_slow_attacks(self):
        """Slow heads and slow bodies are ended in time, slow but steady bodies are not, and nobody else waits"""
        def forever(first, each):
            yield first
            while True:
                yield each
        body = b"POST /v1/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
        chunks = b"POST /v1/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        cases = {
            "a head that stops": (iter([b"GET / HTTP/1.1\r\nHo"]), 1, (408,), (9, 13)), "a head by the second": (forever(b"GET / HTTP/1.1\r\n", b"X: a\r\n"), 1, (408,), (9, 13)), "a head byte by byte": (forever(b"G", b"E"), 0.5, (408, 501, 400), (0, 21)),
            "a second head that stops": (iter([b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Le"]), 1, (408,), (9, 13)), "a body that stops": (iter([body + b"abc"]), 1, (408,), (14, 18)), "a body that never begins": (iter([body]), 1, (408,), (14, 18)),
            "a chunked body that stops": (iter([chunks + b"5\r\nhe"]), 1, (408,), (14, 18)), "a chunk's size that stops": (iter([chunks + b"5"]), 1, (408,), (14, 18)), "a trailer that stops": (iter([chunks + b"0\r\nX: "]), 1, (408,), (14, 18)),
            "an empty line and nothing": (iter([b"\r\n"]), 1, (408, None), (9, 80)),
        }
        found = {}

        def run(name, sends, every, limit):
            try:
                found[name] = self.answered_after(sends, every, limit)
            except Exception as error:
                found[name] = error
        threads = [threading.Thread(target=run, args=(name, case[0], case[1], 19), daemon=True) for name, case in cases.items()]

        idlers = [Wire(self.port) for _ in range(300)]
        for idler in idlers:
            idler.send(b"POST /v1/topics/slow HTTP/1.1\r\nHost: a\r\n")
        for thread in threads:
            thread.start()

        # A body that comes slowly but steadily is let through.
        steady = Wire(self.port, timeout=20)
        steady.send(b"POST /v1/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n")
        # A client whose first head came in two pieces begins its second just before the first one's time is over.
        twice = Wire(self.port, timeout=20)
        twice.send(b"GET /healthz HTTP/1.1\r\nHo")
        time.sleep(0.2)
        twice.send(b"st: a\r\n\r\n")
        self.assertEqual(twice.answer().status, 200)
        begun = time.monotonic()
        worst = 0.0
        for second in range(17):
            asked = time.monotonic()
            self.publish("slow/others", "on time")
            worst = max(worst, time.monotonic() - asked)
            steady.send(b"%c" % (65 + second))
            if second == 9:
                twice.send(b"GET /healthz HTTP/1.1\r\n")
            if second == 13:
                twice.send(b"Host: a\r\n\r\n")
                self.assertEqual(twice.answer().status, 200, "the second head had its own ten seconds")
            time.sleep(max(0, begun + second + 1 - time.monotonic()))
        with self.subTest("others"):
            self.assertLess(worst, 0.5, "a publish among slow clients")
        with self.subTest("a steady body"):
            self.assertEqual(steady.answer().body, b"ABCDEFGHIJKLMNOPQ")
        for thread in threads:
            thread.join(25)
        for name, (_, _, statuses, (least, most)) in cases.items():
            with self.subTest(name):
                if name == "an empty line and nothing" and found[name][0] == "nothing":
                    continue
                status, seconds, closed = found[name]
                self.assertIn(status, statuses)
                self.assertTrue(least <= seconds <= most, f"after {seconds:.1f} s")
                self.assertTrue(closed)
        with self.subTest("three hundred slow heads"):
            statuses = {idler.answer("POST").status for idler in idlers}
            self.assertEqual(statuses, {408})
        for wire in [steady, twice, *idlers]:
            wire.close()


class Flood(NodeTest):
    # One event loop: several share the limit out among them, and the kernel shares the connections out unevenly.
    options = ("--max-connections", "60", "--reactors", "1")

    def test_more_connections_than_allowed(self):
        """Up to the limit all are served, past it all are told 503 and when to come back, but who asks how the node is; then it goes on"""
        def open_connections():
            text = self.ask("GET", "/metrics").body.decode()
            return sum(int(line.split()[-1]) for line in text.splitlines() if line.startswith("tidings_connections{"))
        # Who asked whether the node is ready may still be on its way out.
        until(lambda: open_connections() == 1, 5, "being alone")
        with Wire(self.port) as last:
            last.send(request("GET", "/healthz", {"Connection": "close"})).answer()
            self.assertTrue(last.is_closed())
        time.sleep(0.2)
        wires = [Wire(self.port, timeout=10) for _ in range(60)]
        served = []
        for wire in wires:
            wire.send(request("GET", "/healthz"))
            served.append(wire.answer().status)
        with self.subTest("within the limit"):
            self.assertEqual(served, [200] * 60)
        with self.subTest("past the limit"):
            for _ in range(100):
                with Wire(self.port) as wire:
                    answer = wire.send(request("GET", "/healthz")).answer()
                    self.assertEqual((answer.status, answer.closes), (200, True))
                with Wire(self.port) as wire:
                    wire.send(request("GET", "/v1/cluster"))
                    answer = wire.head()
                    self.assertEqual(answer.status, 503)
                    self.assertIn("Retry-After", answer)
                    self.assertTrue(answer.closes)
                    answer.body = wire.take(int(answer["Content-Length"]))
                    self.problem(answer, 503)
                    self.assertTrue(wire.is_closed(1))
        for wire in wires:
            wire.close()
        until(lambda: ask(self.port, "GET", "/healthz").status == 200, 5, "service after the flood")
