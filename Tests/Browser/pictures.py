"""Takes the pictures of docs/examples anew, of what they really show: pictures.py [NAME…]"""

import html
import json
import os
import pathlib
import re
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Process"))

from harness.browser import Browser
from harness.examples import Example
from harness.node import ROOT, until

PICTURES = ROOT / "docs" / "images" / "examples"
LARGEST = 150_000  # bytes
JSON = {"Content-Type": "application/json"}
COLOURS = {"31": "#f47067", "32": "#6bc46d", "33": "#daaa3f", "34": "#6cb6ff", "35": "#dcbdfb", "36": "#56d4dd"}


def scheme(page, which):
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": which}])


def progress_bar(browser, example):
    page = browser.open(example.serve(), size=(1000, 560))
    scheme(page, "light")
    for job, progress in {
        "photos": {"name": "photos-2026.zip", "step": "Done", "percent": 100},
        "holiday": {"name": "holiday.mp4", "step": "Encoding video", "percent": 20},
        "report": {"name": "Report for the third quarter", "step": "Drawing charts", "percent": 5},
    }.items():
        example.node.publish(f"jobs/{job}", json.dumps(progress), JSON, method="PUT")
    page.until('document.querySelectorAll("article:not(.empty)").length === 3')
    page.run("await new Promise((resolve) => setTimeout(resolve, 2600))")  # so that there is a pace to tell
    example.node.publish("jobs/holiday", json.dumps({"name": "holiday.mp4", "step": "Encoding video", "percent": 62}), JSON, method="PUT")
    example.node.publish("jobs/report", json.dumps({"name": "Report for the third quarter", "step": "Drawing charts", "percent": 18}), JSON, method="PUT")
    page.until('document.title.startsWith("62 %")')
    page.run("await new Promise((resolve) => setTimeout(resolve, 600))")
    return page


def sensor_dashboard(browser, example):
    page = browser.open(example.serve(), size=(1200, 570))
    scheme(page, "dark")
    example.start(example.shown("sensors.py"))
    page.until('document.querySelectorAll("article").length === 6', 30)
    page.until('document.querySelector(".curve").getAttribute("d").split("L").length >= 70', 60)
    return page


def chat(browser, example):
    address = example.serve()
    pages = {}
    for name in ("Ann", "Bob", "Cleo", "Mehmet"):
        page = pages[name] = browser.open(address, size=(1000, 640))
        scheme(page, "light")
        page.until('document.getElementById("door").open')
        page.run(f'document.querySelector("#door input").value = "{name}"; document.querySelector("#door button").click()')
        page.until('document.getElementById("link").className === "connected"')
    page = pages["Ann"]
    page.until('document.querySelectorAll("#members li").length === 4')
    for number, (name, text) in enumerate([
        ("Bob", "Morning! Is the new release out?"), ("Mehmet", "Since nine. Rolled over all five nodes."), ("Mehmet", "Nobody noticed, which is the idea."),
        ("Ann", "I killed a broker while it ran, to be sure."), ("Ann", "Publishing went on after a second."), ("Cleo", "And the readers?"),
        ("Ann", "They did not see any of it."),
    ], 1):
        pages[name].run(f'document.querySelector("#write input").value = {json.dumps(text)}; document.querySelector("#write button").click()')
        page.until(f'document.querySelectorAll("#messages li:not(.pending)").length === {number}')
    pages["Bob"].run('document.querySelector("#write input").dispatchEvent(new InputEvent("input"))')
    page.until('document.getElementById("typing").textContent === "Bob is typing"')
    return page


