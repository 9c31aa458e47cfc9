"""RFC 6455 from outside, against the echo: what is answered, and with which word a connection is ended.

Each case is a connection of its own: (name, what is sent, what must be said until the end). What is sent may be
several writes; every small case is sent whole and byte by byte.
"""

import itertools
import random
import time

from outside.frames import (
    BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Socket, chopped, closing, fragments, frame, handshake, key, accept_of)
from outside.node import NodeTest
from outside.wire import Wire

NORMAL, PROTOCOL_ERROR, BAD_DATA, TOO_BIG = 1000, 1002, 1007, 1009
SMALL = 700  # bytes a case may have to be sent byte by byte too

# What Markus Kuhn's stress test, the Unicode standard and RFC 3629 know of well-formed and ill-formed text.
GOOD_TEXT = {
    "Greek": "κόσμε".encode(), "mixed": "Hello-µ@ßöäüàá-UTF-8!!".encode(), "two bytes, first": b"\xc2\x80", "two bytes, last": b"\xdf\xbf",
    "three bytes, first": b"\xe0\xa0\x80", "three bytes, last": b"\xef\xbf\xbf", "before surrogates": b"\xed\x9f\xbf",
    "after surrogates": b"\xee\x80\x80", "replacement": b"\xef\xbf\xbd", "four bytes, first": b"\xf0\x90\x80\x80",
    "last of all": b"\xf4\x8f\xbf\xbf", "noncharacter": b"\xef\xbf\xbe", "NUL": b"\x00", "DEL": b"\x7f", "byte order mark": b"\xef\xbb\xbfx",
    "plane ends": b"\xf0\x9f\xbf\xbe\xf3\xbf\xbf\xbf",
}
BAD_TEXT = {
    "lone continuation": b"\x80", "last continuation": b"\xbf", "six continuations": b"\x80\xbf\x80\xbf\x80\xbf", "lonely start of two": b"\xc3 ",
    "lonely start of three": b"\xe2 ", "lonely start of four": b"\xf0 ", "overlong slash in two": b"\xc0\xaf", "overlong slash in three": b"\xe0\x80\xaf",
    "overlong slash in four": b"\xf0\x80\x80\xaf", "overlong NUL": b"\xc0\x80", "overlong, highest in two": b"\xc1\xbf",
    "overlong, highest in three": b"\xe0\x9f\xbf", "overlong, highest in four": b"\xf0\x8f\xbf\xbf", "first surrogate": b"\xed\xa0\x80",
    "last surrogate": b"\xed\xbf\xbf", "pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80", "past the end": b"\xf4\x90\x80\x80", "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80", "FE": b"\xfe", "FF": b"\xff", "in the middle": "κόσμε".encode() + b"\xed\xa0\x80" + b"edited",
    "third byte wrong": b"\xe2\x82\x28", "fourth byte wrong": b"\xf0\x9f\x98\x28",
}
CUT_TEXT = {"one of two": b"\xc3", "one of three": b"\xe2", "two of three": b"\xe2\x82", "one of four": b"\xf0", "two of four": b"\xf0\x9f", "three of four": b"\xf0\x9f\x98"}


def end(code=NORMAL, reason=b""):
    return closing(code, reason)


class Echo(NodeTest):
    def run_cases(self, cases, offer=None):
        for name, sent, expected in cases:
            writes = sent if isinstance(sent, list) else [sent]
            ways = [("", writes)]
            if sum(map(len, writes)) <= SMALL:
                ways.append((", byte by byte", [bytes([byte]) for write in writes for byte in write]))
            for suffix, pieces in ways:
                with self.subTest(name + suffix):
                    with Socket(self.port, offer=offer) as socket:
                        for piece in pieces:
                            socket.send(piece)
                        said = socket.everything_said()
                        self.judge(said, expected)

    def judge(self, said, expected):
        """`expected`: what must be said before the close, then the close's code."""
        *before, code = expected
        self.assertTrue(said and said[-1][0] == CLOSE, f"no close frame at the end of {str(said)[:300]}")
        self.assertEqual(said[-1][1], code, said[-1])
        self.assertEqual(len(said) - 1, len(before), f"said {str(said)[:300]}")
        for mine, theirs in zip(before, said):
            self.assertTrue(mine == theirs, f"{str(mine)[:100]} != {str(theirs)[:100]}")


