"""What every scenario shares: the harness, by its path, and how a scenario begins and ends."""

import json
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Process"))

from harness.cluster import Cluster  # noqa: E402, F401
from harness.node import until  # noqa: E402, F401
from harness.witness import Witness  # noqa: E402, F401

BEGAN = time.monotonic()


def interrupted(*_):
    raise KeyboardInterrupt


# However it is told to end, what it started ends with it.
signal.signal(signal.SIGTERM, interrupted)
signal.signal(signal.SIGHUP, interrupted)


def say(text):
    print(f"{time.monotonic() - BEGAN:7.2f} s  {text}", flush=True)


def topics(name, count):
    return [f"{name}/{number}" for number in range(count)]


def conclude(account, *failures):
    """Prints the account; the scenario's exit code. Failures are sentences: what did not hold beside loss and doubling."""
    print(account, flush=True)
    problems = [*failures, *account.problems[:10]]
    for problem in problems:
        print(f"  ✘ {problem}", flush=True)
    is_good = account.is_good and not failures
    print("nothing lost, nothing doubled" if is_good else "FAILED", flush=True)
    note(
        acknowledged=account.acknowledged, delivered=account.delivered, lost=account.lost, doubled=account.doubled, disorder=account.disorder,
        silence=account.longest_silence, quiet=account.longest_quiet, errors=account.errors, result="held" if is_good else "FAILED: " + "; ".join(problems[:2]))
    return 0 if is_good else 1


def note(**result):
    """Keeps the result for `all`, which makes a table of them."""
    path = os.environ.get("TIDINGS_SCENARIO_RESULT")
    if path:
        pathlib.Path(path).write_text(json.dumps({"seconds": time.monotonic() - BEGAN, **result}))
