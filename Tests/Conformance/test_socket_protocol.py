"""tidings.v1 over a bare WebSocket: every operation, every answer, and what is said of wrong ones."""

import base64
import json
import threading
import time

from harness.node import until
from outside.frames import BINARY, CLOSE, PING, PONG, TEXT, Socket, closing, deflated, frame
from outside.node import NodeTest
from outside.streams import fold
from outside.wire import Ended
from test_publishing import CURSOR, POSITION, TIME
from test_resuming import FOREIGN

DEFLATE = "permessage-deflate; client_max_window_bits"


class Client(Socket):
    """Speaks tidings.v1; pings are answered on the way."""

    def __init__(self, port, offer=None, **more):
        super().__init__(port, "/v1/ws", offer=offer, protocol="tidings.v1", **more)
        self.welcome = self.next()
        self.pings = 0

    def say(self, *values):
        data = b""
        for value in values:
            text = (value if isinstance(value, str) else json.dumps(value)).encode()
            data += frame(TEXT, deflated(text), reserved=4) if self.extensions else frame(TEXT, text)
        self.send(data)
        return self

    def next(self, op=None):
        while True:
            message = self.message()
            if message[0] == PING:
                self.pings += 1
                self.send(frame(PONG, message[1]))
                continue
            if message[0] == PONG:
                continue
            if message[0] == CLOSE:
                raise Ended(f"closed: {message}")
            assert message[0] == TEXT, message
            value = json.loads(message[1])
            if op is None or value["op"] == op:
                return value

    def subscribe(self, *topics, id="s1", **start):
        self.say({"op": "subscribe", "id": id, "topics": list(topics), **start})
        return self.next("subscribed")

    def events(self, count):
        return [self.next("event") for _ in range(count)]


