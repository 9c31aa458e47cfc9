"""MQTT in a cluster: from edge to edge, while leaders die, while nobody leads."""

import threading
import unittest

from harness.mqtt import PATIENCE, V311, Client, ClusterTestCase, wire
from harness.node import until
from harness.sse import SSEStream


class ClusterTests(ClusterTestCase):
    def test_across_edges(self):
        """Published at one edge, heard at the other: MQTT, SSE, WebSocket, retained values, wills"""
        near, far = self.cluster.edges
        heard = Client(self.ports[1], version=V311).subscribe("across/#", 2)
        stream = SSEStream(far.port, {"topic": "across/#"}, timeout=PATIENCE).begun()
        writer = Client(self.ports[0], will=("across/will", "gone", 1))
        try:
            for qos in (0, 1, 2):
                writer.publish("across/topic", f"{qos}", qos)
                message = heard.message()
                self.assertEqual((message.payload, message.qos), (b"%d" % qos, qos))
                self.assertEqual(stream.message()[2], str(qos))
            writer.publish("across/value", "kept", 1, retain=True)
            heard.message(), stream.message()
            late = Client(self.ports[1]).subscribe("across/value")
            self.assertEqual((message := late.message()).payload, b"kept")
            self.assertTrue(message.retain)
            late.close()
            far.publish("across/topic", "by HTTP")
            self.assertEqual(heard.message().payload, b"by HTTP")
            writer.paho._sock_close()
            self.assertEqual(heard.message().payload, b"gone")
        finally:
            for client in (heard, writer):
                client.close()
            stream.close()

    def test_leader_killed(self):
        """A leader is killed: publishers of QoS 1 and 2 lose nothing they were told is kept, and QoS 2 nothing is there twice"""
        cluster = self.cluster
        topics = {qos: [f"killed/{qos}/{number}" for number in range(4)] for qos in (1, 2)}
        leader = cluster.leader_of_topic(topics[2][0])
        reader = wire.Client(self.ports[1], "witness", timeout=30, keep_alive=0, receive_maximum=65535)
        reader.subscribe(("killed/#", 2))
        accounts = [Account(self.ports[0], version, qos, topics[qos]) for version in (wire.V311, wire.V5) for qos in (1, 2)]
        try:
            for account in accounts:
                account.start()
            until(lambda: all(account.kept > 50 for account in accounts), 20, "the beginning")
            leader.kill()
            marks = [account.kept for account in accounts]
            # All go on, each with several windows' worth of messages that were sent after the death.
            until(lambda: all(account.kept > mark + 300 or account.error for account, mark in zip(accounts, marks)), 30, "going on")
        finally:
            for account in accounts:
                account.finish()
            leader.start(wait=False)
        for account in accounts:
            self.assertIsNone(account.error)
        cluster.wait_healthy()
        kept = cluster.read_all("killed/#")
        seen = {}
        for topic, data in kept:
            seen[data] = seen.get(data, 0) + 1
        for account in accounts:
            lost = [payload for payload in account.accepted if payload not in seen]
            self.assertEqual(lost, [], f"lost, of {len(account.accepted)}")
            if account.qos == 2:
                twice = [payload for payload in account.accepted if seen[payload] > 1]
                self.assertEqual(twice, [], f"twice, of {len(account.accepted)}; {account.refused} were refused and {account.connections} connections made")
        # Who follows at the other edge has all of that too, once.
        expected = {data for _, data in kept if data != "where"}
        got = []
        while not expected <= set(got):
            got.append(reader.receive().payload.decode())
        self.assertEqual(len(got), len([data for _, data in kept if data != "where"]))
        reader.close()


    def test_brokers_gone(self):
        """While nothing can be read subscribers stay, and so does what they asked for: it is answered when the brokers are back"""
        cluster = self.cluster
        far = cluster.edges[1]
        far.publish("gone/value", "kept", method="PUT")
        clients = [wire.Client(self.ports[1], f"patient {version}", version, timeout=30, keep_alive=0) for version in wire.VERSIONS]
        for client in clients:
            client.subscribe(("gone/live", 1))
        for broker in cluster.brokers:
            broker.kill()

        def refused():
            return far.get("/v1/topics/gone/value", timeout=20)[0] == 503

        until(refused, 30, "the refusal of reads")
        for client in clients:
            client.send(wire.subscribe(9, ("gone/value", 1), version=client.version) + wire.PING)
        for client in clients:
            self.assertEqual(client.packet().bytes, wire.PONG)
        # What HTTP asks for later is refused later: by then what the clients asked for was refused too, and asked again.
        for _ in range(2):
            self.assertTrue(refused())
            for client in clients:
                client.nothing_else()
        for broker in cluster.brokers:
            broker.start(wait=False)
        cluster.wait_healthy()
        for client in clients:
            said = {each.kind: each for each in (client.packet(), client.packet())}
            self.assertEqual(said[wire.SUBACK].bytes, wire.suback(9, 1, version=client.version))
            self.assertEqual(said[wire.PUBLISH].payload, b"kept")
        far.publish("gone/live", "again")
        for client in clients:
            self.assertEqual(client.receive().payload, b"again")
            client.close()


class Account(threading.Thread):
    """A publisher with several messages under way; what it is told is kept it remembers, what it is refused it says again."""

    WINDOW = 8

    def __init__(self, port, version, qos, topics):
        super().__init__(daemon=True)
        self.port, self.version, self.qos, self.topics = port, version, qos, topics
        self.accepted, self.refused, self.connections, self.error = [], 0, 0, None
        self.ended = threading.Event()
        self.number = 0

    @property
    def kept(self):
        return len(self.accepted)

    def run(self):
        try:
            while not self.ended.is_set():
                self.connection()
        except Exception as error:
            self.error = error

    def connection(self):
        """One connection, until it ends or there is enough."""
        self.connections += 1
        with wire.Client(self.port, f"account {self.version} {self.qos}", self.version, timeout=20) as client:
            waiting, releasing = {}, {}
            while True:
                while not self.ended.is_set() and len(waiting) + len(releasing) < self.WINDOW:
                    self.number += 1
                    mid, payload = self.number % 60_000 + 1, f"{self.version}-{self.qos}-{self.number}"
                    waiting[mid] = payload
                    client.send(wire.publish(self.topics[self.number % len(self.topics)], payload, self.qos, mid, version=self.version))
                if not waiting and not releasing:
                    return
                try:
                    said = client.packet()
                except wire.Ended:
                    return  # What was not acknowledged may be kept or not.
                if said.kind == wire.PUBCOMP:
                    self.accepted.append(releasing.pop(said.mid))
                elif said.code >= 0x80:
                    waiting.pop(said.mid)
                    self.refused += 1
                elif said.kind == wire.PUBACK:
                    self.accepted.append(waiting.pop(said.mid))
                else:
                    releasing[said.mid] = waiting.pop(said.mid)
                    client.send(wire.ack(wire.PUBREL, said.mid))

    def finish(self):
        self.ended.set()
        self.join(20)


if __name__ == "__main__":
    unittest.main()