class Framing(Echo):
    def test_sizes(self):
        """Messages of every form of length come back whole and as what they were"""
        cases = []
        for size in (0, 1, 2, 7, 64, 124, 125, 126, 127, 128, 129, 254, 255, 256, 1023, 4096, 65533, 65534, 65535, 65536, 65537, 131072):
            text, data = b"*" * size, bytes(index * 7 & 0xFF for index in range(size))
            cases.append((f"text of {size}", frame(TEXT, text) + end(), [(TEXT, text), NORMAL]))
            cases.append((f"binary of {size}", frame(BINARY, data) + end(), [(BINARY, data), NORMAL]))
        self.run_cases(cases)

    def test_chopped_writes(self):
        """How the network cuts a frame makes no difference"""
        cases = []
        for size, step in ((300, 1), (4096, 13), (65535, 997), (65536, 997), (65536, 16384), (200_000, 65536), (200_000, 1460)):
            for opcode in (TEXT, BINARY):
                payload = bytes(0x20 + (index * 31) % 95 for index in range(size))
                cases.append((f"{opcode} of {size} by {step}", chopped(frame(opcode, payload) + end(), step), [(opcode, payload), NORMAL]))
        whole = frame(TEXT, b"abc" * 50) + frame(PING, b"p") + frame(BINARY, b"\x00") + end()
        for cut in range(1, len(whole), 3):
            cases.append((f"cut at {cut}", [whole[:cut], whole[cut:]], [(TEXT, b"abc" * 50), (PONG, b"p"), (BINARY, b"\x00"), NORMAL]))
        self.run_cases(cases)

    def test_lengths_that_lie(self):
        """A length in a longer form than it needs, or that no message may have, ends the connection"""
        cases = [
            (f"{size} in {form} bits", frame(TEXT, b"x" * size, form=form) + end(), [PROTOCOL_ERROR])
            for size, form in ((0, 16), (1, 16), (125, 16), (0, 64), (125, 64), (126, 64), (65535, 64))
        ]
        for length in (1 << 63, (1 << 64) - 1):
            cases.append((f"length {length:x}", frame(BINARY, b"", length=length, form=64), [PROTOCOL_ERROR]))
        for length in ((1 << 63) - 1, 1 << 40, 1 << 33, (32 << 20) + 1):
            cases.append((f"length {length:x}", frame(BINARY, b"", length=length, form=64), [TOO_BIG]))
        half = frame(BINARY, b"x" * 70000, final=False)
        cases.append(("too big in the second frame", half + frame(CONTINUATION, b"", length=32 << 20, form=64), [TOO_BIG]))
        cases.append(("overflowing in the second frame", half + frame(CONTINUATION, b"", length=(1 << 63) - 1, form=64), [TOO_BIG]))
        self.run_cases(cases)

    def test_masks(self):
        """Every mask is undone; a frame without one ends the connection"""
        cases = [
            (f"mask {mask.hex()}", frame(TEXT, b"masked, whatever the key", mask=mask) + end(), [(TEXT, b"masked, whatever the key"), NORMAL])
            for mask in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x80\0\0\0", b"abcd")
        ]
        for opcode in (TEXT, BINARY, CLOSE, PING, PONG):
            cases.append((f"opcode {opcode} unmasked", frame(opcode, b"", mask=None), [PROTOCOL_ERROR]))
            cases.append((f"opcode {opcode} unmasked after a message", frame(TEXT, b"a") + frame(opcode, b"\x03\xe8", mask=None), [(TEXT, b"a"), PROTOCOL_ERROR]))
        self.run_cases(cases)

    def test_reserved_bits(self):
        """Reserved bits that nobody agreed on end the connection"""
        cases = []
        for bits in range(1, 8):
            for opcode in (TEXT, BINARY, PING, PONG, CLOSE):
                cases.append((f"bits {bits} on {opcode}", frame(opcode, b"", reserved=bits) + end(), [PROTOCOL_ERROR]))
            cases.append((f"bits {bits} on a continuation", frame(TEXT, b"a", final=False) + frame(CONTINUATION, b"b", reserved=bits), [PROTOCOL_ERROR]))
            cases.append((f"bits {bits} after messages", frame(TEXT, b"a") + frame(TEXT, b"b", reserved=bits) + frame(PING), [(TEXT, b"a"), PROTOCOL_ERROR]))
        self.run_cases(cases)

    def test_reserved_opcodes(self):
        """Opcodes that mean nothing end the connection"""
        cases = []
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
            cases.append((f"opcode {opcode}", frame(opcode), [PROTOCOL_ERROR]))
            cases.append((f"opcode {opcode} with a payload", frame(opcode, b"x") + frame(PING), [PROTOCOL_ERROR]))
            cases.append((f"opcode {opcode} after a message", frame(TEXT, b"a") + frame(opcode, b"x") + frame(PING), [(TEXT, b"a"), PROTOCOL_ERROR]))
            cases.append((f"opcode {opcode} in a message", frame(TEXT, b"a", final=False) + frame(opcode, b"x"), [PROTOCOL_ERROR]))
        self.run_cases(cases)


