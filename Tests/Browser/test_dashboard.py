from harness.browser import BrowserTestCase
from harness.cluster import Cluster
from harness.node import Node, until

# What the page shows, in the words a test compares.
STATES = "Object.fromEntries([...document.querySelectorAll('#nodes tr')].map((row) => [row.dataset.name, row.dataset.state]))"
LEADERS = "[...document.querySelectorAll('#shards li')].map((cell) => cell.dataset.leader)"
FIGURES = "Object.fromEntries([...document.querySelectorAll('.tiles dd[id]')].map((each) => [each.id, each.textContent]))"


def state_of(node):
    return f"({STATES})['{node.name}']"


class DashboardTests(BrowserTestCase):
    def open(self, node, **options):
        page = self.browser.open(node.url + "/", **options)
        page.until('document.body.dataset.link === "live"')
        page.evaluate("window.isSamePage = true")
        return page

    def test_death(self):
        """A broker dies and comes back: an open page shows it dead, every shard led by a living one, and then alive again"""
        with Cluster(brokers=3, edges=1) as cluster:
            page = self.open(cluster.edges[0])
            names = {node.name for node in cluster.nodes}
            page.until(f"Object.values({STATES}).filter((state) => state === 'alive').length === {len(names)}")
            page.until("document.querySelector('#verdict').dataset.state === 'healthy'")
            self.assertEqual(set(page.evaluate(STATES)), names)
            self.assertEqual(len(page.evaluate(LEADERS)), 16)

            victim = cluster.leader_of(3)
            self.assertIn(victim.name, page.evaluate(LEADERS))
            victim.kill()
            page.until(f"({LEADERS}).every((leader) => leader && leader !== '{victim.name}')", 20)
            page.until(f"{state_of(victim)} === 'dead'", 30)
            page.until("document.querySelector('#verdict').dataset.state === 'degraded'")
            page.until(f"document.querySelector('#why').textContent.includes('{victim.name} (broker) is dead')")
            page.until("[...document.querySelectorAll('#shards li')].every((cell) => cell.dataset.state === 'under-replicated')", 20)
            self.assertNotIn(victim.name, page.evaluate(LEADERS))
            cluster.edges[0].publish("while/dead", "x")

            victim.start(wait=False)
            page.until(f"{state_of(victim)} === 'alive'", 30)
            page.until("document.querySelector('#verdict').dataset.state === 'healthy'", 30)
            page.until("[...document.querySelectorAll('#shards li')].every((cell) => cell.dataset.state === 'ok')", 20)
            self.assertTrue(page.evaluate("document.querySelector('#why').hidden"))
            self.assertTrue(page.evaluate("window.isSamePage"), "the page was loaded anew")
            self.assertEqual(page.console, [])

    def test_lost_node(self):
        """The page says when its own node is gone, since when, and goes on by itself when it is back; a hung one counts as gone"""
        with Cluster(brokers=1, edges=1, options=("--replicas", "1")) as cluster:
            edge = cluster.edges[0]
            page = self.open(edge)
            edge.kill()
            page.until('document.body.dataset.link === "lost"')
            self.assertRegex(page.evaluate('document.querySelector("#link").textContent'), r"^edge-1 does not answer: this is how it was at \d\d:\d\d:\d\d$")
            edge.start(wait=False)
            page.until('document.body.dataset.link === "live"', 30)
            edge.pause()
            page.until('document.body.dataset.link === "lost"', 20)
            edge.resume()
            page.until('document.body.dataset.link === "live"', 30)
            self.assertTrue(page.evaluate("window.isSamePage"))

    def test_one_node(self):
        """A node alone is one healthy node, and its figures follow what is published and delivered"""
        with Node("--node", "<b>solo</b>") as node:
            page = self.open(node)
            page.until("document.querySelector('#verdict').dataset.state === 'healthy'")
            self.assertEqual(page.evaluate(STATES), {"<b>solo</b>": "alive"})
            self.assertEqual(page.evaluate("document.querySelectorAll('main b').length"), 0, "a name acts as markup")
            self.assertEqual(set(page.evaluate(LEADERS)), {"<b>solo</b>"})
            page.until('document.querySelector("#state").dataset.state === "connected"')
            self.assertTrue(page.evaluate(FIGURES)["publish-note"].startswith("0 "))
            for number in range(40):
                node.publish("orders/1", str(number))
            page.until("document.querySelector('#publish-note').textContent === '40 so far'")
            page.until("Number(document.querySelector('#publish-rate').textContent) > 0")
            page.until("document.querySelector('#deliver-note').textContent === '40 so far'")
            page.until("document.querySelector('#latency').textContent.startsWith('≤')")
            page.until("[...document.querySelectorAll('#transports tr')].some((row) => row.textContent.startsWith('WebSocket1≤'))")
            page.until("document.querySelector('#publish-spark .line').getAttribute('d').includes('L')")
            page.run("document.querySelector('#shard-details').open = true")
            page.until("document.querySelectorAll('#shard-rows tr').length === 16")
            self.assertEqual(page.console, [])

    def test_narrow(self):
        """On a phone nothing is wider than the screen, light and dark, whatever nodes are called"""
        with Cluster(brokers=3, edges=1) as cluster, Node("--node", "a-rather-long-name-of-a-node-" + "x" * 60) as node:
            for shown in (cluster.edges[0], node):
                for scheme in ("light", "dark"):
                    with self.subTest(node=shown.url, scheme=scheme):
                        page = self.open(shown, size=(390, 844))
                        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                        page.until("document.querySelectorAll('#shards li').length === 16")
                        page.run("document.querySelector('#shard-details').open = true")
                        page.until("document.querySelectorAll('#shard-rows tr').length === 16")
                        widest = "Math.max(document.documentElement.scrollWidth - document.documentElement.clientWidth, document.body.scrollWidth - document.body.clientWidth)"
                        self.assertLessEqual(page.evaluate(widest), 0)
                        self.assertEqual(page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"), scheme == "dark")

    def test_contrast(self):
        """Text stands out from what is behind it by 4.5 to 1 at least, light and dark"""
        with Node() as node:
            for scheme in ("light", "dark"):
                page = self.open(node)
                page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                for verdict in ("healthy", "degraded", "unavailable"):
                    with self.subTest(scheme=scheme, verdict=verdict):
                        self.assertEqual(page.run(CONTRAST % verdict), [])

    def test_policy(self):
        """The page may run and load only what its node gives out, and stands in nobody's frame"""
        with Node() as node:
            status, headers, _ = node.get("/")
            policy = {rule.split()[0]: rule.split()[1:] for rule in headers["Content-Security-Policy"].split(";")}
            self.assertEqual(status, 200)
            self.assertEqual(policy["default-src"], ["'none'"])
            self.assertEqual((policy["script-src"], policy["style-src"], policy["connect-src"]), (["'self'"],) * 3)
            self.assertEqual(policy["frame-ancestors"], ["'none'"])
            page = self.open(node)
            page.run("""
              window.refused = [];
              addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
              const script = document.createElement("script");
              script.textContent = "window.ran = true";
              document.body.append(script);
              document.body.insertAdjacentHTML("beforeend", "<img src='http://127.0.0.1:1/x'><p style='color: red'>");
            """)
            page.until("refused.length >= 3")
            self.assertEqual(set(page.evaluate("refused")), {"script-src-elem", "img-src", "style-src-attr"})
            self.assertFalse(page.evaluate("'ran' in window"))

    def test_status_events(self):
        """The events tell a leader that moved and a node that died within about a second of the node's knowing"""
        with Cluster(brokers=3, edges=1) as cluster:
            page = self.browser.open(cluster.edges[0].url + "/healthz")
            page.run("""
              window.told = [];
              const source = new EventSource("/v1/cluster/events");
              source.onmessage = (event) => told.push([performance.now(), JSON.parse(event.data)]);
            """)
            page.until("told.length >= 4")
            gaps = page.evaluate("told.slice(1).map(([at], index) => at - told[index][0])")
            self.assertLess(max(gaps), 2500)
            status = page.evaluate("told.at(-1)[1]")
            for node in status["nodes"]:
                self.assertLessEqual({"behind", "latency", "rates", "connections", "uptime", "incarnation", "version"}, node.keys())
            self.assertLessEqual({"behind", "latency", "publishRate", "deliverRate"}, status["totals"].keys())
            victim = cluster.brokers[0]
            other = cluster.brokers[1]
            victim.kill()

            def is_told(status):
                names = {node["id"]: node["name"] for node in status["nodes"]}
                gone = all(node["state"] != "alive" for node in status["nodes"] if node["name"] == victim.name)
                return gone and all(shard["leader"] and names[shard["leader"]] != victim.name for shard in status["shards"])

            until(lambda: is_told(other.status()), 20, "the other leaders")
            known = page.evaluate("performance.now()")
            until(lambda: is_told(page.evaluate("told.at(-1)[1]")), 20, "their being told")
            self.assertLess(page.evaluate("performance.now()") - known, 2500)


# Every visible text, against the nearest background behind it that is not see-through.
CONTRAST = """
  document.querySelector("#verdict").dataset.state = "%s";
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = rgb(getComputedStyle(element).backgroundColor);
      if (color[3] === 255) return color;
    }
    return rgb("white");
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest("option")) continue;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) weak.push(`${element.className || element.id || element.tagName} ${walker.currentNode.textContent.trim().slice(0, 20)}: ${ratio.toFixed(2)}`);
  }
  return weak;
"""
