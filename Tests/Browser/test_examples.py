"""The examples work: each is started by the commands of its README, and seen to survive what it says that it survives."""

import json
import os
import re
import signal

from harness.browser import BrowserTestCase
from harness.documents import Document
from harness.examples import Example
from harness.node import ROOT, until

LIVE = 'document.getElementById("link").textContent === "live"'
CARDS = """Object.fromEntries([...document.querySelectorAll("article[id]")].map((card) =>
  [card.id, { value: card.querySelector(".value span").textContent, status: card.querySelector(".status").textContent,
              points: card.querySelector(".curve").getAttribute("d").split("L").length }]))"""
JOBS = """Object.fromEntries([...document.querySelectorAll("article:not(.empty)")].map((card) =>
  [card.querySelector("h2").textContent, Number(card.querySelector(".number").textContent)]))"""
SAID = '[...document.querySelectorAll("#messages li:not(.pending)")].map((line) => [line.dataset.from, line.querySelector(".text").textContent])'
HERE = '[...document.querySelectorAll("#members .who")].map((each) => each.textContent).join()'
BADGE = 'document.getElementById("badge").hidden ? "" : document.getElementById("badge").textContent'
TITLES = '[...document.querySelectorAll("#list li")].map((row) => (row.className === "unread" ? "*" : "") + row.querySelector("p").textContent).join("|")'


