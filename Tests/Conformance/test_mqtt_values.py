"""MQTT from outside: retained messages, and wills."""

import time

from outside.mqtt import (
    AS_PUBLISHED, IF_NEW, NEVER, PING, PINGRESP, PUBACK, PUBLISH, PUBREC, SUBACK, V31, V311, V5, VERSIONS, ack, disconnect, publish, subscribe)
from outside.mqtt_node import MALFORMED, MQTTTest


class Retained(MQTTTest):
    def values(self, client, *wishes, **more):
        """Subscribes, and hands back the retained messages that came, by topic."""
        codes, before = client.subscribe(*wishes, **more)
        client.send(PING)
        while (said := client.packet()).kind != PINGRESP:
            if said.qos:
                client.send(ack(PUBACK if said.qos == 1 else PUBREC, said.mid))
            before.append(said)
        return {each.topic: each for each in before}

    def test_set_replace_clear(self):
        """A retained message is kept, replaced by the next and cleared by an empty one [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT-3.3.1-8]"""
        for version in VERSIONS:
            with self.subTest(version):
                writer = self.client("keeper", version)
                reader = self.client("late", version)
                topic = f"kept/{version}"
                self.assertEqual(self.values(reader, (topic, 0)), {})
                writer.publish(topic, "first", 1, retain=True)
                # To who is subscribed already it is a message like any other.
                self.assertEqual(reader.packet().bytes, publish(topic, "first", version=version))
                writer.publish(topic, "passing", 1)
                self.assertEqual(reader.packet().bytes, publish(topic, "passing", version=version))
                late = self.client("later", version)
                self.assertEqual(self.values(late, (topic, 0))[topic].bytes, publish(topic, "first", retain=True, version=version))
                writer.publish(topic, "second", 2, retain=True)
                self.assertEqual(late.message().payload, b"second")
                self.assertEqual(self.values(self.client("latest", version), (topic, 0))[topic].payload, b"second")
                writer.publish(topic, b"", 1, retain=True)
                self.assertEqual(late.packet().bytes, publish(topic, b"", version=version))
                self.assertEqual(self.values(self.client("none", version), (topic, 0)), {})

    def test_wildcards(self):
        """A wildcard brings every retained message under it, once [MQTT-3.3.1-9]"""
        writer = self.client("filler")
        for number in range(40):
            writer.publish(f"wild/{number}/x", str(number), 1, retain=True)
        got = self.values(self.client("wildcards"), ("wild/+/x", 1))
        self.assertEqual({int(each.payload) for each in got.values()}, set(range(40)))
        self.assertTrue(all(each.retain and each.qos == 1 for each in got.values()))

    def test_handling(self):
        """Retain handling 0 always, 1 for new subscriptions only, 2 never [MQTT-3.3.1-9] [MQTT-3.8.4-4] [MQTT-3.3.1-10] [MQTT-3.3.1-11]"""
        self.publish("handled", "x", method="PUT")
        client = self.client("handling")
        self.assertEqual(set(self.values(client, ("handled", IF_NEW))), {"handled"})
        self.assertEqual(self.values(client, ("handled", IF_NEW)), {})
        self.assertEqual(set(self.values(client, ("handled", 0))), {"handled"})
        self.assertEqual(set(self.values(client, ("handled", 0))), {"handled"})
        self.assertEqual(self.values(client, ("handled", NEVER)), {})
        client.unsubscribe("handled")
        self.assertEqual(self.values(client, ("handled", NEVER)), {})
        client.unsubscribe("handled")
        self.assertEqual(set(self.values(client, ("handled", IF_NEW))), {"handled"})

    def test_as_published(self):
        """The retain flag of live messages is kept for who asks for it [MQTT-3.3.1-12] [MQTT-3.3.1-13]"""
        asks, plain = self.client("as published"), self.client("plain")
        asks.subscribe(("published/as", AS_PUBLISHED | 1))
        plain.subscribe(("published/as", 1))
        writer = self.client("writer")
        for retain, payload in ((True, "x"), (False, "y"), (True, b"")):
            writer.publish("published/as", payload, 1, retain=retain)
            self.of(asks.receive(), retain=retain)
            self.of(plain.receive(), retain=False)

    def test_more_than_window(self):
        """More retained messages of QoS 1 and 2 than the client's receive maximum all come, as it acknowledges"""
        writer = self.client("filler")
        count = 200
        for number in range(count):
            self.publish(f"flood/{number}", f"{number}", method="PUT")
        for number in range(0, count, 9):
            writer.publish(f"flood/{number}", f"{number}", 1, retain=True)
        for version, more in ((V5, {"receive_maximum": 3}), (V5, {"receive_maximum": 1}), (V311, {})):
            with self.subTest(version=version, **more):
                client = self.client("flooded", version, **more)
                codes, got = client.subscribe(("flood/+", 2))
                window = more.get("receive_maximum", 1024)
                self.assertLessEqual(len(got), window)
                # Acknowledges one after another, and sees everything once.
                client.early = got
                seen = [client.receive() for _ in range(count)]
                self.assertEqual(sorted(int(each.payload) for each in seen), list(range(count)))
                self.assertTrue(all(each.retain for each in seen))
                client.nothing_else()

    def test_known_while_pending(self):
        """A filter subscribed to twice in one write is new once: its retained message comes once [MQTT-3.3.1-10]"""
        self.publish("twice", "x", method="PUT")
        client = self.client("twice")
        client.send(subscribe(1, ("twice", IF_NEW)) + subscribe(2, ("twice", IF_NEW)) + subscribe(3, ("elsewhere", 0)))
        said = [client.packet() for _ in range(4)]
        self.assertEqual([each.mid for each in said if each.kind == SUBACK], [1, 2, 3])
        self.assertEqual([each.payload for each in said if each.kind == PUBLISH], [b"x"])
        # A second one would have been read from the log with the first of what comes now.
        self.publish("twice", "y")
        self.of(client.message(), payload=b"y", retain=False)
        client.nothing_else()

    def test_shared_with_http(self):
        """PUT and DELETE of HTTP set and clear what MQTT retains, and the reverse"""
        client = self.client("both ways")
        self.ask("PUT", "/v1/topics/both/a", {"Content-Type": "text/css"}, "by HTTP")
        got = self.values(client, ("both/+", 1))
        self.of(got["both/a"], payload=b"by HTTP", retain=True, content_type="text/css", qos=1)
        client.publish("both/b", "by MQTT", 1, retain=True, content_type="text/plain")
        answer = self.ask("GET", "/v1/topics/both/b")
        self.assertEqual((answer.body, answer["Content-Type"]), (b"by MQTT", "text/plain"))
        self.assertEqual(client.receive().payload, b"by MQTT")
        self.ask("DELETE", "/v1/topics/both/a")
        self.of(client.receive(), topic="both/a", payload=b"")
        client.publish("both/b", b"", 1, retain=True)
        self.assertEqual(self.ask("GET", "/v1/topics/both/b").status, 404)

    def test_atomic(self):
        """Between a retained message and what follows nothing is missed and nothing comes twice"""
        writer = self.client("racer")
        for round in range(20):
            topic = f"race/{round}"
            reader = self.client(f"racing {round}")
            writer.send(b"".join(publish(topic, str(number), 1, number, retain=True) for number in range(1, 11)))
            codes, got = reader.subscribe((topic, 0))
            writer_acks = [writer.packet() for _ in range(10)]
            self.assertEqual(len(writer_acks), 10)
            while not got or got[-1].payload != b"10":
                got.append(reader.message())
            numbers = [int(each.payload) for each in got]
            self.assertEqual(numbers, list(range(numbers[0], 11)), f"round {round}")
            self.assertEqual([each.retain for each in got if each.retain], [True] if got[0].retain else [])


