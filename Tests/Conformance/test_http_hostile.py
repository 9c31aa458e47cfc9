"""HTTP/1.1 as attackers, old clients and broken proxies speak it.

Every case is bytes and the status they must be answered with. Each is sent whole and torn into small writes, with a
request behind it that publishes: where the case ends the connection, that second request must never be carried out.
"""

import itertools
import time

from outside.node import NodeTest
from outside.wire import Ended, Wire, ask, request

SMUGGLED = b"POST /v1/topics/smuggled HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nevil"
TAIL = b"\r\nHost: a\r\n\r\n"


def get(path=b"/healthz", *lines, version=b"HTTP/1.1", method=b"GET", host=b"Host: a"):
    return b"\r\n".join([method + b" " + path + b" " + version, *([host] if host else []), *lines]) + b"\r\n\r\n"


def post(*lines, body=b"", path=b"/v1/echo", version=b"HTTP/1.1"):
    return b"\r\n".join([b"POST " + path + b" " + version, b"Host: a", *lines]) + b"\r\n\r\n" + body


def chunked(body, *lines):
    return post(b"Transfer-Encoding: chunked", *lines, body=body)


class Hostile(NodeTest):
    def check(self, cases):
        """Each case is refused with its status (or one of several), and nothing behind it is carried out."""
        for name, data, statuses in cases:
            statuses = statuses if isinstance(statuses, tuple) else (statuses,)
            for way, step in (("whole", len(data) + 1000), ("torn", max(3, len(data) // 40))):
                with self.subTest(f"{name}, {way}"), Wire(self.port) as wire:
                    sent = data + SMUGGLED
                    wire.dribble(sent, step)
                    answer = wire.answer(data.split(b" ")[0].decode("latin-1"))
                    self.assertIn(answer.status, statuses, answer)
                    self.problem(answer, answer.status)
                    self.assertTrue(answer.closes, f"not said to close: {answer}")
                    self.assertTrue(wire.is_closed(), f"something behind the refusal: {wire.rest[:200]!r}")

    def tearDown(self):
        with self.subTest("nothing was smuggled"):
            events = ask(self.port, "GET", "/v1/events?topic=%23&since=earliest").json()["events"]
            self.assertEqual(events, [])

    def test_request_lines(self):
        """Request lines that are no request line"""
        bad = {
            "empty method": b" /healthz HTTP/1.1", "no target": b"GET  HTTP/1.1", "no target at all": b"GET HTTP/1.1", "no version": b"GET /healthz", "only a word": b"GET",
            "two spaces before the target": b"GET  /healthz HTTP/1.1", "two spaces before the version": b"GET /healthz  HTTP/1.1", "space at the end": b"GET /healthz HTTP/1.1 ",
            "space at the start": b" GET /healthz HTTP/1.1", "tab before the target": b"GET\t/healthz HTTP/1.1", "tab before the version": b"GET /healthz\tHTTP/1.1",
            "space in the target": b"GET /heal thz HTTP/1.1", "lower-case version": b"GET /healthz http/1.1", "version HTTP/1": b"GET /healthz HTTP/1", "version HTTP/1.": b"GET /healthz HTTP/1.",
            "version HTTP/1.1x": b"GET /healthz HTTP/1.1x", "version HTTP/1.10": b"GET /healthz HTTP/1.10", "version HTTP/01.1": b"GET /healthz HTTP/01.1", "version HTTP/1,1": b"GET /healthz HTTP/1,1",
            "version HTTP /1.1": b"GET /healthz HTTP /1.1", "version HTPT": b"GET /healthz HTPT/1.1", "version HTTP/a.b": b"GET /healthz HTTP/a.b", "version HTTP/-1.1": b"GET /healthz HTTP/-1.1",
            "target without a slash": b"GET healthz HTTP/1.1", "asterisk for GET": b"GET * HTTP/1.1", "asterisk and more": b"OPTIONS *x HTTP/1.1", "ftp target": b"GET ftp://a/healthz HTTP/1.1",
            "target http:/": b"GET http:/a/healthz HTTP/1.1", "target without a host": b"GET http:///healthz HTTP/1.1", "user in the target": b"GET http://user@a/healthz HTTP/1.1",
            "bad port in the target": b"GET http://a:99999/healthz HTTP/1.1", "port of letters in the target": b"GET http://a:x/healthz HTTP/1.1", "authority form": b"GET a:80 HTTP/1.1",
            "fragment": b"GET /healthz#part HTTP/1.1", "backslash": b"GET /heal\\thz HTTP/1.1", "quote in the target": b'GET /"healthz" HTTP/1.1', "angle bracket": b"GET /<script> HTTP/1.1",
            "raw UTF-8 in the target": "GET /é HTTP/1.1".encode(), "byte FF in the target": b"GET /\xff HTTP/1.1", "NUL in the target": b"GET /\x00 HTTP/1.1", "DEL in the target": b"GET /\x7f HTTP/1.1",
            "method with a slash": b"GE/T /healthz HTTP/1.1", "method with a bracket": b"GE(T /healthz HTTP/1.1", "method with a colon": b"GET: /healthz HTTP/1.1", "method with an umlaut": "GÉT /healthz HTTP/1.1".encode(),
            "HTTP/0.9 with a version missing": b"GET /healthz ", "carriage return in the target": b"GET /heal\rthz HTTP/1.1", "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "SOCKS": b"\x05\x01\x00",
            "an answer": b"HTTP/1.1 200 OK", "SIP": b"INVITE sip:a@b SIP/2.0", "an SSH client": b"SSH-2.0-OpenSSH_9.2", "JSON": b'{"op":"subscribe"}', "a proxy's preamble": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2",
        }
        self.check([(name, line + TAIL, (400, 505) if "version" in name else 400) for name, line in bad.items()])
        self.check([(f"version {version}", b"GET /healthz HTTP/" + version.encode() + TAIL, 505) for version in ("0.9", "2.0", "3.0", "9.9", "0.0")])
        self.check([
            ("HTTP/2 with prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)), ("CONNECT", get(b"a:443", method=b"CONNECT"), (400, 405, 501)),
            ("CONNECT with a path", get(b"/healthz", method=b"CONNECT"), (400, 405, 501)), ("a method of 33 letters", get(method=b"M" * 33), (400, 501)), ("a method of 9000 letters", get(method=b"M" * 9000), (400, 414, 431, 501)),
            ("a target of 8193", get(b"/" + b"a" * 8192), 414), ("a target of 20000", get(b"/" + b"a" * 20000), 414), ("a query of 9000", get(b"/v1/events?topic=" + b"a" * 9000), 414),
            ("a target without an end", b"GET /" + b"a" * 40000, 414),
        ])

    def test_line_ends(self):
        """Line ends that are not CR LF, and control characters, anywhere in a head"""
        cases = [
            ("bare LF throughout", b"GET /healthz HTTP/1.1\nHost: a\n\n", 400), ("bare LF after the request line", b"GET /healthz HTTP/1.1\nHost: a\r\n\r\n", 400),
            ("bare LF after a field", b"GET /healthz HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400), ("bare LF for the empty line", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\n", 400),
            ("bare CR after the request line", b"GET /healthz HTTP/1.1\rHost: a\r\n\r\n", 400), ("bare CR in a value", get(b"/healthz", b"X: a\rb"), 400), ("bare CR at a value's end", get(b"/healthz", b"X: a\r"), 400),
            ("CR CR LF", b"GET /healthz HTTP/1.1\r\r\nHost: a\r\n\r\n", 400), ("LF CR", b"GET /healthz HTTP/1.1\n\rHost: a\n\r\n\r", 400), ("LF LF in a value", get(b"/healthz", b"X: a\n\nGET /x HTTP/1.1"), 400),
            ("CR CR LF at the end", b"GET /healthz HTTP/1.1\r\nHost: a\r\r\n\r\n", 400), ("two empty lines and a space before", b"\r\n \r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("LF before the request", b"\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ]
        for code in [*range(0, 9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F]:
            cases.append((f"character {code:02x} in a value", get(b"/healthz", b"X: a" + bytes([code]) + b"b"), 400))
        for code in (0, 1, 8, 0x0B, 0x1F, 0x20, 0x22, 0x28, 0x29, 0x2C, 0x2F, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x5B, 0x5C, 0x5D, 0x7B, 0x7D, 0x7F, 0x80, 0xFF):
            cases.append((f"character {code:02x} in a name", get(b"/healthz", b"X" + bytes([code]) + b"Y: b"), 400))
        self.check(cases)

    def test_fields(self):
        """Field lines that are no field line"""
        cases = [
            ("space before the colon", get(b"/healthz", b"X : a"), 400), ("tab before the colon", get(b"/healthz", b"X\t: a"), 400), ("Host, space before the colon", get(host=b"Host : a"), 400),
            ("no colon", get(b"/healthz", b"nonsense"), 400), ("no name", get(b"/healthz", b": a"), 400), ("folded", get(b"/healthz", b"X: a", b" b"), 400), ("folded with a tab", get(b"/healthz", b"X: a", b"\tb"), 400),
            ("folded first line", b"GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n", 400), ("only a space", get(b"/healthz", b" "), 400), ("folded Content-Length", post(b"Content-Length:", b" 5", body=b"hello"), 400),
            ("folded Transfer-Encoding", post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"), 400), ("no Host", get(host=None), 400), ("two Hosts", get(b"/healthz", b"Host: b"), 400), ("two equal Hosts", get(b"/healthz", b"Host: a"), 400),
            ("empty Host", get(host=b"Host:"), 400), ("Host of two", get(host=b"Host: a, b"), 400), ("Host with a space", get(host=b"Host: a b"), 400), ("Host with a path", get(host=b"Host: a/b"), 400), ("Host with a user", get(host=b"Host: u@a"), 400),
            ("Host with a port of letters", get(host=b"Host: a:b"), 400), ("Host with a port too large", get(host=b"Host: a:65536"), 400), ("Host with two ports", get(host=b"Host: a:1:2"), 400), ("Host half IPv6", get(host=b"Host: [::1"), 400),
            ("Host with a scheme", get(host=b"Host: http://a"), 400), ("Host with a question mark", get(host=b"Host: a?b"), 400), ("Host empty in brackets", get(host=b"Host: []"), 400), ("Host in absolute form, two", get(b"http://a/healthz", b"Host: b"), 400),
            ("101 fields", get(b"/healthz", *[b"X-%d: a" % index for index in range(100)]), 431), ("500 fields", get(b"/healthz", *[b"X: a"] * 500), 431), ("a head of 17 KiB", get(b"/healthz", b"X: " + b"a" * (17 << 10)), 431),
            ("a head of 1 MiB", get(b"/healthz", b"X: " + b"a" * (1 << 20)), 431), ("a name of 17 KiB", get(b"/healthz", b"X" * (17 << 10) + b": a"), 431), ("a head without an end", b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 5000, 431),
            ("unknown expectation", post(b"Expect: the-moon", b"Content-Length: 1", body=b"x"), 417), ("two expectations", post(b"Expect: 100-continue, more", b"Content-Length: 1", body=b"x"), 417),
        ]
        self.check(cases)

    def test_lengths(self):
        """Content-Length in every shape that two readers may understand differently"""
        cases = []
        for value in ("-1", "+5", "5.0", "0x5", "5 5", "5,5", "5, 5", "5;", "", " ", "abc", "5a", "1e1", "٥", "5\t5", "99999999999999999999", "18446744073709551616", "9223372036854775808", "00000000000000000000000000000000000000000000000000005x", '"5"', "5,6", ",5", "5,", "005", "00"):
            cases.append((f"Content-Length {value!r}", post(b"Content-Length: " + value.encode(), body=b"hello"), (400, 413)))
        cases += [
            ("two Content-Lengths", post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"), 400), ("two equal Content-Lengths", post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"), 400),
            ("Content-Length and chunked", post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400), ("chunked and Content-Length", post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"), 400),
            ("chunked and Content-Length 0", post(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=b"0\r\n\r\n"), 400), ("two Content-Lengths apart", post(b"Content-Length: 5", b"X: y", b"content-length: 0", body=b"hello"), 400),
            ("Content-Length over the limit", post(b"Content-Length: 1048577"), 413), ("Content-Length of a terabyte", post(b"Content-Length: 1099511627776"), 413), ("expects, over the limit", post(b"Content-Length: 1048577", b"Expect: 100-continue"), 413),
            ("publish over the limit", post(b"Content-Length: 1048577", path=b"/v1/topics/big"), 413), ("GET with two lengths", get(b"/healthz", b"Content-Length: 0", b"Content-Length: 0"), 400), ("Content_Length as a space", post(b"Content-Length : 5", body=b"hello"), 400),
        ]
        self.check(cases)

    def test_transfer_encodings(self):
        """Transfer-Encoding in every shape that hides a length"""
        end = b"0\r\n\r\n"
        cases = []
        for value in ("chunked, chunked", "chunked, identity", "chunked, gzip", "chunked;q=1", "chunked;", "chunked foo", "", ",", "chunked,", ",chunked", "chunked\x0b", "\"chunked\"", "'chunked'", "chunk ed", "[chunked]"):
            cases.append((f"Transfer-Encoding {value!r}", post(b"Transfer-Encoding: " + value.encode(), body=end), (400, 501)))
        for value in ("identity", "gzip", "xchunked", "chunkedx", "gzip, chunked", "deflate", "identity, chunked", "x", "cHuNKeD2", "chunk"):
            cases.append((f"Transfer-Encoding {value!r}", post(b"Transfer-Encoding: " + value.encode(), body=end), (400, 501)))
        cases += [
            ("two lines, chunked twice", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=end), 400), ("two lines, identity last", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=end), (400, 501)),
            ("two lines, identity first", post(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=end), (400, 501)), ("in HTTP/1.0", post(b"Transfer-Encoding: chunked", body=end, version=b"HTTP/1.0"), 400),
            ("space before the colon", post(b"Transfer-Encoding : chunked", body=end), 400), ("vertical tab before", post(b"Transfer-Encoding:\x0bchunked", body=end), 400), ("name with a space", post(b"Transfer Encoding: chunked", body=end), 400),
            ("on GET, unknown", get(b"/healthz", b"Transfer-Encoding: foo"), (400, 501)), ("NUL behind", post(b"Transfer-Encoding: chunked\x00", body=end), 400), ("CR behind", post(b"Transfer-Encoding: chunked\r", body=end), 400),
        ]
        self.check(cases)

    def test_chunks(self):
        """Chunks whose sizes, ends, extensions or trailers are wrong"""
        bad = {
            "size of no digit": b"\r\nhello\r\n0\r\n\r\n", "size g": b"g\r\nhello\r\n0\r\n\r\n", "size 0x5": b"0x5\r\nhello\r\n0\r\n\r\n", "size +5": b"+5\r\nhello\r\n0\r\n\r\n", "size -5": b"-5\r\nhello\r\n0\r\n\r\n",
            "size with a space before": b" 5\r\nhello\r\n0\r\n\r\n", "size with a space behind": b"5 \r\nhello\r\n0\r\n\r\n", "size with a tab": b"5\t\r\nhello\r\n0\r\n\r\n", "size of 17 digits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
            "size with leading zeros without end": b"0" * 300 + b"5\r\nhello\r\n0\r\n\r\n", "size that overflows": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "size that turns negative": b"8000000000000000\r\nhello\r\n", "size and a dot": b"5.\r\nhello\r\n0\r\n\r\n",
            "chunk longer than its size": b"5\r\nhellooo\r\n0\r\n\r\n", "chunk without a line end": b"5\r\nhello0\r\n\r\n", "LF after a chunk": b"5\r\nhello\n0\r\n\r\n", "CR after a chunk": b"5\r\nhello\r0\r\n\r\n", "LF after a size": b"5\nhello\r\n0\r\n\r\n",
            "CR after a size": b"5\rhello\r\n0\r\n\r\n", "LF after the last size": b"0\n\r\n", "LF for the end": b"0\r\n\n", "bare LF extension": b"5;a\nhello\r\n0\r\n\r\n", "extension without a name": b"5;\r\nhello\r\n0\r\n\r\n", "extension without a value": b"5;a=\r\nhello\r\n0\r\n\r\n",
            "extension with an open quote": b'5;a="b\r\nhello\r\n0\r\n\r\n', "extension with a control": b"5;a=\x01\r\nhello\r\n0\r\n\r\n", "extension of 300": b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n", "extension with NUL": b"5;a\x00\r\nhello\r\n0\r\n\r\n",
            "extension in brackets": b"5;(a)\r\nhello\r\n0\r\n\r\n", "extension with a CR inside": b"5;a\rb\r\nhello\r\n0\r\n\r\n", "many extensions": b"".join(b"1;" + b"e" * 200 + b"\r\nx\r\n" for _ in range(40)) + b"0\r\n\r\n", "trailer without a colon": b"0\r\nnonsense\r\n\r\n", "trailer folded": b"0\r\nX: a\r\n b\r\n\r\n",
            "trailer with a space before the colon": b"0\r\nX : a\r\n\r\n", "trailer with NUL": b"0\r\nX: \x00\r\n\r\n", "trailer with a bare LF": b"0\r\nX: a\n\r\n", "trailer with a bare CR": b"0\r\nX: a\rb\r\n\r\n", "trailer without a name": b"0\r\n: a\r\n\r\n",
            "comma size": b"5,5\r\nhello\r\n0\r\n\r\n", "size in brackets": b"[5]\r\nhello\r\n0\r\n\r\n", "underscore in the size": b"1_0\r\nhello\r\n0\r\n\r\n", "full-width digit": "５\r\nhello\r\n0\r\n\r\n".encode(),
        }
        self.check([(name, chunked(body), 400) for name, body in bad.items()])
        self.check([
            ("trailers of 8 KiB", chunked(b"0\r\n" + b"X: " + b"a" * 8192 + b"\r\n\r\n"), 431), ("a chunk over the limit", chunked(b"100001\r\n"), 413), ("chunks over the limit", chunked(b"ff000\r\n" + b"x" * 0xFF000 + b"\r\n1001\r\n"), 413),
            ("a chunk of all memory", chunked(b"7fffffffffffffff\r\n"), 413),
        ])

    def test_truncated(self):
        """A message that ends before it is whole is told so, and is not carried out"""
        whole = {
            "in the body": post(b"Content-Length: 10", body=b"hello", path=b"/v1/topics/truncated"), "before the body": post(b"Content-Length: 10", path=b"/v1/topics/truncated"), "in the request line": b"GET /hea", "in a field": b"GET /healthz HTTP/1.1\r\nHos",
            "before the empty line": b"GET /healthz HTTP/1.1\r\nHost: a\r\n", "in the last line end": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r", "in a chunk": chunked(b"5\r\nhel"), "before the last chunk": chunked(b"5\r\nhello\r\n"), "in the last chunk": chunked(b"5\r\nhello\r\n0\r\n"),
            "in a trailer": chunked(b"0\r\nX: a"), "in a chunk's size": chunked(b"5"),
        }
        for name, data in whole.items():
            for way in ("whole", "torn"):
                with self.subTest(f"{name}, {way}"), Wire(self.port) as wire:
                    wire.dribble(data, len(data) if way == "whole" else 5)
                    wire.finish_sending()
                    self.problem(wire.answer(), 400)
                    self.assertTrue(wire.is_closed())

    def test_refusals_keep_their_place(self):
        """Requests before a wrong one are answered first, the wrong one last, and nothing behind it"""
        good = [request("GET", "/healthz"), post(b"Content-Length: 2", body=b"ok"), request("GET", "/v1/topics/none"), request("GET", "/nothing")]
        bad = [b"GET /x HTTP/1.1\r\nHost : a\r\n\r\n", post(b"Content-Length: 1", b"Content-Length: 1", body=b"x"), chunked(b"5\r\nhellooo"), b"\x00"]
        for count, wrong in itertools.product(range(1, 5), bad):
            with self.subTest(f"{count} before {wrong!r}"), Wire(self.port) as wire:
                wire.send(b"".join(good[:count]) + wrong + SMUGGLED)
                for status in [200, 200, 404, 404][:count]:
                    self.assertEqual(wire.answer().status, status)
                self.problem(wire.answer(), 400)
                self.assertTrue(wire.is_closed())

    def test_bodies_are_not_requests(self):
        """What a body holds is never taken for a request, whatever the method or the answer"""
        inner = SMUGGLED
        length = b"Content-Length: %d" % len(inner)
        cases = [
            ("GET with a body", get(b"/healthz", length) + inner, "GET", 200), ("HEAD with a body", get(b"/healthz", length, method=b"HEAD") + inner, "HEAD", 200), ("DELETE with a body", get(b"/v1/consumers/none", length, method=b"DELETE") + inner, "DELETE", 404),
            ("OPTIONS with a body", get(b"/healthz", length, method=b"OPTIONS") + inner, "OPTIONS", 204), ("404 with a body", get(b"/nothing", length, method=b"POST") + inner, "POST", 404), ("405 with a body", get(b"/metrics", length, method=b"POST") + inner, "POST", 405),
            ("unknown method with a body", get(b"/healthz", length, method=b"BREW") + inner, "BREW", (405, 501)), ("chunked GET", get(b"/healthz", b"Transfer-Encoding: chunked") + b"%x\r\n" % len(inner) + inner + b"\r\n0\r\n\r\n", "GET", 200),
            ("bad publish with a body", get(b"/v1/topics/a%00b", length, method=b"POST") + inner, "POST", 400), ("bad content type", get(b"/v1/topics/a", length, b"Content-Type: nonsense", method=b"POST") + inner, "POST", (400, 415)),
            ("trailers that look like a request", chunked(b"0\r\nGET: /x\r\nHost: b\r\n\r\n"), "POST", 200), ("trailers with lengths", chunked(b"3\r\nabc\r\n0\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n"), "POST", 200),
            ("precondition failed", get(b"/v1/topics/never", length, b"If-Match: 12345", method=b"POST") + inner, "POST", 412),
        ]
        for name, data, method, status in cases:
            with self.subTest(name), Wire(self.port) as wire:
                wire.send(data + request("GET", "/healthz", {"Connection": "close"}))
                first = wire.answer(method)
                self.assertIn(first.status, status if isinstance(status, tuple) else (status,), first)
                self.assertFalse(first.closes, first)
                second = wire.answer()
                self.assertEqual((second.status, second.body), (200, b"alive\n"))
                self.assertTrue(wire.is_closed())


class Odd(NodeTest):
    """What is unusual and right must be served."""

    def test_odd_but_right(self):
        """Unusual requests that the grammar allows are served, and the connection goes on"""
        hello = b"hello"
        cases = [
            ("empty line before", b"\r\n" + get(), 200, b"alive\n"), ("absolute form", get(b"http://a/healthz"), 200, b"alive\n"), ("absolute form, other host", get(b"http://other:99/healthz"), 200, b"alive\n"), ("absolute form, capitals", get(b"HTTP://a/healthz"), 200, b"alive\n"),
            ("https absolute form", get(b"https://a/healthz"), 200, b"alive\n"), ("HTTP/1.2", get(version=b"HTTP/1.2"), 200, b"alive\n"), ("HTTP/1.9", get(version=b"HTTP/1.9"), 200, b"alive\n"), ("names in capitals", b"GET /healthz HTTP/1.1\r\nHOST: a\r\n\r\n", 200, b"alive\n"), ("no space after the colon", b"GET /healthz HTTP/1.1\r\nHost:a\r\n\r\n", 200, b"alive\n"),
            ("spaces around a value", b"GET /healthz HTTP/1.1\r\nHost: \t a \t \r\n\r\n", 200, b"alive\n"), ("empty value", get(b"/healthz", b"X:"), 200, b"alive\n"), ("a name of marks", get(b"/healthz", b"!#$%&'*+-.^_`|~09az: x"), 200, b"alive\n"), ("bytes beyond ASCII in a value", get(b"/healthz", b"X: \x80\xff"), 200, b"alive\n"), ("a tab in a value", get(b"/healthz", b"X: a\tb"), 200, b"alive\n"),
            ("IPv6 host", get(host=b"Host: [::1]:8080"), 200, b"alive\n"), ("host with an empty port", get(host=b"Host: a:"), 200, b"alive\n"), ("host in capitals", get(host=b"Host: EXAMPLE.com"), 200, b"alive\n"), ("100 fields", get(b"/healthz", *[b"X-%d: a" % index for index in range(99)]), 200, b"alive\n"), ("a head of 15 KiB", get(b"/healthz", b"X: " + b"a" * (15 << 10)), 200, b"alive\n"),
            # Wider than the grammar, as browsers and people write them.
            ("braces in a topic", get(b"/v1/topics/room/{42}/chat"), 404, None), ("a caret", get(b"/v1/topics/a^b"), 404, None), ("a bar in the query", get(b"/v1/events?topic=a|b"), 200, None), ("a backtick", get(b"/v1/topics/`"), 404, None),
            ("a query", get(b"/healthz?a=b&c"), 200, b"alive\n"), ("an empty query", get(b"/healthz?"), 200, b"alive\n"), ("a query with a slash and a question mark", get(b"/healthz?a/b?c"), 200, b"alive\n"), ("Content-Length 0 on GET", get(b"/healthz", b"Content-Length: 0"), 200, b"alive\n"),
            ("POST without a length", post(), 200, b""), ("chunked in capitals", post(b"Transfer-Encoding: CHUNKED", body=b"5\r\nhello\r\n0\r\n\r\n"), 200, hello), ("chunk sizes in capitals", chunked(b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), 200, b"0123456789" * 2),
            ("chunk sizes with zeros", chunked(b"0005\r\nhello\r\n000\r\n\r\n"), 200, hello), ("chunks of one", chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in hello) + b"0\r\n\r\n"), 200, hello), ("chunk extensions", chunked(b'5;name=value;other="quoted; \\" \r"'.replace(b"\r", b"x") + b"\r\nhello\r\n0;last\r\n\r\n"), 200, hello),
            ("spaces in an extension", chunked(b"5 ; a = b\r\nhello\r\n0\r\n\r\n"), 200, hello), ("trailers", chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n"), 200, hello), ("a body of line ends", post(b"Content-Length: 4", body=b"\r\n\r\n"), 200, b"\r\n\r\n"),
            ("unknown Upgrade", get(b"/healthz", b"Connection: Upgrade", b"Upgrade: h2c"), 200, b"alive\n"), ("Connection names a field", get(b"/healthz", b"Connection: X, keep-alive", b"X: y"), 200, b"alive\n"), ("TE", get(b"/healthz", b"TE: trailers, deflate;q=0.5", b"Connection: TE"), 200, b"alive\n"), ("a Range that means nothing here", get(b"/healthz", b"Range: bytes=0-1"), 200, b"alive\n"),
            ("a target of 8000", get(b"/healthz?" + b"a" * 7900), 200, b"alive\n"), ("an expectation without a body", get(b"/healthz", b"Expect: 100-continue"), 200, b"alive\n"), ("percent-encoded path", get(b"/v1/topics/a%2fb%20c", b"X: y"), 404, None), ("Cookie", get(b"/healthz", b"Cookie: a=b; c=d", b"Cookie: e"), 200, b"alive\n"),
            ("body of the largest size", post(b"Content-Length: 1048576", body=b"x" * (1 << 20)), 200, b"x" * (1 << 20)), ("chunked body of the largest size", chunked(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n0\r\n\r\n"), 200, b"x" * (1 << 20)),
            ("Upgrade to WebSocket where there is none", get(b"/healthz", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 200, b"alive\n"),
        ]
        for name, data, status, body in cases:
            for way, step in (("whole", len(data) + 1000), ("torn", max(1, len(data) // 50))):
                with self.subTest(f"{name}, {way}"), Wire(self.port) as wire:
                    wire.dribble(data + request("GET", "/readyz", {"Connection": "close"}), step)
                    answer = wire.answer()
                    self.assertEqual(answer.status, status, str(answer)[:500])
                    if body is not None:
                        self.assertTrue(answer.body == body)
                    self.assertFalse(answer.closes)
                    self.assertEqual(wire.answer().body, b"ready\n")
                    self.assertTrue(wire.is_closed())

    def test_methods(self):
        """Each path answers other methods with 405 and what it allows, unknown ones too, and OPTIONS with the same"""
        allowed = {
            "/v1/topics/a": "GET HEAD POST PUT DELETE OPTIONS", "/v1/publish": "POST OPTIONS", "/v1/events": "GET HEAD POST QUERY OPTIONS", "/v1/history": "GET HEAD OPTIONS", "/v1/ws": "GET OPTIONS", "/v1/consumers": "GET HEAD OPTIONS",
            "/v1/consumers/a": "GET HEAD DELETE OPTIONS", "/v1/consumers/a/ack": "POST OPTIONS", "/v1/cluster": "GET HEAD OPTIONS", "/v1/cluster/events": "GET HEAD OPTIONS", "/metrics": "GET HEAD OPTIONS", "/healthz": "GET HEAD OPTIONS", "/readyz": "GET HEAD OPTIONS", "/": "GET HEAD OPTIONS", "/tidings.js": "GET HEAD OPTIONS",
            "/v1/echo": "GET HEAD POST OPTIONS",
        }
        for path, text in allowed.items():
            methods = set(text.split())
            answer = self.ask("OPTIONS", path)
            self.assertEqual(answer.status, 204, answer)
            self.assertEqual(set(answer["Allow"].split(", ")), methods, path)
            for method in {"GET", "HEAD", "POST", "PUT", "DELETE", "QUERY", "PATCH", "TRACE", "PROPFIND", "BREW", "get"} - methods:
                with self.subTest(f"{method} {path}"):
                    answer = self.ask(method, path)
                    self.assertIn(answer.status, (405, 501), answer)
                    if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "QUERY", "PATCH"):
                        self.assertEqual(answer.status, 405)
                    if answer.status == 405:
                        self.assertEqual(set(answer["Allow"].split(", ")), methods)
        for data in (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"):
            with Wire(self.port) as wire:
                answer = wire.send(data).answer("OPTIONS")
                self.assertIn(answer.status, (200, 204), answer)
                self.assertIn("GET", answer["Allow"])

    def test_no_such_path(self):
        """Paths that are not there are 404, whatever the method; paths that are not UTF-8 are 400"""
        for path in ("/v1", "/v1/", "/v1/topic/a", "/v1/topics", "/v2/events", "//healthz", "/healthz/", "/HEALTHZ", "/v1/events/", "/v1/./events", "/v1/../metrics", "/.git/config", "/index.php", "/v1%2Fevents", "/mqtt%00", "/v1/echoes"):
            for method in ("GET", "POST", "BREW"):
                with self.subTest(f"{method} {path}"):
                    self.problem(self.ask(method, path), 404)
        for path in ("/v1/topics/%ff", "/v1/topics/%c0%af", "/v1/topics/%", "/v1/topics/%4", "/v1/topics/%zz", "/v1/consumers/%ff", "/v1/consumers/%g0"):
            with self.subTest(path):
                self.problem(self.ask("GET", path), 400)
