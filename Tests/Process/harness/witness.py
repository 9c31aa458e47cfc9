"""What publishers and followers saw while something went wrong: acknowledged, delivered, lost, doubled, out of order."""

import collections
import http.client
import json
import random
import threading
import time

from .crowd import Crowd
from .load import Load
from .node import until
from .readers import LongPollReader, SSEReader, WebSocketReader

PATIENCE = 60.0  # after which a publisher gives one message up
ANSWER_WITHIN = 10.0
PAUSE = 0.02


class Publisher(threading.Thread):
    """One topic's numbered messages through whichever edge answers, each tried again under its key until it is acknowledged."""

    def __init__(self, edges, topic, rate, seed):
        super().__init__(daemon=True)
        self.edges = edges
        self.topic = topic
        self.pause = 1.0 / rate if rate else 0.0
        self.random = random.Random(seed)
        self.edge = self.random.choice(edges)
        self.stopped = threading.Event()
        self.connection = None
        self.acknowledged = []  # numbers
        self.acknowledged_at = []
        self.sent_at = []  # the attempt that was acknowledged
        self.unknown = set()
        self.errors = collections.Counter()
        self.failure = None

    def run(self):
        number = 0
        due = time.monotonic()
        try:
            while not self.stopped.is_set():
                self.publish(number)
                number += 1
                due = max(due + self.pause, time.monotonic() - 1)
                self.stopped.wait(max(0.0, due - time.monotonic()))
        except BaseException as error:
            self.failure = error
            raise

    def publish(self, number):
        key = f"{self.topic}-{number}"
        began = time.monotonic()
        while True:
            sent = time.monotonic()
            if self.attempt(str(number), key):
                self.acknowledged.append(number)
                self.sent_at.append(sent)
                self.acknowledged_at.append(time.monotonic())
                return
            if time.monotonic() - began > PATIENCE:
                self.unknown.add(number)
                self.errors["given up"] += 1
                return
            time.sleep(PAUSE)
            if len(self.edges) > 1:
                self.leave(self.random.choice(self.edges))

    def leave(self, edge):
        if self.connection:
            self.connection.close()
        self.connection = None
        self.edge = edge

    def attempt(self, body, key):
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.edge.host, self.edge.port, timeout=ANSWER_WITHIN)
            self.connection.request("POST", f"/v1/topics/{self.topic}", body=body, headers={"Idempotency-Key": key})
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.errors[type(error).__name__] += 1
            self.leave(self.edge)
            return False
        if answer.status == 200:
            return True
        title = json.loads(text).get("title", "") if text.startswith(b"{") else ""
        self.errors[f"{answer.status} {title}".strip()] += 1
        # 502 and 504 come from a proxy whose node went.
        if answer.status not in (429, 502, 503, 504, 507):
            raise AssertionError(f"{self.topic}: {answer.status} {text[:300]}")
        if answer.status == 503 and "Retry-After" not in answer.headers:
            raise AssertionError(f"{self.topic}: 503 without Retry-After: {text[:300]}")
        return False


def moving(kind):
    """The reader of one transport that goes to another edge now and then, and when its edge is gone; it takes its cursor along."""

    class Moving(kind):
        longest_silence = 6

        def __init__(self, edges, *filters, stay=(1.0, 4.0), seed=0):
            self.random = random.Random(seed)
            self.edges = edges
            self.stay = stay
            self.leaves_at = float("inf")
            super().__init__(self.random.choice(edges), *filters)

        def leaves(self):
            return self.stopped.is_set() or (self.begun.is_set() and time.monotonic() > self.leaves_at)

        def follow(self):
            self.leaves_at = time.monotonic() + self.random.uniform(*self.stay)
            try:
                super().follow()
            finally:
                self.node = self.random.choice(self.edges)

    Moving.__name__ = f"Moving{kind.__name__}"
    return Moving


TRANSPORTS = [moving(SSEReader), moving(WebSocketReader), moving(LongPollReader)]