class Control(Echo):
    def test_pings(self):
        """Each ping is answered with its own payload, in order, whatever else is under way"""
        cases = [("none", frame(PING) + end(), [(PONG, b""), NORMAL])]
        for size in (1, 2, 50, 124, 125):
            payload = bytes(range(256))[-size:]
            cases.append((f"of {size}", frame(PING, payload) + end(), [(PONG, payload), NORMAL]))
        cases.append(("ten", b"".join(frame(PING, b"%d" % index) for index in range(10)) + end(), [(PONG, b"%d" % index) for index in range(10)] + [NORMAL]))
        cases.append((
            "between fragments", frame(TEXT, b"one ", final=False) + frame(PING, b"a") + frame(CONTINUATION, b"two ", final=False)
            + frame(PING, b"b") + frame(CONTINUATION, b"three") + end(), [(PONG, b"a"), (PONG, b"b"), (TEXT, b"one two three"), NORMAL]))
        cases.append(("within a character", frame(TEXT, b"\xe2", final=False) + frame(PING, b"\xff") + frame(CONTINUATION, b"\x82\xac") + end(), [(PONG, b"\xff"), (TEXT, "€".encode()), NORMAL]))
        self.run_cases(cases)

    def test_pongs(self):
        """Pongs that nobody asked for are passed over"""
        cases = [
            ("empty", frame(PONG) + end(), [NORMAL]), ("with a payload", frame(PONG, b"unasked") + end(), [NORMAL]),
            ("then a ping", frame(PONG, b"unasked") + frame(PING, b"asked") + end(), [(PONG, b"asked"), NORMAL]),
            ("between fragments", frame(TEXT, b"a", final=False) + frame(PONG, b"x" * 125) + frame(CONTINUATION, b"b") + end(), [(TEXT, b"ab"), NORMAL]),
        ]
        self.run_cases(cases)

    def test_control_frames_too_long_or_fragmented(self):
        """Control frames have at most 125 bytes and are never fragmented"""
        cases = []
        for opcode in (PING, PONG, CLOSE):
            cases.append((f"{opcode} of 126", frame(opcode, b"\x03\xe8" + b"x" * 124), [PROTOCOL_ERROR]))
            cases.append((f"{opcode} of 65536", frame(opcode, b"\x03\xe8" + b"x" * 65534), [PROTOCOL_ERROR]))
            cases.append((f"{opcode} in two", frame(opcode, b"\x03\xe8", final=False) + frame(CONTINUATION, b"x"), [PROTOCOL_ERROR]))
            cases.append((f"{opcode} in two within a message", frame(TEXT, b"x", final=False) + frame(opcode, b"", final=False), [PROTOCOL_ERROR]))
        self.run_cases(cases)


