#!/usr/bin/python3 -B
"""What sessions of clients that are away cost: memory each, and publishing beside them; and whether they find what they missed.

usage: Tests/Process/measure_sessions.py [SESSIONS [RETURNING]]

Makes SESSIONS (100,000) persistent MQTT sessions of three filters each on a node of its own, publishes before and after, brings
RETURNING (10,000) of them back, and says what was measured. It is no test: its figures stand in docs/performance.md.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import time

from harness.mqtt import wire
from harness.node import BINARY, Node, free_port

AT_ONCE = 500
PUBLISHED = 20
IN_TURNS = 6  # a node with the sessions and one without any


def allocated(node):
    """Bytes that the node's allocator has handed out."""
    return float(re.search(rb"^tidings_allocated_bytes (\S+)", node.get("/metrics")[2], re.MULTILINE)[1])


def processor_time(node):
    with open(f"/proc/{node.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def say(*words):
    print(*words, flush=True)


class Client:
    """As much of a client of 3.1.1 as is needed, without a thread."""

    @classmethod
    async def open(cls, port, name):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.writer.write(wire.connect(name, wire.V311, clean=False))
        head, body = await self.packet()
        assert head == 0x20 and body[1] == 0, (head, body)
        self.present = body[0]
        return self

    async def packet(self):
        head = (await self.reader.readexactly(1))[0]
        length, shift = 0, 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return head, await self.reader.readexactly(length)

    async def close(self):
        self.writer.write(wire.disconnect())
        await self.writer.drain()
        self.writer.close()
        await self.writer.wait_closed()


async def everyone(numbers, work):
    """Lets so many work at once."""
    numbers = iter(numbers)

    async def worker():
        for number in numbers:
            await work(number)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


def filters(number):
    return [(f"fleet/{number}/#", 1), (f"sites/{number % 100}/+/alarm", 1), (f"fleet/{number}/set", 1)]


async def make(port, count):
    async def one(number):
        client = await Client.open(port, f"device-{number}")
        client.writer.write(wire.subscribe(1, *filters(number), version=wire.V311))
        head, _ = await client.packet()
        assert head == 0x90, head
        await client.close()

    await everyone(range(count), one)


async def come_back(port, count):
    wrong = []

    async def one(number):
        client = await Client.open(port, f"device-{number}")
        got = []
        while len(got) < PUBLISHED // 10 + 1:
            head, body = await asyncio.wait_for(client.packet(), 60)
            length = int.from_bytes(body[:2], "big")
            client.writer.write(wire.ack(wire.PUBACK, int.from_bytes(body[2 + length : 4 + length], "big")))
            got.append(body[4 + length :])
        client.writer.write(wire.PING)
        head, body = await asyncio.wait_for(client.packet(), 60)
        expected = [b"own"] + [f"alarm {each}".encode() for each in range(PUBLISHED // 10)]
        if not client.present or head != 0xD0 or sorted(got) != sorted(expected):
            wrong.append((number, client.present, head, got))
        await client.close()

    await everyone(range(count), one)
    return wrong


def restart(node):
    node.terminate()
    node.start()


def publishing(node):
    """Processor time, in µs, of a message published by HTTP to what nobody follows, as `tidings bench` measures it."""
    report = subprocess.run(
        [BINARY, "bench", "publish", "--url", node.url, "--server-pid", str(node.process.pid), "--window", "16", "--topics", "64", "--json"], capture_output=True, text=True)
    if report.returncode:
        sys.exit(report.stderr)
    return json.loads(report.stdout)["serverMicrosecondsPerPublish"]


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    returning = min(count, int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
    mqtt = free_port()
    with Node("--mqtt", f"127.0.0.1:{mqtt}") as node:
        publishing(node)
        # Begun anew each time: what is measured is the sessions, not what making them did to the allocator.
        restart(node)
        before = allocated(node)
        began, used = time.monotonic(), processor_time(node)
        asyncio.run(make(mqtt, count))
        took, used = time.monotonic() - began, processor_time(node) - used
        say(f"{count} sessions made in {took:.0f} s, {used / count * 1e6:.0f} µs of the node each")
        restart(node)
        say(f"{(allocated(node) - before) / count:.0f} bytes of memory each")
        with Node() as empty:
            pairs = [(publishing(empty), publishing(node)) for _ in range(IN_TURNS)]
        for name, values in zip(("without any", "with them"), zip(*pairs)):
            say(f"publishing, µs of the node for a message, {name}: {sum(values) / IN_TURNS:.2f} ({min(values):.2f} to {max(values):.2f})")
        for number in range(returning):
            node.publish(f"fleet/{number}/set", "own")
        for site in range(100):
            for each in range(PUBLISHED // 10):
                node.publish(f"sites/{site}/gate/alarm", f"alarm {each}")
        began, used = time.monotonic(), processor_time(node)
        wrong = asyncio.run(come_back(mqtt, returning))
        took, used = time.monotonic() - began, processor_time(node) - used
        say(f"{returning} came back in {took:.0f} s, {used / returning * 1e6:.0f} µs each; {len(wrong)} did not get each message once")
        for each in wrong[:5]:
            say("  ", each)


if __name__ == "__main__":
    main()
