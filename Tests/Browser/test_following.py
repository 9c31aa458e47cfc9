import random
import threading
import time
import unittest

from harness.browser import BrowserTestCase
from harness.node import Node, until
from harness.proxy import Proxy

# Where tests run: a page of the node's origin that does nothing by itself.
BARE = "/healthz"

FOLLOW = """
  const { connect } = await import("/tidings.js");
  window.got = []; window.gaps = []; window.states = [];
  window.client = connect(location.href, { ...%s, onStatus: (status) => states.push(`${status.state} ${status.transport ?? ""}`.trim()) });
  window.subscription = client.subscribe(%s, (event) => got.push(event), { ...%s, onGap: (gap) => gaps.push(gap) });
"""


def follow(page, filters='"page/#"', options="{}", client="{}"):
    page.run(FOLLOW % (client, filters, options))
    page.until('client.status.state === "connected" && subscription.cursor !== null')


class FollowingTests(BrowserTestCase):
    def setUp(self):
        self.seed = random.randrange(1 << 32)
        self.random = random.Random(self.seed)

    def publish_through_restarts(self, node, restarts=4, messages=400):
        """Publishes numbers, each until it is answered, while the node is killed and started again."""
        numbers = []

        def publish():
            for number in range(messages):
                topic = f"page/{number % 3}"
                while True:
                    try:
                        node.publish(topic, str(number), {"Idempotency-Key": f"k{number}"})
                        break
                    except OSError:
                        time.sleep(0.01)
                numbers.append((topic, str(number)))
                time.sleep(0.002)

        publisher = threading.Thread(target=publish, daemon=True)
        publisher.start()
        for _ in range(restarts):
            time.sleep(self.random.uniform(0.1, 0.4))
            node.kill()
            time.sleep(self.random.uniform(0, 0.3))
            node.start()
        publisher.join(60)
        self.assertFalse(publisher.is_alive(), "publishing did not end")
        return numbers

    def check(self, page, numbers, got="got.map((event) => [event.topic, event.data])"):
        try:
            page.until(f"got.length >= {len(numbers)}", 30)
        except AssertionError:
            pass  # what is missing is named below
        received = [tuple(each) for each in page.evaluate(got)]
        for topic in sorted({topic for topic, _ in numbers}):
            expected = [data for name, data in numbers if name == topic]
            found = [data for name, data in received if name == topic]
            self.assertEqual(found, expected, f"seed {self.seed}, {topic}; the page said {page.console[-5:]}")
        self.assertEqual(len(received), len(numbers), f"seed {self.seed}")

    def test_event_source(self):
        """EventSource alone follows through restarts: nothing lost, nothing doubled"""
        with Node() as node:
            page = self.browser.open(node.url + BARE)
            page.run("""
              window.got = []; window.opened = 0;
              window.source = new EventSource("/v1/events?topic=page/%23&format=json");
              source.onopen = () => opened += 1;
              source.onmessage = (message) => got.push(JSON.parse(message.data));
            """)
            page.until("opened === 1")
            self.check(page, self.publish_through_restarts(node))
            self.assertGreater(page.evaluate("opened"), 1)

    def through_restarts(self, transport):
        with Node() as node:
            page = self.browser.open(node.url + BARE)
            follow(page, client=f'{{ transports: ["{transport}"] }}')
            self.check(page, self.publish_through_restarts(node))
            states = page.evaluate("states")
            self.assertGreater(states.count(f"connected {transport}"), 1, states)
            self.assertEqual(page.evaluate("gaps"), [])

    def test_websocket(self):
        """tidings.js follows through restarts over WebSocket"""
        self.through_restarts("websocket")

    def test_sse(self):
        """tidings.js follows through restarts over Server-Sent Events"""
        self.through_restarts("sse")

    def test_longpoll(self):
        """tidings.js follows through restarts over long-polling"""
        self.through_restarts("longpoll")

    def test_any(self):
        """tidings.js follows through restarts over whatever gets through first"""
        with Node() as node:
            page = self.browser.open(node.url + BARE)
            follow(page)
            self.assertEqual(page.evaluate("client.status.transport"), "websocket")
            self.check(page, self.publish_through_restarts(node))

    def test_changing_transports(self):
        """A cursor goes from transport to transport without losing or doubling anything"""
        with Node() as node:
            page = self.browser.open(node.url + BARE)
            follow(page)
            numbers = []
            for step in range(9):
                for _ in range(20):
                    numbers.append(("page/1", str(len(numbers))))
                    node.publish(*numbers[-1])
                transport = ["websocket", "sse", "longpoll"][step % 3]
                page.run(f"""
                  const {{ connect }} = await import("/tidings.js");
                  const cursor = subscription.cursor;
                  client.close();
                  window.client = connect(location.href, {{ transports: ["{transport}"] }});
                  window.subscription = client.subscribe("page/#", (event) => got.push(event), {{ cursor }});
                """)
                page.until('client.status.state === "connected"')
            self.check(page, numbers)

    # -- Where WebSocket is blocked

    def falls_back(self, to, before=None, **proxy):
        with Node() as node, Proxy(node, **proxy) as between:
            page = self.browser.open(between.url + BARE, before=before)
            follow(page)
            self.assertEqual(page.evaluate("client.status.transport"), to, page.evaluate("states"))
            self.check(page, self.publish_through_restarts(node, restarts=2, messages=150))

    def test_constructor_throws(self):
        """tidings.js falls back to SSE where WebSocket throws"""
        self.falls_back("sse", before="window.WebSocket = class { constructor() { throw new Error('not here') } };")

    def test_no_websocket(self):
        """tidings.js falls back to SSE where there is no WebSocket"""
        self.falls_back("sse", before="delete window.WebSocket;")

    def test_upgrade_refused(self):
        """tidings.js falls back to SSE behind a proxy that refuses to upgrade"""
        self.falls_back("sse", refuses_upgrade=True)

    def test_streams_buffered(self):
        """tidings.js falls back to long-polling behind a proxy that refuses to upgrade and holds streams back"""
        self.falls_back("longpoll", refuses_upgrade=True, buffers_streams=True)

    def test_upgrade_swallowed(self):
        """tidings.js falls back behind a proxy that never answers an upgrade"""
        with Node() as node, Proxy(node, swallows_upgrade=True) as between:
            page = self.browser.open(between.url + BARE)
            follow(page)
            self.assertEqual(page.evaluate("client.status.transport"), "sse")
            node.publish("page/1", "x")
            page.until("got.length === 1")

    def test_cut_every_half_second(self):
        """Behind a proxy that cuts every connection each half second, EventSource and tidings.js miss and repeat nothing"""
        with Node() as node, Proxy(node, cuts_after=0.5) as between:
            page = self.browser.open(between.url + BARE)
            follow(page)
            page.run("""
              window.heard = [];
              window.source = new EventSource("/v1/events?topic=page/%23&format=json");
              source.onmessage = (message) => heard.push(JSON.parse(message.data));
              await new Promise((resolve) => source.onopen = resolve);
            """)
            numbers = []
            bound = time.monotonic() + 60
            while between.cut <= 10 and time.monotonic() < bound:
                numbers.append((f"page/{len(numbers) % 3}", str(len(numbers))))
                node.publish(*numbers[-1])
                time.sleep(0.005)
            self.check(page, numbers)
            page.until(f"heard.length >= {len(numbers)}", 20)
            self.check(page, numbers, got="heard.map((event) => [event.topic, event.data])")
            self.assertGreater(between.cut, 10)


if __name__ == "__main__":
    unittest.main()