class Fragmentation(Echo):
    def test_every_cut_of_a_message(self):
        """A message in any number of fragments, empty ones too, comes back as one"""
        cases = []
        text = "Grüße, κόσμε, €, 😀.".encode()
        for size in range(1, len(text)):
            cases.append((f"text by {size}", fragments(TEXT, chopped(text, size)) + end(), [(TEXT, text), NORMAL]))
            cases.append((f"binary by {size}", fragments(BINARY, chopped(text, size)) + end(), [(BINARY, text), NORMAL]))
        for cut in range(len(text) + 1):
            cases.append((f"text at {cut}", fragments(TEXT, [text[:cut], text[cut:]]) + end(), [(TEXT, text), NORMAL]))
        for pieces in ([b"", b""], [b"", b"", b""], [b"", b"middle", b""], [b"first", b"", b"last"], [b"a", b"", b""]):
            cases.append((f"pieces {pieces}", fragments(TEXT, pieces) + end(), [(TEXT, b"".join(pieces)), NORMAL]))
        cases.append(("a thousand", fragments(BINARY, [b"%04d" % index for index in range(1000)]) + end(), [(BINARY, b"".join(b"%04d" % index for index in range(1000))), NORMAL]))
        cases.append(("two messages", fragments(TEXT, [b"a", b"b"]) + fragments(BINARY, [b"c", b"d"]) + end(), [(TEXT, b"ab"), (BINARY, b"cd"), NORMAL]))
        self.run_cases(cases)

    def test_wrong_order(self):
        """A continuation of nothing, or a new message within one, ends the connection"""
        cases = []
        for final in (True, False):
            cases.append((f"continuation first, {final}", frame(CONTINUATION, b"x", final=final) + frame(TEXT, b"y"), [PROTOCOL_ERROR]))
            cases.append((f"continuation after a message, {final}", frame(TEXT, b"a") + frame(CONTINUATION, b"x", final=final), [(TEXT, b"a"), PROTOCOL_ERROR]))
            cases.append((f"continuation after fragments, {final}", fragments(TEXT, [b"a", b"b"]) + frame(CONTINUATION, b"x", final=final), [(TEXT, b"ab"), PROTOCOL_ERROR]))
            for first, second in itertools.product((TEXT, BINARY), (TEXT, BINARY)):
                cases.append((f"{second} within {first}, {final}", frame(first, b"a", final=False) + frame(second, b"b", final=final), [PROTOCOL_ERROR]))
            cases.append((f"empty text within text, {final}", frame(TEXT, b"", final=False) + frame(TEXT, b"", final=final), [PROTOCOL_ERROR]))
        self.run_cases(cases)