class Witness:
    """Publishers, one a topic, and followers of all of them over every transport.

    `with Witness(cluster, topics) as witness:` … and `witness.finish()` at the end, which answers the account.
    """

    def __init__(self, cluster, topics, rate=50, followers=3, edges=None, stay=(1.0, 4.0), seed=None, load=False, crowds=(), others=()):
        """`rate` is of each topic. With `load` all publish from a process of their own, which keeps to higher rates.

        `crowds` are many more followers, (SSE, WebSocket) of them, each crowd in a process of its own. `others` are publishers
        of topics of their own, in threads.
        """
        self.seed = random.randrange(1 << 32) if seed is None else seed
        self.edges = list(edges or cluster.edges)
        self.topics = list(topics)
        self.filter = self.topics[0].split("/")[0] + "/#"
        self.load = Load(self.edges, self.topics, rate, self.seed) if load or crowds else None
        self.publishers = self.load.publishers if self.load else [
            Publisher(self.edges, topic, rate, self.seed + place) for place, topic in enumerate(self.topics)
        ]
        self.others = list(others)
        self.publishers = [*self.publishers, *self.others]
        self.crowds = [Crowd(self.edges, self.filter, sse, websockets, stay, self.seed ^ (place + 100)) for place, (sse, websockets) in enumerate(crowds)]
        self.followers = [
            TRANSPORTS[place % len(TRANSPORTS)](self.edges, self.filter, stay=stay, seed=self.seed ^ (place + 1)) for place in range(followers)
        ]
        self.began = time.monotonic()

    def __enter__(self):
        for follower in self.followers:
            follower.start()
        for crowd in self.crowds:
            crowd.start()
        self.began = time.monotonic()
        if self.load:
            self.load.start()
        for publisher in self.others if self.load else self.publishers:
            publisher.start()
        return self

    def __exit__(self, kind, error, trace):
        self.stop_publishing()
        for follower in [*self.followers, *self.crowds]:
            follower.stop()
        if self.load:
            self.load.kill()

    def stop_publishing(self):
        if self.load:
            self.load.stop()
        for publisher in self.publishers:
            publisher.stopped.set()

    def publisher(self, topic):
        return next(each for each in self.publishers if each.topic == topic)

    def acknowledged_after(self, topic, moment, seconds=30.0):
        """When the first publish of the topic that was sent after the moment was acknowledged."""
        publisher = self.publisher(topic)

        def found():
            if publisher.failure:
                raise AssertionError(f"{topic}: {publisher.failure}")
            count = len(publisher.acknowledged_at)
            for place in range(count - 1, -1, -1):
                if publisher.sent_at[place] < moment:
                    return publisher.acknowledged_at[place + 1] if place + 1 < count else None
            return publisher.acknowledged_at[0] if count else None
        return until(found, seconds, f"publishing to {topic} again")

    def progress(self, seconds=20.0):
        """Waits until every topic was published to anew."""
        now = time.monotonic()
        for publisher in self.publishers:
            self.acknowledged_after(publisher.topic, now, seconds)

    # -- The account

    def finish(self, seconds=60.0):
        self.stop_publishing()
        ended = time.monotonic()
        for publisher in self.publishers:
            publisher.join(PATIENCE + ANSWER_WITHIN)
            assert not publisher.is_alive(), f"{publisher.topic}: its publisher is not answered any more"
            assert publisher.failure is None, publisher.failure
        account = Account(self, ended)
        deadline = time.monotonic() + seconds
        while True:
            account.count()
            if account.is_complete or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        for follower in [*self.followers, *self.crowds]:
            follower.stop()
        # Once more: what comes when nothing is to come any more counts too.
        account.count()
        return account


