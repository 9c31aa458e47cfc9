"""RFC 7692 from outside: offers, and compressed messages of every size in every agreement."""

import json
import os
import random
import time
import zlib

from outside.frames import (
    BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Socket, chopped, closing, deflated, fragments, frame)
from test_websocket import BAD_DATA, NORMAL, PROTOCOL_ERROR, TOO_BIG, Echo

PLAIN = "permessage-deflate"
OFFERS = [
    PLAIN, f"{PLAIN}; client_max_window_bits", f"{PLAIN}; client_no_context_takeover", f"{PLAIN}; server_no_context_takeover",
    f"{PLAIN}; client_no_context_takeover; server_no_context_takeover", f"{PLAIN}; client_max_window_bits=9", f"{PLAIN}; client_max_window_bits=15",
    *[f"{PLAIN}; server_max_window_bits={bits}" for bits in range(9, 16)],
    f"{PLAIN}; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9",
    f"{PLAIN}; server_max_window_bits=8, {PLAIN}; client_max_window_bits",
]
COMPRESSED = 4


def payloads():
    generator = random.Random(7692)
    words = ["tidings", "shard", "cursor", "reader", "κόσμε", "€uro", "42", "{}"]
    text = " ".join(generator.choice(words) for _ in range(40_000)).encode()
    binary = generator.randbytes(1 << 17)
    for size in (0, 1, 16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072):
        yield TEXT, text[:size].decode(errors="ignore").encode()
        yield BINARY, binary[:size]