class Protocol(NodeTest):
    options = ("--heartbeat", "1s")

    def test_welcome(self):
        """The welcome names node, cluster and heartbeat, and the subprotocol is agreed on"""
        for offer in (None, DEFLATE):
            with Client(self.port, offer) as client:
                self.assertEqual(client.protocol, "tidings.v1")
                self.assertEqual(client.extensions is not None, offer is not None)
                self.assertEqual(client.welcome["op"], "welcome")
                cluster = self.ask("GET", "/v1/cluster").json()
                self.assertEqual(client.welcome["cluster"], cluster["cluster"]["id"])
                self.assertEqual(client.welcome["node"], cluster["nodes"][0]["id"])
                self.assertGreater(client.welcome["heartbeat"], 0)

    def test_subscribe_and_follow(self):
        """A subscription is confirmed with its cursor, and events come with all members of an event"""
        for offer in (None, DEFLATE):
            root = "ws/deflated" if offer else "ws/plain"
            with self.subTest(offer), Client(self.port, offer) as client:
                confirmed = client.subscribe(f"{root}/#")
                self.assertEqual((confirmed["id"], confirmed["resumed"]), ("s1", False))
                self.assertRegex(confirmed["cursor"], CURSOR)
                self.publish(f"{root}/a", '{"n":1}', {"Content-Type": "application/json", "Tidings-Event": "t"})
                self.publish(f"{root}/b", "text €")
                self.publish(f"{root}/c", b"\xff\x00")
                first, second, third = sorted(client.events(3), key=lambda event: event["topic"])
                self.assertEqual((first["topic"], first["type"], first["datacontenttype"], first["data"]), (f"{root}/a", "t", "application/json", {"n": 1}))
                self.assertRegex(first["position"], POSITION)
                self.assertRegex(first["time"], TIME)
                self.assertEqual(second["data"], "text €")
                self.assertEqual(base64.b64decode(third["data_base64"]), b"\xff\x00")
                self.publish(f"{root}/big", "x" * 300_000)
                self.assertEqual(len(client.events(1)[0]["data"]), 300_000)

    def test_resume(self):
        """Folding positions into the cursor resumes exactly, on this and on every other transport"""
        with Client(self.port) as client:
            cursor = client.subscribe("fold/#")["cursor"]
            for index in range(10):
                self.publish(f"fold/{index}", str(index))
            seen = []
            for event in client.events(6):
                seen.append(event["data"])
                cursor = fold(cursor, "~".join(cursor.split("~")[:2] + [event["position"]]))
        with Client(self.port) as client:
            confirmed = client.subscribe("fold/#", cursor=cursor)
            self.assertTrue(confirmed["resumed"])
            seen += [event["data"] for event in client.events(4)]
        self.assertEqual(sorted(seen), [str(index) for index in range(10)])
        rest = self.ask("GET", f"/v1/events?topic=fold/%23&cursor={cursor}").json()["events"]
        self.assertEqual(sorted(event["data"] for event in rest), sorted(seen[6:]))

    def test_starts(self):
        """since, last and retained begin as they do over HTTP"""
        for index in range(4):
            self.publish("begin/a", f"a{index}", method="PUT")
        self.publish("begin/b", "b0")
        cases = [({"since": "earliest"}, ["a0", "a1", "a2", "a3", "b0"]), ({"last": 1}, ["a3", "b0"]), ({"since": "5m"}, ["a0", "a1", "a2", "a3", "b0"]), ({"retained": True}, ["a3"]), ({"last": 2}, ["a2", "a3", "b0"]), ({"since": "2001-01-01T00:00:00Z"}, ["a0", "a1", "a2", "a3", "b0"])]
        for start, expected in cases:
            with self.subTest(start), Client(self.port) as client:
                client.say({"op": "subscribe", "id": "s", "topics": ["begin/#"], **start})
                found = []
                while len(found) < len(expected):
                    message = client.next()
                    if message["op"] == "event":
                        found.append(message["data"])
                self.assertEqual(sorted(found), expected)
        with Client(self.port) as client:
            client.say({"op": "subscribe", "id": "s", "topics": ["begin/#"], "since": "latest"})
            client.next("subscribed")
            self.publish("begin/b", "b1")
            self.assertEqual(client.events(1)[0]["data"], "b1")

    def test_many_subscriptions(self):
        """A connection has one set of filters: an event comes once however many match, and unsubscribing takes one away"""
        with Client(self.port) as client:
            client.subscribe("many/#", id="a")
            client.subscribe("many/x", "many/+", id="b")
            client.subscribe("else/y", id=7)
            self.publish("many/x", "1")
            self.publish("else/y", "2")
            self.publish("many/x", "3")
            self.assertEqual(sorted(event["data"] for event in client.events(3)), ["1", "2", "3"])
            client.say({"op": "unsubscribe", "id": "a"})
            self.assertEqual(client.next("unsubscribed")["id"], "a")
            self.publish("many/x/deep", "no longer")
            self.publish("many/x", "4")
            self.assertEqual(client.events(1)[0]["data"], "4")
            client.say({"op": "unsubscribe", "id": "b"}, {"op": "unsubscribe", "id": 7})
            client.next("unsubscribed")
            client.next("unsubscribed")
            self.publish("many/x", "unheard")
            client.say({"op": "ping", "ref": "end"})
            self.assertEqual(client.next(), {"op": "pong", "ref": "end"})
            client.subscribe("many/x", id="a")
            self.publish("many/x", "5")
            self.assertEqual(client.events(1)[0]["data"], "5")

    def test_subscribing_amid_events(self):
        """Subscriptions that come and go in a storm of events miss and double nothing of the one that stays"""
        with Client(self.port, timeout=20) as client:
            client.subscribe("storm/#", id="stays")
            stop = threading.Event()
            sent = [0]

            def storm():
                while not stop.is_set() and sent[0] < 3000:
                    self.publish(f"storm/{sent[0] % 5}", str(sent[0]))
                    sent[0] += 1
            thread = threading.Thread(target=storm)
            thread.start()
            for index in range(40):
                client.say({"op": "subscribe", "id": f"x{index}", "topics": [f"storm/{index % 5}", f"other/{index}"]})
                if index % 2:
                    client.say({"op": "unsubscribe", "id": f"x{index - 1}"})
                time.sleep(0.005)
            stop.set()
            thread.join()
            client.say({"op": "publish", "topic": "storm/end", "data": "end"})
            seen = []
            while True:
                event = client.next("event")
                if event["data"] == "end":
                    break
                seen.append(int(event["data"]))
        self.assertEqual(sorted(seen), list(range(sent[0])))
        for lane in range(5):
            own = [each for each in seen if each % 5 == lane]
            self.assertEqual(own, sorted(own))

    def test_publish(self):
        """Publishing answers ref, position and duplicate; values are kept; binary frames carry any bytes"""
        with Client(self.port) as client:
            client.say({"op": "publish", "ref": "p1", "topic": "pub/a", "data": {"n": 1}, "type": "t", "key": "k"}, {"op": "publish", "ref": 2, "topic": "pub/a", "data": {"n": 1}, "type": "t", "key": "k"})
            first, second = client.next("published"), client.next("published")
            self.assertEqual((first["ref"], first["duplicate"], second["ref"], second["duplicate"]), ("p1", False, 2, True))
            self.assertEqual(first["position"], second["position"])
            self.assertRegex(first["position"], POSITION)
            client.say({"op": "publish", "ref": "r", "topic": "pub/value", "data": "kept", "retain": True})
            client.next("published")
            self.assertEqual(self.ask("GET", "/v1/topics/pub/value").body, b"kept")
            client.send(frame(BINARY, json.dumps({"topic": "pub/binary", "ref": "b", "datacontenttype": "image/png"}).encode() + b"\n" + bytes(range(256))))
            self.assertEqual(client.next("published")["ref"], "b")
            event = self.ask("GET", "/v1/history?topic=pub/binary").json()["events"][0]
            self.assertEqual((base64.b64decode(event["data_base64"]), event["datacontenttype"]), (bytes(range(256)), "image/png"))
            client.say({"op": "publish", "topic": "pub/none"})
            self.assertNotIn("ref", client.next("published"))
            client.say({"op": "publish", "ref": "c", "topic": "pub/a", "data": 1, "ifMatch": "0"})
            error = client.next("error")
            self.assertEqual((error["ref"], error["code"]), ("c", "precondition-failed"))
            count = 1000
            client.say(*[{"op": "publish", "ref": index, "topic": f"pub/many/{index % 7}", "data": index} for index in range(count)])
            self.assertEqual(sorted(client.next("published")["ref"] for _ in range(count)), list(range(count)))

    def test_wrong_operations(self):
        """Each wrong operation is answered with an error that names it, and the connection goes on"""
        cases = [
            ("nonsense", None), ("{", None), ("[]", None), ("5", None), ('"subscribe"', None), ("{}", None), ('{"op":5}', None), ('{"op":"dance","ref":"r"}', "r"), ('{"op":"subscribe"}', None), ('{"op":"subscribe","id":"s"}', "s"), ('{"op":"subscribe","id":"s","topics":[]}', "s"), ('{"op":"subscribe","id":"s","topics":[5]}', "s"),
            ('{"op":"subscribe","id":"s","topics":["a/#/b"]}', "s"), ('{"op":"subscribe","id":"s","topics":["a"],"cursor":"x"}', "s"), ('{"op":"subscribe","id":"s","topics":["a"],"since":"then"}', "s"), ('{"op":"subscribe","id":"s","topics":["a"],"last":-1}', "s"), ('{"op":"subscribe","id":"s","topics":["a"],"curser":"x"}', "s"), ('{"op":"subscribe","topics":["a"]}', None),
            ('{"op":"unsubscribe","id":"never"}', "never"), ('{"op":"unsubscribe"}', None), ('{"op":"publish","ref":"r"}', "r"), ('{"op":"publish","ref":"r","topic":"a/#","data":1}', "r"), ('{"op":"publish","ref":"r","topic":"","data":1}', "r"), ('{"op":"publish","ref":"r","topic":"$SYS/a","data":1}', "r"), ('{"op":"publish","ref":"r","topic":"a","data_base64":"!"}', "r"),
            ('{"op":"publish","ref":"r","topic":"a","data":1,"data_base64":"AA=="}', "r"), ('{"op":"publish","ref":"r","topic":5,"data":1}', "r"), ('{"op":"ack","ref":"r"}', "r"), ('{"op":"ack","ref":"r","consumer":"c","cursor":"x"}', "r"), ('{"op":"subscribe","id":"s","topics":["a"]} trailing', None), ('{"op":"subscribe","id":"' + "i" * 300 + '","topics":["a"]}', None), ('{"op":"presence","ref":"r"}', "r"), ("", None), (" ", None), ("\u0000", None), ("[" * 1000, None),
        ]
        with Client(self.port) as client:
            for text, name in cases:
                with self.subTest(text[:80]):
                    client.say(text)
                    error = client.next()
                    self.assertEqual(error["op"], "error", error)
                    self.assertRegex(error["code"], r"^[a-z-]+$")
                    self.assertGreater(len(error["detail"]), 10)
                    if name is not None:
                        self.assertIn(name, (error.get("ref"), error.get("id")))
            for data in (b"", b"no line", b"{}\nx", b"nonsense\nx", b'{"topic":"a/+"}\nx', b"\n", b"\xff\n"):
                with self.subTest(data):
                    client.send(frame(BINARY, data))
                    self.assertEqual(client.next()["op"], "error")
            client.say({"op": "ping"})
            self.assertEqual(client.next(), {"op": "pong"})
            client.subscribe("still/here", id="twice")
            client.say({"op": "subscribe", "id": "twice", "topics": ["b"]})
            self.assertEqual(client.next("error")["id"], "twice")
            self.publish("still/here", "yes")
            self.assertEqual(client.events(1)[0]["data"], "yes")
            document = client.say('{"op":"publish",\n "topic":oops}').next("error")
            self.assertIn("line 2", document["detail"])
            self.assertIn("column", document["detail"])

    def test_gaps(self):
        """A cursor of another cluster or of the future is told as a gap, then everything from there on"""
        here = self.publish("wsgap/a", "1")
        cluster, shard = here["cursor"].split("~")[1], here["position"].split(".")[0]
        for cursor, reason, data in ((FOREIGN, "foreign", ["1"]), (f"v1~{cluster}~{shard}.7777777", "future", [])):
            with self.subTest(reason), Client(self.port) as client:
                client.say({"op": "subscribe", "id": "s", "topics": ["wsgap/a"], "cursor": cursor})
                gap = client.next("gap")
                self.assertEqual((gap["reason"], gap["from"]), (reason, cursor))
                self.assertRegex(gap["to"], CURSOR)
                self.assertEqual([event["data"] for event in client.events(len(data))], data)

    def test_ack(self):
        """ack over the socket moves a named consumer"""
        self.ask("GET", "/v1/events?consumer=by-socket&topic=acked/%23&ack=explicit")
        cursor = self.publish("acked/a", "1")["cursor"]
        with Client(self.port) as client:
            client.say({"op": "ack", "consumer": "by-socket", "cursor": cursor})
            position = cursor.split("~")[2]
            until(lambda: position in self.ask("GET", "/v1/consumers/by-socket").json()["cursor"], 5, "the acknowledgement")

    def test_heartbeat_and_limits(self):
        """Idle sockets are pinged, following or not; messages past --max-message end with 1009; frames unmasked with 1002"""
        for topics in ((), ("quiet/#",)):
            with self.subTest(topics), Client(self.port, timeout=4) as client:
                if topics:
                    client.subscribe(*topics)
                began = time.monotonic()
                self.assertEqual(client.message()[0], PING)
                self.assertLess(time.monotonic() - began, 3)
        for data, code in ((frame(TEXT, b"", length=(1 << 20) + 1, form=64), 1009), (frame(TEXT, b"{}", mask=None), 1002), (frame(TEXT, b"\xff"), 1007), (closing(1000), 1000), (closing(1001, b"bye"), 1001)):
            with self.subTest(code), Client(self.port) as client:
                client.send(data)
                self.assertEqual(client.everything_said()[-1][:2], (CLOSE, code))
        with Client(self.port) as client:
            big = {"op": "publish", "ref": "big", "topic": "limit/big", "data": "x" * ((1 << 20) - 200)}
            self.assertEqual(client.say(big).next("published")["ref"], "big")

    def test_a_reader_that_stalls(self):
        """A socket that does not read for a while gets everything when it does, in order, and delays nobody"""
        with Client(self.port, receive_buffer=4096, timeout=20) as lazy, Client(self.port, timeout=20) as eager:
            lazy.subscribe("lazy/#")
            eager.subscribe("lazy/#")
            body = "x" * 20_000
            for index in range(300):
                self.publish("lazy/a", f"{index} {body}")
                self.assertEqual(int(eager.events(1)[0]["data"].split()[0]), index)
            self.assertEqual([int(event["data"].split()[0]) for event in lazy.events(300)], list(range(300)))