def notification_bell(browser, example):
    send = lambda title, text: example.node.publish("notifications/ann", json.dumps({"title": title, "text": text}), JSON)
    send("Welcome", "Good to have you here.")
    send("Cleo", "shared “Plans for spring” with you.")
    page = browser.open(example.serve(), size=(1000, 640))
    scheme(page, "light")
    page.until('document.getElementById("badge").textContent === "2"')
    for _ in range(2):
        page.run('document.getElementById("bell").click()')
    for title, text in [("Deployment", "Version 2.4 is live on all nodes."), ("Bob", "Lunch at noon?"), ("Mehmet", "mentioned you in #lobby: “ask Ann, she broke it”")]:
        send(title, text)
    page.until('document.getElementById("badge").textContent === "3"')
    page.run('document.getElementById("bell").click()')
    page.run("await new Promise((resolve) => setTimeout(resolve, 800))")
    return page


def log_tail(browser, example):
    for host in ("web-1", "web-2", "db-1"):
        example.start(example.shown("pub logs/web-1").replace("web-1", host))
    _, output = example.start(example.shown("colour.py"))
    until(lambda: example.text(output).count("\n") >= 24, 30, "lines")
    return terminals(browser, [("tidings sub 'logs/#' --json | ./colour.py", example.text(output), 23)], (1000, 560))


def worker_group(browser, example):
    workers = {name: example.start(example.shown(f"worker.py {name}")) for name in ("ann", "bob", "cid")}
    text = lambda name: example.text(workers[name][1])
    until(lambda: all("takes" in text(name) for name in workers), 20, "the lanes' being taken")
    example.do(example.shown("seq 40"))
    example.do(example.shown("/v1/publish"))
    until(lambda: text("bob").count("did") >= 3, 20, "bob's third job")
    os.killpg(workers["bob"][0].pid, signal.SIGKILL)
    until(lambda: len(example.published("results")) == 40, 40, "all results")
    panes = [(f"./worker.py {name}", text(name) + ("Killed\n" if name == "bob" else ""), 24) for name in workers]
    return terminals(browser, panes, (1200, 560))


def terminals(browser, panes, size):
    """What commands printed, as terminals show it."""
    shown = []
    for command, text, most in panes:
        lines = html.escape("\n".join(text.rstrip("\n").splitlines()[:most]))
        lines = re.sub(r"\x1b\[(\d\d)(;1)?m", lambda found: f'<span style="color:{COLOURS[found[1]]}{";font-weight:700" if found[2] else ""}">', lines)
        lines = lines.replace("\x1b[0m", "</span>")
        shown.append(f'<section><header><i></i><i></i><i></i></header><pre><b>$</b> {html.escape(command)}\n{lines}</pre></section>')
    page = browser.open("about:blank#terminals", size=size)
    page.run(f"""document.body.innerHTML = {json.dumps("".join(shown))};
      document.head.innerHTML = `<style>body {{ margin: 0; padding: 20px; background: #dfe5ec; height: 100vh; box-sizing: border-box; display: grid; gap: 16px;
        grid-template-columns: repeat({len(panes)}, 1fr); }} section {{ background: #1c2128; border-radius: 10px; overflow: hidden; box-shadow: 0 8px 24px #0004; }}
        header {{ background: #2d333b; padding: 9px 12px; display: flex; gap: 7px; }} i {{ width: 11px; height: 11px; border-radius: 50%; background: #545d68; }}
        pre {{ margin: 0; padding: 12px 16px; color: #adbac7; font: 13.5px/1.45 "DejaVu Sans Mono", monospace; white-space: pre-wrap; }}
        b {{ color: #6bc46d; }}</style>`""")
    return page


def main(wanted):
    with Browser() as browser:
        for take in (progress_bar, sensor_dashboard, chat, notification_bell, log_tail, worker_group):
            name = take.__name__.replace("_", "-")
            if wanted and name not in wanted:
                continue
            with Example(name) as example:
                page = take(browser, example)
                page.call("Page.bringToFront")
                file = PICTURES / f"{name}.png"
                page.screenshot(file)
                print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1000} kB")
                assert file.stat().st_size < LARGEST, "too large"


if __name__ == "__main__":
    main(sys.argv[1:])
