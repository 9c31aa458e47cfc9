"""Shared subscriptions of one node, statement by statement."""

import unittest

from outside.mqtt import PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, V5, V311, ack, publish, subscribe
from outside.mqtt_node import MQTTTest

NO_RETAINED_AS_IS = 0x08 | 0x20  # Retain as published, and no retained messages at the beginning.


class Sharing(MQTTTest):
    def heard(self, *clients):
        """All that each has been sent, acknowledged as it came."""
        heard = []
        for client in clients:
            mine = []
            client.send(b"\xc0\x00")
            while (packet := client.packet()).kind != 13:
                if packet.kind == 3:
                    mine.append(packet)
                    if packet.qos:
                        client.send(ack(PUBACK if packet.qos == 1 else PUBREC, packet.mid))
                elif packet.kind == PUBREL:
                    client.send(ack(PUBCOMP, packet.mid))
            heard.append(mine)
        return heard

    def until_heard(self, count, *clients):
        """The same, until it is so many together; what comes later is not looked for."""
        heard = [[] for _ in clients]
        for _ in range(2000):
            for mine, more in zip(heard, self.heard(*clients)):
                mine += more
            if sum(map(len, heard)) >= count:
                return heard
        self.fail(f"{sum(map(len, heard))} of {count}")

    def test_granted(self):
        """Each has a share, with the QoS that it was granted [MQTT-4.8.2-3]; filters that are none are refused [MQTT-4.8.2-1] [MQTT-4.8.2-2]"""
        clients = [self.client(f"granted {qos}") for qos in (0, 1, 2)]
        for qos, client in enumerate(clients):
            self.assertEqual(client.subscribe(("$share/granted/granted/+", qos)), ([qos], []))
        bad = [("$share/g", 0), ("$share/g/", 0), ("$share//a", 0), ("$share/+/a", 0), ("$share/g#/a", 0), ("$share/g/a/#/b", 0), ("$share/" + "g" * 257 + "/a", 1)]
        self.assertEqual(clients[0].subscribe(*bad)[0], [0x8F] * 6 + [0x97])
        self.assertEqual(self.client("old", V311).subscribe(*bad[:3])[0], [0x80] * 3)
        writer = self.client("writer")
        for number in range(60):
            self.assertEqual(writer.publish("granted/x", str(number), 2), 0)
        heard = self.until_heard(60, *clients)
        for qos, mine in enumerate(heard):
            self.assertEqual({each.qos for each in mine}, {qos})
            self.assertGreater(len(mine), 5)
        self.assertEqual(sorted(int(each.payload) for mine in heard for each in mine), list(range(60)))

    def test_options(self):
        """No retained messages are sent; retain as published and subscription identifiers count; subscribing again changes them"""
        writer = self.client("options")
        writer.publish("options/x", "kept", 1, retain=True)
        client = self.client("shares")
        self.assertEqual(client.subscribe(("$share/o/options/#", 1)), ([1], []))
        client.nothing_else()
        writer.publish("options/x", "first", 1, retain=True)
        self.of(client.receive(), payload=b"first", retain=False, qos=1, subscription_identifier=None)
        self.assertEqual(client.subscribe(("$share/o/options/#", 2 | NO_RETAINED_AS_IS), subscription_identifier=7), ([2], []))
        writer.publish("options/x", "second", 2, retain=True)
        self.of(client.receive(), payload=b"second", retain=True, qos=2, subscription_identifier=[7])
        client.nothing_else()

    def test_beside(self):
        """A subscription of its own brings everything besides; one SUBSCRIBE may ask for both, and UNSUBSCRIBE names either"""
        writer = self.client("beside")
        writer.publish("beside/x", "kept", 1, retain=True)
        for version in (V5, V311):
            client = self.client("both", version)
            client.send(subscribe(1, ("beside/#", 1), ("$share/b/beside/#", 0), version=version))
            said = [client.packet(), client.packet()]
            self.assertEqual({each.kind for each in said}, {3, SUBACK})
            self.assertEqual(next(each.codes for each in said if each.kind == SUBACK), [1, 0])
            client.send(ack(PUBACK, next(each.mid for each in said if each.kind == 3)))
            writer.publish("beside/x", "twice", 1)
            (mine,) = self.until_heard(2, client)
            self.assertEqual(sorted((each.payload, each.qos) for each in mine), [(b"twice", 0), (b"twice", 1)])
            self.assertEqual(client.unsubscribe("$share/b/beside/#", "$share/c/beside/#"), [0, 0x11] if version == V5 else [])
            writer.publish("beside/x", "once", 1)
            (mine,) = self.until_heard(1, client)
            self.assertEqual([(each.payload, each.qos) for each in mine], [(b"once", 1)])
            client.nothing_else()

    def test_gone_qos1(self):
        """QoS 1: what a client did not acknowledge goes to another once it is gone, as a message that is new to that one"""
        first, second = self.client("holds", receive_maximum=3), self.client("takes")
        first.subscribe(("$share/q1/q1", 1))
        writer = self.client("q1")
        for number in range(3):
            writer.publish("q1", str(number), 1)
        held = [first.message().payload for _ in range(3)]
        second.subscribe(("$share/q1/q1", 1))
        writer.publish("q1", "3", 1)
        self.of(second.receive(), payload=b"3")
        first.close()
        (mine,) = self.until_heard(3, second)
        self.assertEqual(([each.payload for each in mine], {each.dup for each in mine}), (held, {False}))

    def test_gone_qos2(self):
        """QoS 2: what was sent to a client whose session is over is sent to no other [MQTT-4.8.2-5]"""
        first, second = self.client("had", receive_maximum=2), self.client("has not")
        first.subscribe(("$share/q2/q2", 2))
        writer = self.client("q2")
        for number in range(3):
            writer.publish("q2", str(number), 2)
        messages = [first.message() for _ in range(2)]
        first.send(ack(PUBREC, messages[0].mid))
        self.assertEqual(first.packet().kind, PUBREL)
        second.subscribe(("$share/q2/q2", 2))
        first.close()
        # What was not sent yet is another's.
        self.of(second.receive(), payload=b"2", qos=2)
        writer.publish("q2", "4", 2)
        self.of(second.receive(), payload=b"4")
        second.nothing_else()

    def test_kept(self):
        """A session that is kept finishes what it had of QoS 2, leaves to others what it had of QoS 1, and is in its groups again [MQTT-4.8.2-4]"""
        for qos in (1, 2):
            with self.subTest(qos=qos):
                name, topic = f"kept {qos}", f"kept/{qos}"
                kept = dict(clean=False, session_expiry=60, receive_maximum=2)
                first, second = self.client(name, **kept), self.client("stays")
                first.subscribe((f"$share/kept/{topic}", qos))
                writer = self.client("keeps")
                for number in range(3):
                    writer.publish(topic, str(number), qos)
                self.assertEqual([first.message().payload for _ in range(2)], [b"0", b"1"])
                second.subscribe((f"$share/kept/{topic}", qos))
                first.close()
                (mine,) = self.until_heard(1 if qos == 2 else 3, second)
                self.assertEqual(sorted(each.payload for each in mine), [b"2"] if qos == 2 else [b"0", b"1", b"2"])
                again = self.client(name, **kept)
                self.assertTrue(again.welcome.present)
                if qos == 2:
                    for number in range(2):
                        self.of(again.receive(), payload=b"%d" % number, qos=2, dup=True)
                again.nothing_else()
                self.assertEqual(self.heard(second), [[]])
                count, heard = 0, []
                while not heard and count < 500:
                    writer.publish(topic, f"later {count}", qos)
                    count, (heard, _) = count + 1, self.heard(again, second)
                self.assertTrue(heard, "the session that came back has no share")
                while self.heard(again, second) != [[], []]:
                    pass
                self.assertEqual(again.unsubscribe(f"$share/kept/{topic}"), [0])
                again.close()
                last = self.client(name, **kept)
                self.assertTrue(last.welcome.present)
                writer.publish(topic, "not its own", qos)
                self.of(second.receive(), payload=b"not its own")
                last.nothing_else()

    def test_refused(self):
        """What a client answers with an error is sent to no other [MQTT-4.8.2-6]"""
        for qos, kind in ((1, PUBACK), (2, PUBREC)):
            with self.subTest(qos=qos):
                filter, topic = f"$share/no/no/{qos}", f"no/{qos}"
                first, second = self.client("no"), self.client("yes")
                first.subscribe((filter, qos))
                writer = self.client("asks")
                writer.publish(topic, "unwanted", qos)
                unwanted = first.message()
                second.subscribe((filter, qos))
                first.send(ack(kind, unwanted.mid, 0x97))
                first.close()
                writer.publish(topic, "wanted", qos)
                self.of(second.receive(), payload=b"wanted")
                second.nothing_else()

    def test_in_flight_after_unsubscribe(self):
        """What was sent before UNSUBSCRIBE is acknowledged after it, and is nobody else's"""
        first, second = self.client("leaves"), self.client("stays")
        first.subscribe(("$share/u/u", 1))
        writer = self.client("u")
        writer.publish("u", "sent", 1)
        message = first.message()
        second.subscribe(("$share/u/u", 1))
        self.assertEqual(first.unsubscribe("$share/u/u"), [0])
        second.nothing_else()
        first.send(ack(PUBACK, message.mid))
        first.nothing_else()
        first.close()
        writer.publish("u", "next", 1)
        self.of(second.receive(), payload=b"next")
        second.nothing_else()


if __name__ == "__main__":
    unittest.main()
