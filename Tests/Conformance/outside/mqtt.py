"""MQTT 3.1, 3.1.1 and 5.0 as bytes: packets that any client may send and none may, and a client that judges what it is told."""

import struct

from .wire import Malformed, Wire

V31, V311, V5 = 3, 4, 5
VERSIONS = (V31, V311, V5)

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = 8, 9, 10, 11, 12, 13, 14, 15

PING = b"\xc0\x00"
PONG = b"\xd0\x00"

NO_LOCAL, AS_PUBLISHED, IF_NEW, NEVER = 0x04, 0x08, 0x10, 0x20

PROPERTIES = {
    0x01: ("payload_format", "byte"), 0x02: ("message_expiry", "four"), 0x03: ("content_type", "text"), 0x08: ("response_topic", "text"),
    0x09: ("correlation_data", "data"), 0x0B: ("subscription_identifier", "variable"), 0x11: ("session_expiry", "four"),
    0x12: ("assigned_client_identifier", "text"), 0x13: ("server_keep_alive", "two"), 0x15: ("authentication_method", "text"),
    0x16: ("authentication_data", "data"), 0x17: ("request_problem_information", "byte"), 0x18: ("will_delay", "four"),
    0x19: ("request_response_information", "byte"), 0x1A: ("response_information", "text"), 0x1C: ("server_reference", "text"),
    0x1F: ("reason_string", "text"), 0x21: ("receive_maximum", "two"), 0x22: ("topic_alias_maximum", "two"), 0x23: ("topic_alias", "two"),
    0x24: ("maximum_qos", "byte"), 0x25: ("retain_available", "byte"), 0x26: ("user_property", "pair"), 0x27: ("maximum_packet_size", "four"),
    0x28: ("wildcard_available", "byte"), 0x29: ("identifiers_available", "byte"), 0x2A: ("shared_available", "byte"),
}
IDENTIFIERS = {name: (number, form) for number, (name, form) in PROPERTIES.items()}
REPEATED = {"user_property", "subscription_identifier"}


# -- Writing


def variable(number):
    """A number in as few bytes as it takes."""
    written = b""
    while True:
        number, low = divmod(number, 128)
        written += bytes([low | (0x80 if number else 0)])
        if not number:
            return written


def data(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(value)) + value


def value_of(form, value):
    if form == "byte":
        return bytes([value])
    if form == "two":
        return struct.pack("!H", value)
    if form == "four":
        return struct.pack("!I", value)
    if form == "variable":
        return variable(value)
    if form == "pair":
        return data(value[0]) + data(value[1])
    return data(value)


def inner(**values):
    """Properties in the order given, without their length; a list is one that stands several times."""
    written = b""
    for name, value in values.items():
        number, form = IDENTIFIERS[name]
        for each in value if isinstance(value, list) else [value]:
            written += bytes([number]) + value_of(form, each)
    return written


def block(written):
    return variable(len(written)) + written


def properties(**values):
    return block(inner(**values))


def own(version, written):
    """Properties where the version has them."""
    return block(written) if version == V5 else b""


def packet(kind, flags, body):
    return bytes([kind << 4 | flags]) + variable(len(body)) + body


def connect(client="", version=V5, clean=True, keep_alive=60, will=None, user=None, password=None, flags=None, name=None, level=None, **values):
    """`will` is (topic, payload, qos, retain, properties)."""
    bits = 0x02 if clean else 0
    body = data(client)
    if will:
        topic, payload, qos, retain, more = (*will, *(b"", 0, False, {})[len(will) - 1:])
        bits |= 0x04 | qos << 3 | (0x20 if retain else 0)
        body += own(version, inner(**more)) + data(topic) + data(payload)
    if user is not None:
        bits |= 0x80
        body += data(user)
    if password is not None:
        bits |= 0x40
        body += data(password)
    name = name if name is not None else "MQIsdp" if version == V31 else "MQTT"
    head = data(name) + bytes([version if level is None else level, bits if flags is None else flags]) + struct.pack("!H", keep_alive)
    return packet(CONNECT, 0, head + own(version, inner(**values)) + body)


def publish(topic, payload=b"", qos=0, mid=0, retain=False, dup=False, version=V5, raw=None, **values):
    flags = (0x08 if dup else 0) | qos << 1 | retain
    payload = payload.encode() if isinstance(payload, str) else payload
    identifier = struct.pack("!H", mid) if qos else b""
    return packet(PUBLISH, flags, data(topic) + identifier + own(version, inner(**values) if raw is None else raw) + payload)