class Text(Echo):
    def test_well_formed(self):
        """Well-formed text comes back, cut anywhere"""
        cases = []
        for name, text in GOOD_TEXT.items():
            cases.append((name, frame(TEXT, text) + end(), [(TEXT, text), NORMAL]))
            cases.append((f"{name}, in bytes", fragments(TEXT, chopped(text, 1)) + end(), [(TEXT, text), NORMAL]))
        self.run_cases(cases)

    def test_ill_formed(self):
        """Ill-formed text ends the connection with 1007, and binary that is no text does not"""
        cases = []
        for name, text in {**BAD_TEXT, **CUT_TEXT}.items():
            cases.append((name, frame(TEXT, text) + frame(PING), [BAD_DATA]))
            cases.append((f"{name}, in bytes", fragments(TEXT, chopped(b"ok" + text, 1)), [BAD_DATA]))
            cases.append((f"{name}, after a message", frame(TEXT, b"a") + frame(TEXT, text), [(TEXT, b"a"), BAD_DATA]))
            cases.append((f"{name}, binary", frame(BINARY, text) + end(), [(BINARY, text), NORMAL]))
        self.run_cases(cases)

    def test_fails_at_the_byte(self):
        """Ill-formed text ends the connection as soon as the wrong byte is there, in the middle of a frame or message"""
        cases = []
        for name, text in BAD_TEXT.items():
            started = b"well-formed " + text
            cases.append((f"{name}, frame unfinished", frame(TEXT, started, length=5000, form=16), [BAD_DATA]))
            cases.append((f"{name}, message unfinished", frame(TEXT, started, final=False), [BAD_DATA]))
        for split in (1, 2, 3):
            bad = b"\xf4\x90\x80\x80"
            cases.append((f"over two fragments at {split}", frame(TEXT, bad[:split], final=False) + frame(CONTINUATION, bad[split:], length=5000, form=16), [BAD_DATA]))
        self.run_cases(cases)

    def test_waits_for_the_rest_of_a_character(self):
        """A character that is not whole yet is waited for, not refused"""
        for name, text in CUT_TEXT.items():
            with self.subTest(name), Socket(self.port) as socket:
                socket.send(frame(TEXT, text, final=False) + frame(PING, b"well?"))
                self.assertEqual(socket.message(), (PONG, b"well?"))


class Closing(Echo):
    def test_codes(self):
        """Codes that may be sent are answered with a close; those that may not with 1002"""
        cases = []
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
            cases.append((f"{code}", closing(code), [code]))
            cases.append((f"{code} with a reason", closing(code, "weil es reicht: ß".encode()), [code]))
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535):
            cases.append((f"{code}", closing(code), [PROTOCOL_ERROR]))
            cases.append((f"{code} with a reason", closing(code, b"why"), [PROTOCOL_ERROR]))
        self.run_cases(cases)

    def test_payloads(self):
        """A close may be empty, has a whole code if any, and a reason that is text"""
        cases = [
            ("empty", closing(), [None]), ("half a code", frame(CLOSE, b"\x03"), [PROTOCOL_ERROR]),
            ("reason of 123", closing(1000, b"*" * 123), [1000]), ("reason of 124", closing(1000, b"*" * 124), [PROTOCOL_ERROR]),
        ]
        for name, text in BAD_TEXT.items():
            cases.append((f"reason {name}", closing(1000, text), [BAD_DATA]))
        for name, text in CUT_TEXT.items():
            cases.append((f"reason cut, {name}", closing(1000, text), [BAD_DATA]))
        self.run_cases(cases)

    def test_order(self):
        """What came before a close is answered before it; what comes after is not"""
        cases = [
            ("message before", frame(TEXT, b"a") + closing(1000), [(TEXT, b"a"), 1000]),
            ("ping after", closing(1000) + frame(PING, b"late"), [1000]), ("message after", closing(1000) + frame(TEXT, b"late"), [1000]),
            ("two closes", closing(1000) + closing(1001), [1000]), ("within a message", frame(TEXT, b"a", final=False) + closing(1000) + frame(CONTINUATION, b"b"), [1000]),
            ("big message before", frame(BINARY, b"x" * 262144) + closing(1000), [(BINARY, b"x" * 262144), 1000]),
            ("rubbish after", closing(1000) + b"\xff" * 500, [1000]), ("after an error", frame(3) + frame(TEXT, b"late"), [PROTOCOL_ERROR]),
        ]
        self.run_cases(cases)

    def test_ends_promptly(self):
        """After the handshake of closing the server ends the connection at once"""
        for sent in (closing(1000), closing(), frame(TEXT, b"\xff"), frame(3)):
            with self.subTest(sent=sent), Socket(self.port) as socket:
                socket.send(sent)
                began = time.monotonic()
                self.assertEqual(socket.everything_said()[-1][0], CLOSE)
                self.assertLess(time.monotonic() - began, 0.5)

    def test_client_that_just_leaves(self):
        """A client that half-closes or vanishes within a frame leaves nothing behind"""
        for sent in (b"", b"\x81", frame(TEXT, b"x" * 100)[:50], frame(TEXT, b"x", final=False)):
            with self.subTest(sent=sent), Socket(self.port) as socket:
                socket.send(sent).finish_sending()
                self.assertEqual(socket.everything_said(), [])


