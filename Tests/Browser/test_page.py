import json
import unittest

from harness.browser import BrowserTestCase
from harness.node import Node, until

BARE = "/healthz"


class PageTests(BrowserTestCase):
    def test_first_page(self):
        """The page publishes and follows at once, and shows where it is"""
        with Node() as node:
            page = self.browser.open(node.url + "/")
            page.until('document.querySelector("#state").dataset.state === "connected"')
            page.run('document.querySelector("#publish button").click()')
            page.until('document.querySelectorAll("#list li").length === 1')
            self.assertEqual(page.evaluate('document.querySelector("#list .topic").textContent'), "orders/42")
            self.assertIn("coffee", page.evaluate('document.querySelector("#list pre").textContent'))
            page.until('document.querySelector("#published").textContent.includes("on disk at")')
            cluster = node.json("/v1/cluster")["cluster"]["id"]
            page.until(f'document.querySelector("#cluster").textContent === "{cluster}"')
            # Something from elsewhere, with a type, and nothing in it may act as markup.
            node.publish("orders/<b>7", "<img src=x onerror=alert(1)>", {"Tidings-Event": "<i>made"})
            page.until('document.querySelectorAll("#list li").length === 2')
            self.assertEqual(page.evaluate('document.querySelectorAll("#list img, #list b, #list i").length'), 0)
            self.assertEqual(page.evaluate('document.querySelector("#list .tag").textContent'), "<i>made")
            # Another transport goes on from the cursor.
            page.run('const select = document.querySelector("[name=transport]"); select.value = "longpoll"; select.dispatchEvent(new Event("change"))')
            page.until('document.querySelector("#state").textContent.includes("long-polling") && document.querySelector("#state").dataset.state === "connected"')
            node.publish("orders/8", "after")
            page.until('document.querySelectorAll("#list li").length === 3')
            self.assertEqual(page.console, [])

    def test_what_cannot_be_published(self):
        """A refusal is shown in the server's words"""
        with Node() as node:
            page = self.browser.open(node.url + "/")
            page.run('document.querySelector("[name=topic]").value = "orders/+"; document.querySelector("#publish button").click()')
            page.until('document.querySelector("#published").textContent.includes("wildcards")')
            page.run('document.querySelector("[name=filter]").value = "a/#/b"; document.querySelector("#follow button").click()')
            page.until('document.querySelector("#followed").textContent.includes("last level")')

    def test_sizes(self):
        """The page fits a phone and a laptop, light and dark, and loads nothing from outside"""
        with Node() as node:
            for size in ((375, 700), (1280, 800)):
                for scheme in ("light", "dark"):
                    with self.subTest(size=size, scheme=scheme):
                        page = self.browser.open(node.url + "/", size=size)
                        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                        node.publish("a/rather/long/topic/" + "x" * 200, json.dumps({"a": "word" * 100}))
                        page.until('document.querySelectorAll("#list li").length > 0')
                        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), size[0])
                        loaded = page.evaluate('performance.getEntriesByType("resource").map((each) => new URL(each.name).origin)')
                        self.assertEqual(set(loaded), {node.url})

    # -- tidings.js, beyond following

    def client(self, node):
        page = self.browser.open(node.url + BARE)
        page.run('const { connect, matches } = await import("/tidings.js"); window.matches = matches; window.connect = connect; window.client = connect()')
        return page

    def test_publishing(self):
        """Text, JSON and bytes are published as what they are, over the socket and over HTTP alike"""
        with Node() as node:
            for connected in (False, True):
                page = self.client(node)
                if connected:
                    page.run('client.subscribe("other", () => {})')
                    page.until('client.status.state === "connected"')
                answers = page.run("""
                  const answers = [];
                  answers.push(await client.publish("in/text", "héllo\\nthere", { type: "greeting" }));
                  answers.push(await client.publish("in/json", { a: [1, null, "x"] }, { retain: true }));
                  answers.push(await client.publish("in/bytes", new Uint8Array([0, 255, 128])));
                  answers.push(await client.publish("in/once", "x", { key: "same-%s" }));
                  answers.push(await client.publish("in/once", "y", { key: "same-%s" }));
                  return answers;
                """ % (connected, connected))
                self.assertEqual([answer["duplicate"] for answer in answers], [False, False, False, False, True])
                self.assertEqual(answers[3]["position"], answers[4]["position"])
                last = {event["topic"]: event for event in node.json("/v1/events?topic=in/%23&since=earliest")["events"]}
                self.assertEqual(last["in/text"]["data"], "héllo\nthere")
                self.assertEqual(last["in/text"]["type"], "greeting")
                self.assertEqual(last["in/json"]["data"], {"a": [1, None, "x"]})
                self.assertEqual(last["in/bytes"]["data_base64"], "AP+A")
                self.assertEqual(json.loads(node.get("/v1/topics/in/json")[2]), {"a": [1, None, "x"]})
                self.assertEqual(last["in/once"]["data"], "x")

    def test_publishing_through_restart(self):
        """What is published while the node is killed arrives once"""
        with Node() as node:
            page = self.client(node)
            page.run('client.subscribe("other", () => {})')
            page.until('client.status.state === "connected"')
            page.run("""
              window.done = 0;
              (async () => { for (let number = 0; number < 300; number += 1) { await client.publish("out", String(number)); done += 1; } })();
            """)
            for _ in range(3):
                before = page.evaluate("done")
                page.until(f"done > {before + 20}")
                node.kill()
                node.start()
            page.until("done === 300", 40)
            events = node.json("/v1/events?topic=out&since=earliest")["events"]
            self.assertEqual([event["data"] for event in events], [str(number) for number in range(300)])

    def test_refused(self):
        """What the server refuses is not tried again: the promise fails with its words, the subscription ends with them"""
        with Node() as node:
            page = self.client(node)
            self.assertIn("wildcards", page.run('try { await client.publish("a/#", "x") } catch (error) { return error.message }'))
            page.run("""
              window.errors = [];
              client.options.onError = (error, subscription) => errors.push([subscription.filters[0], error.message]);
              client.subscribe("a/#/b", () => {});
              client.subscribe("also/#/b", () => {}, { since: "earliest" });
              window.got = [];
              client.subscribe("good", (event) => got.push(event));
            """)
            page.until("errors.length === 2")
            page.until('client.status.state === "connected" && client.subscriptions.size === 1')
            page.until('[...client.subscriptions][0].cursor !== null')
            node.publish("good", "x")
            page.until("got.length === 1")

    def test_many_subscriptions(self):
        """Subscriptions with beginnings of their own, added at any time, each get their own messages once and in order"""
        with Node() as node:
            for transport in ("websocket", "sse", "longpoll"):
                with self.subTest(transport=transport):
                    topics = [f"many/{transport}/{index}" for index in range(4)]
                    numbers = 0

                    def publish(count):
                        nonlocal numbers
                        for _ in range(count):
                            node.publish(topics[numbers % 4], str(numbers))
                            numbers += 1

                    publish(40)
                    page = self.client(node)
                    page.run(f"""
                      window.got = {{}};
                      window.client = connect(location.href, {{ transports: ["{transport}"] }});
                      window.add = (name, filters, options) => {{
                        got[name] = [];
                        return client.subscribe(filters, (event) => got[name].push(Number(event.data)), options);
                      }};
                      add("all", "many/{transport}/#", {{ since: "earliest" }});
                      add("last", "{topics[1]}", {{ last: 2 }});
                    """)
                    page.until("got.all.length === 40 && got.last.length === 2")
                    publish(20)
                    page.run(f'window.later = add("later", ["{topics[0]}", "{topics[2]}"], {{ since: "earliest" }}); add("now", "many/{transport}/+")')
                    page.until('[...client.subscriptions].every((each) => each.cursor)')
                    page.until("got.later.length === 30")
                    publish(20)
                    page.until("got.all.length === 80 && got.later.length === 40")
                    page.run("later.unsubscribe()")
                    page.until('client.status.state === "connected"')
                    publish(20)
                    page.until("got.all.length === 100 && got.now.length === 40")
                    got = page.evaluate("got")
                    self.assertEqual(got["all"], sorted(got["all"], key=lambda number: got["all"].index(number)))
                    for index in range(4):
                        self.assertEqual([number for number in got["all"] if number % 4 == index], list(range(index, 100, 4)))
                        self.assertEqual([number for number in got["now"] if number % 4 == index], list(range(60 + index, 100, 4)))
                    self.assertEqual(got["last"], [33, 37] + list(range(41, 100, 4)))
                    for index in (0, 2):
                        self.assertEqual([number for number in got["later"] if number % 4 == index], list(range(index, 80, 4)))
                    page.run("client.close()")
                    page.until('client.status.state === "closed"')

    def test_current_values(self):
        """With `retained` the current values come first, then everything later"""
        with Node() as node:
            for index in range(5):
                node.publish(f"value/{index}", f"old {index}", method="PUT")
                node.publish(f"value/{index}", f"new {index}", method="PUT")
            node.publish("value/0", "passing")
            page = self.client(node)
            page.run('window.got = []; window.subscription = client.subscribe("value/+", (event) => got.push([event.data, event.retained ?? false]), { retained: true })')
            page.until('subscription.cursor && client.status.state === "connected"')
            node.publish("value/3", "live")
            page.until("got.length === 6")
            got = page.evaluate("got")
            self.assertEqual(sorted(got[:5]), [[f"new {index}", True] for index in range(5)])
            self.assertEqual(got[5], ["live", False])

    def test_storage(self):
        """With `storage` a page that is loaded again goes on where the last one was"""
        with Node() as node:
            script = """
              const { connect } = await import("/tidings.js");
              window.got = [];
              window.client = connect();
              window.subscription = client.subscribe("stored", (event) => got.push(event.data), { storage: "place" });
            """
            page = self.browser.open(node.url + BARE)
            page.run(script)
            page.until('client.status.state === "connected" && subscription.cursor')
            received = []
            for round in range(4):
                node.publish("stored", f"while here {round}")
                page.until(f"got.length === {1 if round == 0 else 2}")
                received += page.evaluate("got")
                page.go(node.url + BARE + f"?{round}")
                node.publish("stored", f"while away {round}")
                page.run(script)
                page.until("got.length === 1")
            received += page.evaluate("got")
            self.assertEqual(received, [text for round in range(4) for text in (f"while here {round}", f"while away {round}")])

    def test_gap(self):
        """A cursor of another cluster is answered with a gap, and the stream goes on from what there is"""
        with Node() as node:
            node.publish("gap/a", "1")
            page = self.client(node)
            page.run("""
              window.got = []; window.gaps = [];
              client.subscribe("gap/#", (event) => got.push(event.data), { cursor: "v1~0123456789ab~3.7", onGap: (gap) => gaps.push(gap.reason) });
            """)
            page.until("got.length === 1")
            self.assertEqual(page.evaluate("gaps"), ["foreign"])
            node.publish("gap/a", "2")
            page.until("got.length === 2")

    def test_new_data(self):
        """A node that comes back with other data is another cluster: the page is told of the gap and goes on"""
        for transport in ("websocket", "sse", "longpoll"):
            with self.subTest(transport=transport), Node() as node:
                node.publish("gap/a", "1")
                page = self.client(node)
                page.run(f"""
                  window.got = []; window.gaps = [];
                  window.client = connect(location.href, {{ transports: ["{transport}"] }});
                  client.subscribe("gap/#", (event) => got.push(event.data), {{ since: "earliest", onGap: (gap) => gaps.push(gap.reason) }});
                """)
                page.until('got.length === 1 && client.status.state === "connected"')
                node.kill()
                until_gone(node)
                node.start()
                page.until("gaps.length === 1", 20)
                self.assertEqual(page.evaluate("gaps"), ["foreign"])
                node.publish("gap/a", "2")
                page.until("got.length === 2")
                self.assertEqual(page.evaluate("got"), ["1", "2"])

    def test_matching(self):
        """The page's own matching of filters says what the server's says"""
        with Node() as node:
            page = self.client(node)
            topics = ["a", "a/b", "a/b/c", "/", "/a", "a/", "a//b", "$x/y", "ü/b", "ab", "b/a"]
            filters = ["a", "a/b", "+", "#", "a/+", "a/#", "+/+", "+/b", "/+", "/#", "+/#", "a/+/c", "a//b", "$x/#", "$x/+", "a/", "b/#"]
            for topic in topics:
                status, _, body = node.request("POST", "/v1/publish", json.dumps([{"topic": topic, "data": topic}]), {"Content-Type": "application/json"})
                self.assertEqual(status, 200)
            from urllib.parse import quote
            for wanted in filters:
                events = node.json(f"/v1/events?topic={quote(wanted, safe='')}&since=earliest")["events"]
                said = sorted(event["topic"] for event in events)
                thought = sorted(topic for topic in topics if topic[0] != "$" and page.evaluate(f"matches({json.dumps(wanted)}, {json.dumps(topic)})"))
                self.assertEqual(said, thought, wanted)
            self.assertEqual(page.evaluate('[matches("#", "$x/y"), matches("+/y", "$x/y"), matches("$x/#", "$x/y")]'), [False, False, True])


def until_gone(node):
    """Makes the node forget everything."""
    import shutil
    shutil.rmtree(node.data)


if __name__ == "__main__":
    unittest.main()