class Wills(MQTTTest):
    def watcher(self, topic, version=V5):
        watcher = self.client(f"watcher {topic}", version)
        watcher.subscribe((topic, 2))
        return watcher

    def test_lost(self):
        """A connection that is lost leaves its will, in every QoS [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-9]"""
        for version in VERSIONS:
            watcher = self.watcher("will/lost", version)
            for qos in (0, 1, 2):
                with self.subTest(version=version, qos=qos):
                    self.client("loser", version, will=("will/lost", f"{version}", qos, False)).close()
                    self.of(watcher.receive(), payload=str(version).encode(), qos=qos, retain=False)

    def test_leave(self):
        """DISCONNECT takes the will away; with 0x04, or any other reason, it is sent [MQTT-3.14.4-3] [MQTT-3.1.2-10] [MQTT-3.14.4-2]"""
        watcher = self.watcher("will/leave")
        for number, (version, said, sent) in enumerate((
            (V31, disconnect(), False), (V311, disconnect(), False), (V5, disconnect(), False), (V5, disconnect(0), False), (V5, disconnect(4), True),
            (V5, disconnect(0x80), True), (V5, disconnect(0, reason_string="bye"), False),
        )):
            with self.subTest(said.hex(), version=version):
                client = self.client("leaver", version, will=("will/leave", str(number), 1, False))
                client.send(said)
                self.ends(client)
                # What is published next tells whether there was a will before it: one topic is one order.
                if not sent:
                    self.publish("will/leave", f"after {number}")
                self.assertEqual(watcher.receive().payload.decode(), str(number) if sent else f"after {number}")

    def test_error(self):
        """A client that breaks the protocol, or whose name is taken over, leaves its will too"""
        watcher = self.watcher("will/error")
        client = self.client("breaker", will=("will/error", "broken", 1, False))
        client.send(b"\x00\x00")
        self.ends(client, MALFORMED)
        self.assertEqual(watcher.receive().payload, b"broken")
        client = self.client("twin", will=("will/error", "taken over", 1, False))
        self.client("twin")
        self.ends(client, 0x8E)
        self.assertEqual(watcher.receive().payload, b"taken over")

    def test_keep_alive(self):
        """A client that is silent for 1.5 times its keep-alive is told 0x8D and closed; its will is sent; PINGREQ prevents it [MQTT-3.1.2-22] [MQTT-3.12.4-1]"""
        watcher = self.watcher("will/alive")
        began = time.monotonic()
        silent = {version: self.client(f"silent {version}", version, keep_alive=1, will=("will/alive", str(version), 0, False)) for version in VERSIONS}
        half = self.client("half a packet", keep_alive=1)
        half.send(b"\xc0")
        lively = self.client("lively", keep_alive=1)
        without = self.client("without", keep_alive=0)
        for version, client in silent.items():
            client.socket.settimeout(0.5)
            while True:
                try:
                    self.ends(client, 0x8D, version)
                    break
                except TimeoutError:
                    lively.nothing_else()
        took = time.monotonic() - began
        self.assertTrue(1.4 < took < 2.5, took)
        self.ends(half, 0x8D)
        lively.nothing_else()
        without.nothing_else()
        self.assertEqual({watcher.receive().payload for _ in VERSIONS}, {b"3", b"4", b"5"})

    def test_retained(self):
        """A will may be retained, and has its properties; an empty one clears [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT-3.1.3-10]"""
        more = {"content_type": "text/plain", "response_topic": "a/b", "correlation_data": b"\1", "message_expiry": 500, "payload_format": 1,
                "user_property": [("x", "1"), ("x", "2"), ("tidings-event", "gone")]}
        watcher = self.watcher("will/kept")
        self.client("retainer", will=("will/kept", "offline", 1, True, more)).close()
        message = self.of(watcher.receive(), payload=b"offline", retain=False, content_type="text/plain", response_topic="a/b", correlation_data=b"\1", payload_format=1)
        self.assertEqual(sorted(message.properties["user_property"]), [("tidings-event", "gone"), ("x", "1"), ("x", "2")])
        self.assertTrue(499 <= message.properties["message_expiry"] <= 500)
        self.assertEqual(self.value_of("will/kept"), b"offline")
        self.client("retainer", will=("will/kept", b"", 1, True)).close()
        watcher.receive()
        self.assertIsNone(self.value_of("will/kept"))

    def test_delay(self):
        """A will waits for its delay, or the session's end if that is earlier, and is not sent to who comes back in time [MQTT-3.1.3-9]"""
        watcher = self.watcher("will/late")
        began = time.monotonic()
        self.client("delayer", session_expiry=1, will=("will/late", "ended", 1, False, {"will_delay": 60})).close()
        self.client("waiter", session_expiry=60, will=("will/late", "delayed", 1, False, {"will_delay": 2})).close()
        self.client("returner", session_expiry=60, will=("will/late", "never", 1, False, {"will_delay": 2})).close()
        self.client("returner", clean=False, session_expiry=60)
        self.of(watcher.receive(), payload=b"ended")
        self.assertGreater(time.monotonic() - began, 0.9)
        self.of(watcher.receive(), payload=b"delayed")
        self.assertGreater(time.monotonic() - began, 1.9)
        self.client("immediate", session_expiry=0, will=("will/late", "at once", 1, False, {"will_delay": 60})).close()
        self.of(watcher.receive(), payload=b"at once")