class Limits(Echo):
    def test_big_messages(self):
        """Messages up to 16 MiB come back, in one frame, in many, and in writes of many sizes"""
        for opcode in (TEXT, BINARY):
            for size in (64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20):
                payload = random.Random(size).randbytes(size) if opcode == BINARY else b"*" * size
                with self.subTest(f"{opcode} of {size}"), Socket(self.port, timeout=20) as socket:
                    socket.send(frame(opcode, payload) + end())
                    self.judge(socket.everything_said(20), [(opcode, payload), NORMAL])
            payload = b"0123456789abcdef" * (4 << 16)
            for piece in (1024, 4096, 65536, 1 << 20, 4 << 20):
                with self.subTest(f"{opcode} in fragments of {piece}"), Socket(self.port, timeout=20) as socket:
                    socket.send(fragments(opcode, chopped(payload, piece)) + end())
                    self.judge(socket.everything_said(20), [(opcode, payload), NORMAL])
        payload = b"abcdefgh" * (1 << 17)
        for step in (512, 2048, 8192):
            with self.subTest(f"in writes of {step}"), Socket(self.port, timeout=20) as socket:
                for piece in chopped(frame(BINARY, payload) + end(), step):
                    socket.send(piece)
                self.judge(socket.everything_said(20), [(BINARY, payload), NORMAL])

    def test_many_messages(self):
        """A thousand messages of each size come back in order, and fast"""
        for size in (0, 16, 64, 256, 1024, 4096, 16384):
            with self.subTest(size), Socket(self.port, timeout=20) as socket:
                began = time.monotonic()
                batch = 50
                for start in range(0, 1000, batch):
                    socket.send(b"".join(frame(BINARY, b"%08d" % index + b"x" * size) for index in range(start, start + batch)))
                    for index in range(start, start + batch):
                        self.assertEqual(socket.message(), (BINARY, b"%08d" % index + b"x" * size))
                self.assertLess(time.monotonic() - began, 5)

    def test_a_client_that_does_not_read(self):
        """A client that sends and never reads is held back, and costs others nothing"""
        with Socket(self.port, timeout=0.5, receive_buffer=4096) as greedy:
            sent = 0
            try:
                while sent < 64 << 20:
                    greedy.socket.sendall(frame(BINARY, b"x" * 60000))
                    sent += 60000
            except TimeoutError:
                pass
            self.assertLess(sent, 48 << 20, "the server takes without end what it cannot give back")
            with Socket(self.port) as other:
                began = time.monotonic()
                other.send(frame(TEXT, b"still there?"))
                self.assertEqual(other.message(), (TEXT, b"still there?"))
                self.assertLess(time.monotonic() - began, 0.5)