def ack(kind, mid, code=None, **values):
    """PUBACK, PUBREC, PUBREL, PUBCOMP; with a code they are those of 5.0."""
    rest = b"" if code is None else bytes([code]) + (properties(**values) if values else b"")
    return packet(kind, 2 if kind == PUBREL else 0, struct.pack("!H", mid) + rest)


def subscribe(mid, *wishes, version=V5, **values):
    """Each wish is (filter, options)."""
    return packet(SUBSCRIBE, 2, struct.pack("!H", mid) + own(version, inner(**values)) + b"".join(data(name) + bytes([options]) for name, options in wishes))


def unsubscribe(mid, *names, version=V5, **values):
    return packet(UNSUBSCRIBE, 2, struct.pack("!H", mid) + own(version, inner(**values)) + b"".join(map(data, names)))


def suback(mid, *codes, version=V5):
    return packet(SUBACK, 0, struct.pack("!H", mid) + own(version, b"") + bytes(codes))


def unsuback(mid, *codes, version=V5):
    return packet(UNSUBACK, 0, struct.pack("!H", mid) + (b"\0" + bytes(codes) if version == V5 else b""))


def connack(code=0, present=False, version=V5, **values):
    return packet(CONNACK, 0, bytes([present, code]) + own(version, inner(**values)))


def disconnect(code=None, **values):
    return packet(DISCONNECT, 0, b"" if code is None else bytes([code]) + (properties(**values) if values else b""))


# -- Reading


class Reader:
    def __init__(self, body):
        self.body = body

    def take(self, count):
        if count > len(self.body):
            raise Malformed("a field reaches past the end of its packet")
        taken, self.body = self.body[:count], self.body[count:]
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def variable(self):
        number, shift = 0, 0
        while True:
            byte = self.number(1)
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                if shift and not byte:
                    raise Malformed("a number longer than need be")
                return number
            shift += 7
            if shift > 21:
                raise Malformed("a number of more than four bytes")

    def data(self):
        return self.take(self.number(2))

    def text(self):
        text = self.data().decode()
        if "\0" in text:
            raise Malformed("a text with a null character")
        return text

    def properties(self):
        reader = Reader(self.take(self.variable()))
        found = {}
        while reader.body:
            number = reader.number(1)
            if number not in PROPERTIES:
                raise Malformed(f"property {number}")
            name, form = PROPERTIES[number]
            read = {
                "byte": lambda: reader.number(1), "two": lambda: reader.number(2), "four": lambda: reader.number(4), "variable": reader.variable,
                "text": reader.text, "data": reader.data, "pair": lambda: (reader.text(), reader.text()),
            }[form]()
            if name in REPEATED:
                found.setdefault(name, []).append(read)
            elif name in found:
                raise Malformed(f"{name} stands twice")
            else:
                found[name] = read
        return found


class Packet:
    """What a server sent: its kind, its bytes, and what stands in them."""

    def __init__(self, first, body, version):
        self.kind, self.flags, self.bytes = first >> 4, first & 0x0F, bytes([first]) + variable(len(body)) + body
        self.properties, self.code, self.mid = {}, None, 0
        self.topic = self.payload = self.codes = None
        reader, has_properties = Reader(body), version == V5
        if self.kind == PUBLISH:
            self.qos, self.retain, self.dup = self.flags >> 1 & 3, bool(self.flags & 1), bool(self.flags & 8)
            if self.qos == 3 or (self.dup and not self.qos):
                raise Malformed(f"flags {self.flags} of PUBLISH")
            self.topic = reader.text()
            if "+" in self.topic or "#" in self.topic:
                raise Malformed(f"topic {self.topic}")
            if self.qos:
                self.mid = reader.number(2)
                if not self.mid:
                    raise Malformed("packet identifier 0")
            if has_properties:
                self.properties = reader.properties()
            self.payload, reader.body = reader.body, b""
        elif self.flags != (2 if self.kind == PUBREL else 0):
            raise Malformed(f"flags {self.flags} of a packet of type {self.kind}")
        elif self.kind == CONNACK:
            self.present = reader.number(1)
            if self.present > 1:
                raise Malformed("reserved flags of CONNACK")
            self.code = reader.number(1)
            if has_properties:
                self.properties = reader.properties()
        elif self.kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
            self.mid, self.code = reader.number(2), 0
            if reader.body and has_properties:
                self.code = reader.number(1)
                if reader.body:
                    self.properties = reader.properties()
        elif self.kind in (SUBACK, UNSUBACK):
            self.mid = reader.number(2)
            if has_properties:
                self.properties = reader.properties()
            self.codes, reader.body = list(reader.body), b""
        elif self.kind == DISCONNECT and has_properties:
            self.code = reader.number(1) if reader.body else 0
            if reader.body:
                self.properties = reader.properties()
        elif self.kind != PINGRESP:
            raise Malformed(f"a server sent a packet of type {self.kind}")
        if reader.body:
            raise Malformed(f"{len(reader.body)} bytes behind a packet of type {self.kind}")

    def __repr__(self):
        return f"<{self.kind} {self.bytes[:200].hex(' ')} {self.properties}>"


