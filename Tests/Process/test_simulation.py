"""Whole clusters in simulated time: fresh seeds, seeds that once failed, and mistakes that must be found.

A seed that fails here is run again with `tidings sim --seed N --duration 60s`: it tells what happened, exactly.
"""

import os
import random
import subprocess
import unittest

from harness.node import BINARY

# Each of these found a fault when it was run for the first time.
FAILED_ONCE = [6, 7, 9, 10, 11, 12, 13, 14, 15, 26, 29, 42, 60, 62, 71, 197, 238, 346, 360, 366, 371, 470, 679]
# And these when they were run for half an hour of simulated time.
FAILED_LONG = [251, 1390]

FRESH = 200

# Seeds within which each mistake is found; the numbers are about twice those it took.
PLANTED = {
    "sync-dropped": 20,
    "acknowledged-before-commit": 20,
    "acknowledged-before-durable": 100,
    "vote-not-saved": 400,
    "log-not-truncated": 40,
    "snapshot-without-position": 300,
    "resumed-one-too-low": 20,
    "resumed-one-too-high": 20,
    "feed-live-too-low": 40,
    "keys-lost-on-leader-change": 20,
    "cursor-folded-wrongly": 20,
    "torn-tail-taken-for-damage": 50,
    "damage-taken-for-torn-tail": 500,
    "unsynced-log-voted-with": 1000,
    "stale-log-elected": 40,
    "joint-majority-forgotten": 80,
    "save-acknowledged-before-commit": 10,
    "told-before-saved": 10,
    "published-before-saved": 40,
    "unreleased-not-saved": 10,
    "epoch-ignored": 20,
    "will-forgotten": 20,
    "will-under-new-keys": 40,
}


def sim(*words, timeout=300):
    return subprocess.run([BINARY, "sim", *words], capture_output=True, text=True, timeout=timeout)


class SimulationTests(unittest.TestCase):
    def test_fresh_seeds(self):
        """Seeds that nobody ran before break nothing"""
        first = random.randrange(1, 2**40)
        print(f"seeds {first}..{first + FRESH - 1}", flush=True)
        run = sim("--seeds", f"{first}..{first + FRESH - 1}", "--duration", "60s", "--jobs", str(os.cpu_count() or 1))
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertIn("violations        0", run.stdout)

    def test_seeds_that_failed(self):
        """Seeds that once found a fault find none"""
        for seed in FAILED_ONCE:
            for duration in ["60s", "2m"]:
                run = sim("--seed", str(seed), "--duration", duration)
                self.assertEqual(run.returncode, 0, f"seed {seed}\n{run.stdout}{run.stderr}")
        for seed in FAILED_LONG:
            run = sim("--seed", str(seed), "--duration", "30m")
            self.assertEqual(run.returncode, 0, f"seed {seed}\n{run.stdout[-10000:]}{run.stderr}")

    def test_same_seed_same_trace(self):
        """The same seed is the same run, in every process"""
        for seed in random.sample(range(1, 2**40), 5):
            traces = {sim("--seed", str(seed), "--duration", "30s").stdout.splitlines()[-1] for _ in range(2)}
            self.assertEqual(len(traces), 1, f"seed {seed}: {traces}")
            self.assertRegex(traces.pop(), r"^trace [0-9a-f]{16}$")

    def test_usage(self):
        """What cannot be run is said"""
        for words in [[], ["--seed", "x"], ["--seeds", "5..1"], ["--seeds", "5"], ["--seed", "1", "--seeds", "1..2"], ["--seed", "1", "--plant", "x"]]:
            run = sim(*words)
            self.assertEqual(run.returncode, 2, f"{words}: {run.stderr}")


class PlantedFaultTests(unittest.TestCase):
    def test_every_mistake_is_found(self):
        """Each mistake that is made on purpose is found within its number of seeds"""
        known = sim("--help").stdout
        for fault, seeds in PLANTED.items():
            self.assertIn(fault, known)
            with self.subTest(fault):
                run = sim("--plant", fault, "--seeds", f"1..{seeds}", "--duration", "60s", "--jobs", "2")
                self.assertNotEqual(run.returncode, 0, f"{fault} was not found within {seeds} seeds")
                self.assertNotEqual(run.returncode, 2, run.stderr)


if __name__ == "__main__":
    unittest.main()