class Account:
    def __init__(self, witness, ended):
        self.witness = witness
        self.ended = ended
        self.problems = []

    def count(self):
        self.acknowledged = sum(len(each.acknowledged) for each in self.witness.publishers)
        self.unknown = sum(len(each.unknown) for each in self.witness.publishers)
        self.delivered = self.lost = self.doubled = self.disorder = self.gaps = 0
        self.problems = []
        for follower in self.witness.followers:
            self.count_one(follower)
        for crowd in self.witness.crowds:
            self.count_crowd(crowd)
        self.compare()

    def count_crowd(self, crowd):
        expected = [publisher.acknowledged[-1] + 1 if publisher.acknowledged else 0 for publisher in self.witness.publishers]
        excused = [(place, number) for place, publisher in enumerate(self.witness.publishers) for number in publisher.unknown]
        found = crowd.account(expected, excused)
        self.delivered += found["delivered"]
        self.gaps += found["gaps"]
        self.doubled += found["doubled"]
        self.disorder += found["disorder"]
        self.lost += found["lost"]
        self.problems += found["problems"]

    def count_one(self, follower):
        found = follower.by_topic()
        self.gaps += len(follower.gaps)
        if follower.gaps:
            self.problems.append(f"{follower.name}: was told of gaps: {follower.gaps[:3]}")
        for publisher in self.witness.publishers:
            numbers = [int(data.rpartition(":")[2]) for data in found.get(publisher.topic, [])]
            seen = collections.Counter(numbers)
            lost = [number for number in publisher.acknowledged if number not in seen]
            doubled = [number for number, count in seen.items() if count > 1]
            certain = [number for number in numbers if number not in publisher.unknown]
            disorder = sum(later < earlier for earlier, later in zip(certain, certain[1:]))
            self.delivered += len(numbers)
            self.lost += len(lost)
            self.doubled += len(doubled)
            self.disorder += disorder
            if lost or doubled or disorder:
                self.problems.append(
                    f"{follower.name}, {publisher.topic}: {len(publisher.acknowledged)} acknowledged, {len(numbers)} delivered; "
                    f"lost {lost[:10]}, doubled {doubled[:10]}, out of order {disorder}; {follower.errors[-3:]}")

    def compare(self):
        """All followers saw the same log."""
        seen = []
        for follower in self.witness.followers:
            topics = {}
            for topic, position, data in list(follower.events):
                topics.setdefault(topic, []).append((position, data))
            seen.append(topics)
        self.differs = 0
        for topics in seen[1:]:
            for topic in (publisher.topic for publisher in self.witness.publishers):
                if topics.get(topic) != seen[0].get(topic):
                    self.differs += 1
                    self.problems.append(f"{topic}: two followers saw different logs")

    @property
    def is_complete(self):
        return not self.lost and not self.differs

    @property
    def is_good(self):
        return not (self.lost or self.doubled or self.disorder or self.gaps or self.differs)

    @property
    def longest_silence(self):
        """The longest that one topic waited for its next acknowledgement."""
        longest = 0.0
        for publisher in self.witness.publishers:
            moments = [self.witness.began, *publisher.acknowledged_at]
            longest = max([longest, *(later - earlier for earlier, later in zip(moments, moments[1:]))])
        return longest

    @property
    def longest_quiet(self):
        """The longest that one follower waited for its next message."""
        longest = max([0.0, *(crowd.quiet for crowd in self.witness.crowds)])
        for follower in self.witness.followers:
            moments = list(follower.moments)
            longest = max([longest, *(later - earlier for earlier, later in zip(moments, moments[1:]))])
        return longest

    @property
    def errors(self):
        return sum((publisher.errors for publisher in self.witness.publishers), collections.Counter())

    def __str__(self):
        seconds = self.ended - self.witness.began
        errors = ", ".join(f"{count} × {kind}" for kind, count in sorted(self.errors.items())) or "none"
        everyone = [*self.witness.followers, *self.witness.crowds]
        moves = ", ".join(f"{follower.name} {follower.connections}" for follower in everyone)
        followers = len(self.witness.followers) + sum(crowd.size for crowd in self.witness.crowds)
        return (
            f"  acknowledged {self.acknowledged} ({self.acknowledged / seconds:.0f}/s over {len(self.witness.topics)} topics), given up {self.unknown}\n"
            f"  delivered {self.delivered} to {followers} followers, connections: {moves}\n"
            f"  lost {self.lost}, doubled {self.doubled}, out of order {self.disorder}, gaps {self.gaps}, followers that differ {self.differs}\n"
            f"  longest silence: a topic's {self.longest_silence:.2f} s, a follower's {self.longest_quiet:.2f} s; publish errors: {errors}; seed {self.witness.seed}")

    def check(self):
        assert self.is_good, "\n".join([str(self), *self.problems[:20]])
        assert self.acknowledged > 0, "nothing was published"
        return self