class Line(Wire):
    """A connection on which nothing has been said."""

    def __init__(self, port, version=V5, timeout=5.0, **more):
        super().__init__(port, timeout, **more)
        self.version = version

    def packet(self):
        first = self.take(1)[0]
        length, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 21:
                raise Malformed("a length of more than four bytes")
        return Packet(first, self.take(length), self.version)

    def said(self):
        """All packets until the server ends the connection. Fails when it does not end, or ends inside a packet."""
        packets = []
        while True:
            while not self.rest:
                if not self.more():
                    return packets
            packets.append(self.packet())


class Client(Line):
    """A connection that was accepted."""

    def __init__(self, port, client="", version=V5, timeout=5.0, receive_buffer=None, **more):
        super().__init__(port, version, timeout, receive_buffer=receive_buffer)
        self.mid = 0
        self.early = []
        self.send(connect(client, version, **more))
        self.welcome = self.packet()
        if self.welcome.kind != CONNACK or self.welcome.code != 0:
            raise ConnectionError(f"not accepted: {self.welcome}")

    def next_mid(self):
        self.mid += 1
        return self.mid

    def publish(self, topic, payload=b"", qos=0, **more):
        """Publishes and waits until it is acknowledged; the code of QoS 1 and 2."""
        mid = self.next_mid() if qos else 0
        self.send(publish(topic, payload, qos, mid, version=self.version, **more))
        if not qos:
            return 0
        answer = self.packet()
        if (answer.kind, answer.mid) != (PUBACK if qos == 1 else PUBREC, mid):
            raise Malformed(f"{answer} instead of an acknowledgement")
        if qos == 2 and answer.code < 0x80:
            self.send(ack(PUBREL, mid))
            done = self.packet()
            if (done.kind, done.mid, done.code) != (PUBCOMP, mid, 0):
                raise Malformed(f"{done} instead of PUBCOMP")
        return answer.code

    def subscribe(self, *wishes, **values):
        """Subscribes; hands back the codes, and the messages that came before them."""
        mid, before = self.next_mid(), []
        self.send(subscribe(mid, *wishes, version=self.version, **values))
        while (answer := self.packet()).kind == PUBLISH:
            before.append(answer)
        if (answer.kind, answer.mid) != (SUBACK, mid):
            raise Malformed(f"{answer} instead of SUBACK")
        return answer.codes, before

    def unsubscribe(self, *names):
        mid = self.next_mid()
        self.send(unsubscribe(mid, *names, version=self.version))
        answer = self.packet()
        if (answer.kind, answer.mid) != (UNSUBACK, mid):
            raise Malformed(f"{answer} instead of UNSUBACK")
        return answer.codes

    def message(self):
        """The next message, not acknowledged."""
        if self.early:
            return self.early.pop(0)
        answer = self.packet()
        if answer.kind != PUBLISH:
            raise Malformed(f"{answer} instead of a message")
        return answer

    def receive(self):
        """The next message, with the whole of its handshake."""
        message = self.message()
        if message.qos == 1:
            self.send(ack(PUBACK, message.mid))
        elif message.qos == 2:
            self.send(ack(PUBREC, message.mid))
            while (release := self.packet()).kind == PUBLISH:
                self.early.append(release)
            if (release.kind, release.mid, release.code) != (PUBREL, message.mid, 0):
                raise Malformed(f"{release} instead of PUBREL")
            self.send(ack(PUBCOMP, message.mid))
        return message

    def nothing_else(self):
        """That nothing is left, or was on its way before an answer to PINGREQ: everything sent before is done."""
        if self.early:
            raise Malformed(f"{self.early} came")
        self.send(PING)
        answer = self.packet()
        if answer.bytes != PONG:
            raise Malformed(f"{answer} came")
