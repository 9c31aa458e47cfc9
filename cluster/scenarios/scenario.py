"""What every scenario shares: the harness, by its path, and how a scenario begins and ends."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Process"))

from harness.cluster import Cluster  # noqa: E402, F401
from harness.witness import Witness  # noqa: E402, F401

BEGAN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGAN:7.2f} s  {text}", flush=True)


def conclude(account):
    """Prints the account; the scenario's exit code."""
    print(account, flush=True)
    for problem in account.problems[:10]:
        print(f"  ✘ {problem}", flush=True)
    print("nothing lost, nothing doubled" if account.is_good else "FAILED", flush=True)
    return 0 if account.is_good else 1