class Compression(Echo):
    def test_offers(self):
        """An offer is met as RFC 7692 allows, or not at all"""
        met = [
            *OFFERS, f"{PLAIN}; server_max_window_bits=\"10\"", f"{PLAIN};client_max_window_bits", f"x-webkit-deflate-frame, {PLAIN}", f"foo; bar=baz, {PLAIN}; client_max_window_bits",
            f"{PLAIN}; unknown=1, {PLAIN}", f"{PLAIN}; server_max_window_bits=16, {PLAIN}",
        ]
        declined = [
            f"{PLAIN}; server_max_window_bits=7", f"{PLAIN}; server_max_window_bits=16", f"{PLAIN}; server_max_window_bits", f"{PLAIN}; server_max_window_bits=010",
            f"{PLAIN}; client_max_window_bits=7", f"{PLAIN}; client_max_window_bits=16", f"{PLAIN}; server_no_context_takeover=1", f"{PLAIN}; client_no_context_takeover=true",
            f"{PLAIN}; server_no_context_takeover; server_no_context_takeover", f"{PLAIN}; unknown", "x-webkit-deflate-frame", "permessage-bzip2", f"{PLAIN}; ; x",
            f"{PLAIN}; client_max_window_bits=abc", "", ",", f"{PLAIN}; server_max_window_bits=10; server_max_window_bits=10",
        ]
        for offer in met:
            with self.subTest(offer), Socket(self.port, offer=offer) as socket:
                self.check(socket.extensions, offer)
                socket.send(frame(TEXT, deflated(b"hello " * 50), reserved=COMPRESSED))
                self.assertEqual(socket.message(), (TEXT, b"hello " * 50))
        for offer in declined:
            with self.subTest(offer), Socket(self.port, headers=[f"Sec-WebSocket-Extensions: {offer}"]) as socket:
                self.assertIsNone(socket.extensions)
                socket.send(frame(TEXT, b"plain"))
                self.assertEqual(socket.message(), (TEXT, b"plain"))

    def check(self, answer, offer):
        self.assertIsNotNone(answer, offer)
        name, *parameters = [part.strip() for part in answer.split(";")]
        self.assertEqual(name, PLAIN)
        values = dict(part.partition("=")[::2] for part in parameters)
        self.assertEqual(len(values), len(parameters), "a parameter twice")
        self.assertLessEqual(values.keys(), {"server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits"})
        if "client_max_window_bits" not in offer:
            self.assertNotIn("client_max_window_bits", values, "a limit that the client did not say it can keep")
        if "server_no_context_takeover" in offer:
            self.assertIn("server_no_context_takeover", values)
        asked = [part.partition("=")[2].strip('"') for part in offer.replace(",", ";").split(";") if "server_max_window_bits=" in part]
        if "server_max_window_bits" in values:
            self.assertIn(values["server_max_window_bits"], asked)
            self.assertIn(int(values["server_max_window_bits"]), range(8, 16))

    def test_messages(self):
        """Messages of every size and kind come back right under every agreement"""
        for offer in OFFERS:
            with Socket(self.port, offer=offer, timeout=20) as socket:
                bits = 9 if "client_max_window_bits=9" in (socket.extensions or "") else 15
                for opcode, payload in payloads():
                    with self.subTest(f"{offer}: {opcode} of {len(payload)}"):
                        packed = deflated(payload, bits=bits)
                        socket.send(frame(opcode, packed, reserved=COMPRESSED))
                        self.assertTrue(socket.message() == (opcode, payload))
                        socket.send(frame(opcode, payload))
                        self.assertTrue(socket.message() == (opcode, payload), "sent plain")
                        if len(packed) > 3:
                            third = len(packed) // 3
                            socket.send(fragments(opcode, [packed[:third], packed[third:2 * third], packed[2 * third:]], reserved=COMPRESSED))
                            self.assertTrue(socket.message() == (opcode, payload), "in three fragments")
                socket.send(closing(1000))
                self.assertEqual(socket.everything_said(), [(CLOSE, 1000, "")])

    def test_forms_of_deflate(self):
        """Every form of deflate data that RFC 7692 allows is understood"""
        text = ("Every form. " * 100).encode()
        final = zlib.compressobj(6, zlib.DEFLATED, -15)
        finished = final.compress(text) + final.flush(zlib.Z_FINISH)
        first = deflated(b"first ", tail=True)
        cases = [
            ("stored", deflated(text, level=0), text), ("fixed codes", deflated(text, strategy=zlib.Z_FIXED), text), ("huffman alone", deflated(text, strategy=zlib.Z_HUFFMAN_ONLY), text),
            ("best", deflated(text, level=9), text), ("small window", deflated(text, bits=9), text), ("final block and a zero", finished + b"\x00", text),
            ("two blocks", first + deflated(b"second"), b"first second"), ("RFC 7692 7.2.3.1", bytes.fromhex("f248cdc9c90700"), b"Hello"),
            ("RFC 7692 7.2.3.3", bytes.fromhex("000500faff48656c6c6f00"), b"Hello"), ("RFC 7692 7.2.3.4", bytes.fromhex("f348cdc9c9070000"), b"Hello"),
            ("RFC 7692 7.2.3.5", bytes.fromhex("f24805000000ffffcac9c90700"), b"Hello"), ("empty, 7.2.3.6", b"\x00", b""), ("empty, fixed", b"\x02\x00", b""),
        ]
        for name, packed, plain in cases:
            with self.subTest(name), Socket(self.port, offer=PLAIN) as socket:
                for _ in range(2):
                    socket.send(frame(TEXT, packed, reserved=COMPRESSED))
                    self.assertEqual(socket.message(), (TEXT, plain))

    def test_wrong_uses(self):
        """Compressed data that is invalid, not text, too big, or marked wrongly ends the connection"""
        squeeze = lambda data: frame(TEXT, deflated(data), reserved=COMPRESSED)
        bomb = deflated(b"\0" * (33 << 20), level=9)
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        sentence = random.Random(3).randbytes(300).hex().encode()
        before = (packer.compress(sentence) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        leaning = (packer.compress(sentence) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        cases = [
            ("no deflate at all", frame(TEXT, b"\xff\xff\xff\xff", reserved=COMPRESSED), [BAD_DATA]), ("reserved block", frame(TEXT, b"\x07", reserved=COMPRESSED), [BAD_DATA]),
            ("stored lengths differ", frame(BINARY, b"\x00\x05\x00\x00\x00hello", reserved=COMPRESSED), [BAD_DATA]), ("cut short", frame(BINARY, deflated(os.urandom(500))[:-40], reserved=COMPRESSED), [BAD_DATA]),
            ("not text inside", squeeze(b"\xed\xa0\x80"), [BAD_DATA]), ("half a character inside", squeeze(b"abc\xe2\x82"), [BAD_DATA]), ("a bomb", frame(BINARY, bomb, reserved=COMPRESSED), [TOO_BIG]),
            ("leaning on the message before", frame(TEXT, before, reserved=COMPRESSED) + frame(TEXT, leaning, reserved=COMPRESSED), [(TEXT, sentence), BAD_DATA]),
            ("bit on a continuation", frame(TEXT, deflated(b"a"), final=False, reserved=COMPRESSED) + frame(CONTINUATION, b"", reserved=COMPRESSED), [PROTOCOL_ERROR]),
            ("bit on a later continuation", frame(TEXT, b"a", final=False) + frame(CONTINUATION, b"", reserved=COMPRESSED), [PROTOCOL_ERROR]),
            ("bit on a ping", frame(PING, b"a", reserved=COMPRESSED), [PROTOCOL_ERROR]), ("bit on a close", frame(CLOSE, b"\x03\xe8", reserved=COMPRESSED), [PROTOCOL_ERROR]),
            ("another bit", frame(TEXT, b"a", reserved=2), [PROTOCOL_ERROR]), ("another bit too", frame(TEXT, deflated(b"a"), reserved=COMPRESSED | 1), [PROTOCOL_ERROR]),
            ("plain text that is not text", frame(TEXT, b"\xff"), [BAD_DATA]), ("plain text, unfinished", frame(TEXT, b"\xff", length=5000, form=16), [BAD_DATA]),
            ("distance too far back", frame(BINARY, bytes.fromhex("4a04020000ffff"), reserved=COMPRESSED), [BAD_DATA]),
        ]
        self.run_cases(cases, offer=PLAIN)

    def test_control_between_compressed_fragments(self):
        """Pings between the fragments of a compressed message are answered in between"""
        packed = deflated(b"between " * 100)
        with Socket(self.port, offer=PLAIN) as socket:
            socket.send(frame(TEXT, packed[:5], final=False, reserved=COMPRESSED) + frame(PING, b"x") + frame(CONTINUATION, packed[5:]))
            self.assertEqual(socket.message(), (PONG, b"x"))
            self.assertEqual(socket.message(), (TEXT, b"between " * 100))

    def test_a_thousand(self):
        """A thousand compressed messages come back in order, and fast"""
        for offer in (PLAIN, f"{PLAIN}; server_max_window_bits=9", f"{PLAIN}; client_no_context_takeover; client_max_window_bits"):
            for size in (16, 1024, 8192):
                with self.subTest(f"{offer}, {size}"), Socket(self.port, offer=offer, timeout=20) as socket:
                    text = json.dumps({"payload": "tidings " * (size // 8)})
                    began = time.monotonic()
                    for start in range(0, 1000, 100):
                        messages = [f"{index}{text}".encode() for index in range(start, start + 100)]
                        socket.send(b"".join(frame(TEXT, deflated(each, level=1), reserved=COMPRESSED) for each in messages))
                        for each in messages:
                            self.assertTrue(socket.message() == (TEXT, each))
                    self.assertLess(time.monotonic() - began, 5)

    def test_big(self):
        """Compressed messages of megabytes come back"""
        for size in (1 << 20, 8 << 20, 16 << 20):
            payload = (b"compressible %d " % size) * (size // 20)
            with self.subTest(size), Socket(self.port, offer=PLAIN, timeout=20) as socket:
                packed = deflated(payload, level=1)
                socket.send(fragments(BINARY, chopped(packed, 4096), reserved=COMPRESSED) + closing(NORMAL))
                self.judge(socket.everything_said(20), [(BINARY, payload), NORMAL])