def kill(process):
    """The whole pipe, or the interpreter that the shell started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class ExampleTests(BrowserTestCase):
    def check(self, *pages):
        """Nothing was reported but connections that broke, which a page cannot keep the browser from telling."""
        for page in pages:
            page.evaluate("0")
            self.assertEqual([line for line in page.console if "ERR_" not in line], [])

    def test_progress_bar(self):
        """Progress bar: the page shows every job, also after a reload and a restart of the node, and the worker goes on"""
        with Example("progress-bar") as example:
            page = self.browser.open(example.serve())
            page.until(LIVE)
            self.assertFalse(page.evaluate('document.querySelector(".empty").hidden'))
            # As the README starts it, but quicker, and another at the same time.
            worker, said = example.start(example.shown("worker.py") + " holiday.mp4 4")
            example.do(example.shown("-X PUT"))
            page.until(f'({JOBS})["holiday.mp4"] >= 3')
            self.assertEqual(page.evaluate(JOBS)["Backup"], 40)
            page.go(page.evaluate("location.href"))
            page.until(f'({JOBS})["holiday.mp4"] >= 3 && ({JOBS}).Backup === 40')
            self.assertIn("s left", page.until('document.querySelector("article:not(.done) .left")?.textContent'))

            example.break_down()
            page.until(f"!({LIVE})")
            until(lambda: "trying again" in example.text(said), 20, "the worker's noticing")
            self.assertIsNone(worker.poll())
            example.come_back()
            page.until(LIVE, 30)
            page.until(f'({JOBS})["holiday.mp4"] === 100', 30)
            self.assertEqual(worker.wait(20), 0)
            self.assertEqual(page.evaluate(JOBS)["Backup"], 40)
            example.do(example.shown("-X DELETE"))
            page.until(f'!("Backup" in ({JOBS}))')
            # Each step once, whatever was sent twice.
            told = [data["percent"] for topic, data in example.published("jobs/%2B") if topic == "jobs/holiday-mp4"]
            self.assertEqual(told, list(range(101)))
            self.check(page)

    def test_sensor_dashboard(self):
        """Sensor dashboard: curves from MQTT, full after a reload, whole after a restart of the node, and silent devices shown"""
        with Example("sensor-dashboard") as example:
            page = self.browser.open(example.serve())
            page.until(LIVE)
            sensors, _ = example.start(example.shown("sensors.py"))
            page.until(f"Object.keys({CARDS}).length === 6 && Object.values({CARDS}).every(({{ points, status }}) => points > 4 && status === 'online')", 30)
            example.do(example.shown("mosquitto_pub"))
            page.until(f'({CARDS})["sensors/attic/temperature"]?.value === "31.5"')
            before = page.evaluate(CARDS)["sensors/roof/solar"]["points"]
            page.go(page.evaluate("location.href"))
            page.until(f'({CARDS})["sensors/roof/solar"]?.points >= {before}')

            example.break_down()
            page.until(f"!({LIVE})")
            example.come_back()
            page.until(LIVE, 30)
            after = page.evaluate(CARDS)["sensors/roof/solar"]["points"]
            page.until(f'({CARDS})["sensors/roof/solar"].points > {after + 3}', 30)
            kill(sensors)
            page.until(f"Object.entries({CARDS}).every(([topic, {{ status }}]) => topic.includes('attic') || status === 'offline')", 20)
            # The curve is what was published, all of it, and no more.
            wind = [data for topic, data in example.published("sensors/garden/wind")]
            page.until(f'({CARDS})["sensors/garden/wind"].points === {min(len(wind), 120)}')
            self.assertEqual(float(page.evaluate(CARDS)["sensors/garden/wind"]["value"]), float(wind[-1]))
            self.check(page)

    def enter(self, address, name):
        page = self.browser.open(address)
        page.until('document.getElementById("door").open')
        page.run(f'document.querySelector("#door input").value = {json.dumps(name)}; document.querySelector("#door button").click()')
        page.until('document.getElementById("link").className === "connected"')
        return page

    def say(self, page, text):
        page.run(f'document.querySelector("#write input").value = {json.dumps(text)}; document.querySelector("#write button").click()')

    def test_chat(self):
        """Chat: two tabs see who is there, who types and what is said; it is said once though the node was killed meanwhile"""
        with Example("chat") as example:
            address = example.serve()
            ann, bob = self.enter(address, "Ann"), self.enter(address, "Bob")
            for page in (ann, bob):
                page.until(f'({HERE}) === "Ann,Bob"')
            bob.run('document.querySelector("#write input").dispatchEvent(new InputEvent("input"))')
            ann.until('document.getElementById("typing").textContent === "Bob is typing"')
            ann.until('document.getElementById("typing").textContent === ""')
            self.say(bob, "hello <b>Ann</b>")
            self.say(ann, "hello Bob")
            example.do(example.shown("tidings pub"))
            talk = [["Bob", "hello <b>Ann</b>"], ["Ann", "hello Bob"], ["Clock", "It is time for tea."]]
            for page in (ann, bob):
                page.until(f"({SAID}).length === 3")
                self.assertCountEqual(page.evaluate(SAID), talk)

            example.break_down()
            ann.until('document.getElementById("link").className === "waiting"')
            self.say(ann, "are you there?")
            ann.until('document.querySelectorAll(".pending").length === 1')
            example.come_back()
            for page in (ann, bob):
                page.until(f'({SAID}).at(-1)[1] === "are you there?"', 40)
                page.until(f'({HERE}) === "Ann,Bob"', 40)
            self.assertEqual(ann.evaluate('document.querySelectorAll(".pending, .failed").length'), 0)
            self.assertEqual(sum(data["text"] == "are you there?" for _, data in example.published("chat/lobby")), 1)

            # Who reloads is still the same, and sees all that was said; who goes is gone.
            ann.go(address)
            ann.until(f"({SAID}).length === 4")
            ann.until(f'({HERE}) === "Ann,Bob"')
            bob.go(address + "chat.css")
            ann.until(f'({HERE}) === "Ann"')
            self.check(ann)

    def test_notification_bell(self):
        """Notification bell: the number is right after no page, a reload, sleep, a restart of the node, and in a second tab"""
        with Example("notification-bell") as example:
            example.do(example.shown("tidings pub"))
            example.do(example.shown("curl"))
            address = example.serve()
            send = lambda text: example.node.publish("notifications/ann", json.dumps({"title": "Test", "text": text}), {"Content-Type": "application/json"})
            page = self.browser.open(address)
            page.until(f'({BADGE}) === "2" && document.title === "(2) Inbox"')
            page.go(address)
            page.until(f'({BADGE}) === "2"')
            page.run('document.getElementById("bell").click()')
            self.assertEqual(page.evaluate(TITLES), "*Lunch at noon?|*Good to have you here.")
            page.run('document.getElementById("bell").click()')
            page.until(f'({BADGE}) === ""')

            # Nobody looks.
            page.go("about:blank#away")
            send("one")
            page.go(address)
            page.until(f'({BADGE}) === "1"')
            page.until(f'({TITLES}) === "*one|Lunch at noon?|Good to have you here."')
            # Asleep: the page does not run, and its connection dies meanwhile.
            page.call("Page.setWebLifecycleState", state="frozen")
            send("two")
            example.break_down()
            example.come_back()
            send("three")
            page.call("Page.setWebLifecycleState", state="active")
            page.until(f'({BADGE}) === "3"', 40)
            page.until('document.getElementById("link").textContent === ""', 40)

            # Read in another tab is read here, and stays read.
            other = self.browser.open(address)
            other.until(f'({BADGE}) === "3"')
            other.run('document.getElementById("bell").click()')
            other.until(f'({TITLES}) === "*three|*two|*one|Lunch at noon?|Good to have you here."')
            page.until(f'({BADGE}) === ""')
            page.run('document.getElementById("send").click()')
            other.until(f'({TITLES}).startsWith("*Sent from this page")')  # it is open there, so it is seen
            page.until(f'document.querySelectorAll("#list li").length === 6 && ({BADGE}) === ""')
            page.go(address)
            page.until('document.querySelectorAll("#list li").length === 6')
            self.assertEqual(page.evaluate(BADGE), "")
            self.check(page, other)

    def test_log_tail(self):
        """Tailing a log: no line is lost, doubled or out of order though the node is killed in the middle"""
        with Example("log-tail") as example:
            pipe = example.shown("pub logs/web-1").replace("./service.sh", "./service.sh 60 0.05")
            writer, _ = example.start(pipe)
            _, seen = example.start(example.shown("colour.py").replace("--json", "--json --since earliest"))
            numbers = lambda: [int(number) for number in re.findall(r"web-1.* #(\d+) ", example.text(seen))]
            until(lambda: len(numbers()) > 10, 20, "lines")
            example.break_down()
            count = len(numbers())
            example.come_back()
            until(lambda: len(numbers()) > count, 30, "more lines")
            self.assertEqual(writer.wait(30), 0)
            until(lambda: numbers()[-1:] == [60], 30, "the last line")
            self.assertEqual(numbers(), list(range(1, 61)))
            # Who goes on from a file goes on.
            kept = [command for block in self.steps(example) for command, _ in block if "--cursor-file" in command]
            self.assertEqual(len(kept), 2)
            self.assertEqual(re.findall(r"#(\d+) ", "".join(example.do(command) for command in kept)), ["1", "2", "3", "4"])

    def steps(self, example):
        return [block.steps() for block in example.blocks if block.kind == "console"]

    def test_worker_group(self):
        """Worker group: a killed worker's jobs are done by the others, a new one gets its share, and each result counts once"""
        with Example("worker-group") as example:
            workers = {name: example.start(example.shown(f"worker.py {name}")) for name in ("ann", "bob", "cid")}
            took = lambda name: set(re.findall(r"jobs/\d+", "".join(re.findall(rf"^{name} takes .*$", example.text(workers[name][1]), re.MULTILINE))))
            lanes = {f"jobs/{number}" for number in range(16)}
            until(lambda: set.union(*map(took, workers)) == lanes, 20, "all lanes' being taken")
            self.assertEqual(sum(len(took(name)) for name in workers), 16)

            example.do(example.shown("seq 40"))
            example.do(example.shown("/v1/publish"))
            until(lambda: "bob did" in example.text(workers["bob"][1]), 20, "bob's first job")
            kill(workers["bob"][0])
            dead = took("bob")
            results = lambda: [data.split(",")[0] for _, data in example.published("results")]
            until(lambda: len(results()) == 40, 40, "all results")
            self.assertEqual(sorted(results(), key=lambda text: int(text.split()[1])), [f"picture {number}" for number in range(1, 41)])
            self.assertLessEqual(dead, took("ann") | took("cid"))

            # The node is killed in the middle of the next forty, and bob comes back.
            example.do(example.shown("/v1/publish"))
            until(lambda: len(results()) > 44, 20, "results of the second forty")
            example.break_down()
            example.come_back()
            workers["bob"] = example.start(example.shown("worker.py bob"))
            until(lambda: len(results()) == 80, 60, "all results of the second forty")
            until(lambda: took("bob") == dead, 20, "bob's share")
            self.assertEqual(sorted(results()), sorted(f"picture {number}" for number in [*range(1, 41)] * 2))
            behind = [each["name"] for each in example.node.json("/v1/consumers")["consumers"]]
            self.assertEqual(len(behind), 16)
            for name in behind:
                until(lambda: example.node.json(f"/v1/events?consumer={name}&ack=explicit")["events"] == [], 10, f"{name}'s being done")

    def test_start(self):
        """The page that docs/start.md has the reader write shows what was published before, and what is published next"""
        with Document(ROOT / "docs" / "start.md") as start:
            file, = [block for block in start.blocks if block.words == ["index.html"]]
            (start.directory / "index.html").write_text(start.here("\n".join(file.lines)))
            commands = [command for block in start.blocks if block.kind == "console" for command, _ in block.steps()]
            for part in ("tidings serve >node.log", "curl -s --retry", "orders/42", "pub orders/43"):
                process, output = start.start(next(command for command in commands if part in command))
                self.assertEqual(process.wait(30), 0, start.text(output))
            page = self.browser.open(start.serve())
            page.until('document.body.innerText.includes(`orders/42 {"cups":2}`) && document.body.innerText.includes(`orders/43 "three cups"`)')
            process, _ = start.start(start.shown("pub orders/44"))
            page.until('document.body.innerText.includes(`orders/44 "published while nobody reads"`)')
            self.assertEqual(process.wait(30), 0)
            self.check(page)
