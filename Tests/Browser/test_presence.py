from harness.browser import BrowserTestCase
from harness.node import Node, until
from harness.websocket import WebSocket

BARE = "/healthz"

JOIN = """
  const { connect } = await import("/tidings.js");
  window.heard = [];
  window.client = connect(location.href, { transports: [%r], member: { id: "page", data: { on: %r } } });
  window.room = client.presence("room/1", (room, { joined, left }) =>
    heard.push(`+${joined.map(({ id }) => id).sort()} -${left.map(({ id }) => id).sort()}`), { enter: true });
"""


class PresenceTests(BrowserTestCase):
    def members(self, node):
        return [{"id": each["id"], "data": each.get("data")} for each in node.json("/v1/presence?topic=room/1")["members"]]

    def ids(self, node):
        return [each["id"] for each in self.members(node)]

    def test_every_transport(self):
        """A page is present over every transport, hears who comes and goes, and is so again after the node was killed"""
        for transport in ["websocket", "sse", "longpoll"]:
            with self.subTest(transport), Node() as node:
                page = self.browser.open(node.url + BARE)
                page.run(JOIN % (transport, transport))
                page.until('room.members.has("page") && room.count === 1')
                member = node.json("/v1/presence?topic=room/1")["members"][0]
                self.assertEqual((member["id"], member["data"], member["connections"]), ("page", {"on": transport}, 1))
                other = WebSocket(node.port)
                other.send({"op": "presence", "topic": "room/1", "member": {"id": "other"}})
                page.until('room.members.has("other") && room.count === 2')
                page.run('client.describe({ on: "again" })')
                # A stream is opened anew for it.
                until(lambda: {"id": "page", "data": {"on": "again"}} in self.members(node), what="other data")
                other.close()
                page.until('!room.members.has("other") && room.count === 1')
                node.kill()
                node.start()
                page.until('client.status.state === "connected"')
                until(lambda: self.ids(node) == ["page"], 30, "the page's being there again")
                page.until('room.members.has("page") && room.count === 1')
                page.run("room.leave()")
                until(lambda: self.ids(node) == [], 20, "its leaving")
                page.run("room.close()")
                page.until('client.status.state === "closed"')

    def test_left_page(self):
        """A page that was left, and that the browser keeps to show again, is not there meanwhile; shown again it has missed nothing"""
        with Node() as node:
            page = self.browser.open(node.url + BARE)
            page.run(JOIN % ("websocket", "here") + 'window.got = []; client.subscribe("news/1", (event) => got.push(event.data));')
            page.until('room.members.has("page") && client.status.state === "connected"')
            page.run('dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }))')
            until(lambda: self.ids(node) == [], what="its being gone")
            node.publish("news/1", "missed")
            page.run('dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))')
            page.until('got.includes("missed")')
            until(lambda: self.ids(node) == ["page"], what="its being there again")
            # One that is closed for good needs nothing done, and nothing is.
            page.run('dispatchEvent(new PageTransitionEvent("pagehide", { persisted: false }))')
            node.publish("news/1", "after")
            page.until('got.includes("after")')