class Handshake(Echo):
    def status_of(self, wire):
        head = wire.until(b"\r\n\r\n").decode()
        return int(head.split()[1]), head

    def test_requests_that_are_no_handshake(self):
        """A handshake that lacks something is refused with the status that says what"""
        nonce = key()
        good = {
            "Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": nonce, "Sec-WebSocket-Version": "13",
        }

        def data(method="GET", version="HTTP/1.1", path="/v1/ws", drop=(), **changed):
            fields = {**good, **{name.replace("_", "-"): value for name, value in changed.items()}}
            lines = [f"{method} {path} {version}"]
            for name, value in fields.items():
                if name in drop:
                    continue
                lines += [f"{name}: {each}" for each in (value if isinstance(value, list) else [value])]
            return ("\r\n".join(lines) + "\r\n\r\n").encode()

        cases = [
            ("good", data(), 101), ("lower case", data(Upgrade="WEBSOCKET", Connection="upgrade"), 101),
            ("keep-alive beside upgrade", data(Connection="keep-alive, Upgrade"), 101), ("two Connection lines", data(Connection=["keep-alive", "Upgrade"]), 101),
            ("Upgrade names more", data(Upgrade="h2c, websocket"), 101), ("no Upgrade", data(drop=["Upgrade"]), 426), ("other Upgrade", data(Upgrade="h2c"), 426),
            ("no Connection", data(drop=["Connection"]), 400), ("other Connection", data(Connection="keep-alive"), 400),
            ("no key", data(drop=["Sec-WebSocket-Key"]), 400), ("empty key", data(Sec_WebSocket_Key=""), 400), ("short key", data(Sec_WebSocket_Key="c2hvcnQ="), 400),
            ("long key", data(Sec_WebSocket_Key=nonce + "AAAA"), 400), ("key that is no base64", data(Sec_WebSocket_Key="!" * 24), 400),
            ("two keys", data(Sec_WebSocket_Key=[nonce, nonce]), 400), ("no version", data(drop=["Sec-WebSocket-Version"]), 426),
            ("version 8", data(Sec_WebSocket_Version="8"), 426), ("version 14", data(Sec_WebSocket_Version="14"), 426), ("version x", data(Sec_WebSocket_Version="x"), 426),
            ("HTTP/1.0", data(version="HTTP/1.0"), 426), ("POST", data(method="POST"), 405), ("HEAD", data(method="HEAD"), 405),
            ("plain GET", data(drop=["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"]), 426),
            ("no such protocol", data(Sec_WebSocket_Protocol="mqtt"), 400), ("ours among protocols", data(Sec_WebSocket_Protocol="mqtt, tidings.v1"), 101),
            ("ours on a second line", data(Sec_WebSocket_Protocol=["mqtt", "tidings.v1"]), 101), ("foreign origin", data(Origin="https://evil.example"), 403),
            ("loopback origin", data(Origin="http://localhost:3000"), 101), ("null origin", data(Origin="null"), 403),
            ("unknown parameter", data(path="/v1/ws?nonsense=1"), 400), ("parameter of reading", data(path="/v1/ws?topic=a"), 400), ("no Host", data(drop=["Host"]), 400), ("space in key", data(Sec_WebSocket_Key=nonce[:12] + " " + nonce[13:]), 400),
        ]
        for name, sent, status in cases:
            with self.subTest(name), Wire(self.port) as wire:
                wire.send(sent)
                found, head = self.status_of(wire)
                self.assertEqual(found, status, head)
                if status == 101:
                    self.assertIn(f"Sec-WebSocket-Accept: {accept_of(nonce)}", head)
                if status == 426:
                    self.assertIn("Sec-WebSocket-Version: 13", head)
                    self.assertIn("Upgrade: websocket", head)
                if status == 405:
                    self.assertIn("Allow: ", head)

    def test_frames_behind_the_handshake(self):
        """Frames that a hasty client sends with its handshake are not lost"""
        with Socket(self.port, early=frame(TEXT, b"hasty") + frame(PING, b"p")) as socket:
            self.assertEqual(socket.message(), (TEXT, b"hasty"))
            self.assertEqual(socket.message(), (PONG, b"p"))

    def test_handshake_byte_by_byte(self):
        """A handshake may come byte by byte"""
        nonce = key()
        with Wire(self.port) as wire:
            wire.dribble(handshake("/v1/echo", nonce))
            status, head = self.status_of(wire)
            self.assertEqual(status, 101)
            self.assertIn(accept_of(nonce), head)

    def test_handshake_after_requests(self):
        """A connection that has answered requests may be upgraded, and requests pipelined before are answered first"""
        with Wire(self.port) as wire:
            wire.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nPOST /v1/topics/before/upgrade HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" + handshake("/v1/echo", key()))
            self.assertEqual(wire.answer().body, b"alive\n")
            self.assertEqual(wire.answer().status, 200)
            self.assertEqual(self.status_of(wire)[0], 101)

