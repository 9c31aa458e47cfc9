#!/usr/bin/env python3
"""One worker of a group: worker.py NAME, with another name for each. It needs python3-websockets."""

import asyncio
import collections
import hashlib
import json
import random
import sys

import websockets

NODE = "ws://127.0.0.1:8080/v1/ws"
LANES = [f"jobs/{number}" for number in range(16)]  # what workers share out among themselves: not single jobs, but topics of jobs
SETTLING = 2  # seconds until a lane of somebody else's is taken: longer than the job that they may be finishing


class Worker:
    """All of it over one connection: who else works, the jobs of the lanes that are this worker's, their results."""

    def __init__(self, name, socket):
        self.name, self.socket = name, socket
        self.here = set()  # who works
        self.jobs = {}  # for each lane held the jobs that wait
        self.arrived = asyncio.Event()
        self.taking = None

    async def say(self, op, **more):
        await self.socket.send(json.dumps({"op": op, **more}))

    async def listen(self):
        await self.say("presence", topic="workers", member={"id": self.name}, events=True)
        async for text in self.socket:
            message = json.loads(text)
            match message["op"]:
                case "presence":
                    joined = {member["id"] for member in message.get("members", message.get("joined", []))}
                    left = {member["id"] for member in message.get("left", [])}
                    self.here = joined if "members" in message else (self.here | joined) - left
                    await self.share()
                case "event" if message["topic"] in self.jobs:
                    self.jobs[message["topic"]].append(message)
                    self.arrived.set()
                case "published":  # The result is on disk. Only now the job is done, whatever happens to this worker.
                    await self.say("ack", consumer=consumer(message["ref"]["lane"]), position=message["ref"]["position"])
                case "error":
                    raise OSError(message["detail"])

    async def share(self):
        """Everyone sees the same names and comes to the same result; only lanes of those who came or went change hands."""
        mine = {lane for lane in LANES if self.name == max(self.here, key=lambda name: hashlib.sha256(f"{lane} {name}".encode()).digest())}
        for lane in self.jobs.keys() - mine:
            del self.jobs[lane]
            await self.say("unsubscribe", id=lane)
        if self.taking:
            self.taking.cancel()
        self.taking = asyncio.create_task(self.take(mine))

    async def take(self, mine):
        await asyncio.sleep(SETTLING)
        new = sorted(mine - self.jobs.keys(), key=LANES.index)
        for lane in new:
            self.jobs[lane] = collections.deque()
            # The consumer knows what of the lane is done, whoever did it. It is made at the first time.
            await self.say("subscribe", id=lane, topics=[lane], consumer=consumer(lane), ack="explicit", since="earliest")
        if new:
            print(f"{self.name} takes {' '.join(new)}", flush=True)

    async def work(self):
        while True:
            waiting = [lane for lane, jobs in self.jobs.items() if jobs]
            if not waiting:
                self.arrived.clear()
                await self.arrived.wait()
                continue
            lane = random.choice(waiting)
            job = self.jobs[lane].popleft()
            await asyncio.sleep(random.uniform(0.1, 0.5))  # the work
            print(f"{self.name} did {job['data']}", flush=True)
            # A job may be done twice, when its first worker died before it was acknowledged. By the key its result counts once.
            place = {"lane": lane, "position": job["position"]}
            await self.say("publish", ref=place, topic="results", data=f"{job['data']}, by {self.name}", key=json.dumps(place))


def consumer(lane):
    return lane.replace("/", "-")


async def main(name):
    while True:
        try:
            async with websockets.connect(NODE, subprotocols=["tidings.v1"]) as socket:
                worker = Worker(name, socket)
                tasks = {asyncio.create_task(worker.listen()), asyncio.create_task(worker.work())}
                ended, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in others | {worker.taking} - {None}:
                    task.cancel()
                for task in ended:
                    task.result()
        except (OSError, websockets.WebSocketException) as problem:
            print(f"{name}: {problem}; trying again", flush=True)
        await asyncio.sleep(random.uniform(0.2, 1.5))


try:
    asyncio.run(main(sys.argv[1]))
except KeyboardInterrupt:
    pass
