"""Runs the tests of one folder: runner.py FOLDER [FILTER].

Prints a line per test and ends with "N of M tests passed". FILTER keeps tests whose name or sentence contains it.
A test that is skipped counts as failed: a check that did not run has not passed.

Nodes that elect, expire and reconnect leave a machine waiting for most of a test, so classes of tests run in two lanes,
each class in a process of its own with ports of its own; what a class says is printed when it has ended.
"""

import argparse
import concurrent.futures
import faulthandler
import os
import pathlib
import queue
import re
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "Tests" / "Process"))

LANES = 2
# A class that hangs is told where, and ends, rather than holding the run for ever.
LONGEST_CLASS = 900
SUMMARY = re.compile(r"^([0-9]+) of ([0-9]+) tests passed$", re.MULTILINE)


class Report(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.passed = 0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.cases = 0

    def line(self, mark, test, note=""):
        sentence = test.shortDescription() or str(test)
        cases = f", {self.cases} cases" if getattr(self, "cases", 0) > 1 else ""
        print(f"{mark} {sentence} ({time.monotonic() - self.began:.1f} s{cases}){note}", flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self.line("✔", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.line("✘", test)
        print(self.failures[-1][1], flush=True)

    def addError(self, test, error):
        super().addError(test, error)
        self.began = getattr(self, "began", time.monotonic())
        self.line("✘", test)
        print(self.errors[-1][1], flush=True)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        self.cases += 1
        if error is not None:
            self.line("✘", test, f": {subtest._subDescription()}")
            mine = self.failures if issubclass(error[0], test.failureException) else self.errors
            print(mine[-1][1], flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("✘", test, f": skipped, {reason}")


def every_test(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from every_test(part)
        else:
            yield part


def class_of(test):
    # A file that cannot be loaded is a test too, which says so; it has a class of the loader's.
    return test.id().rpartition(".")[0]


def run_class(tests):
    """What a lane runs: the tests of one class, in this process."""
    faulthandler.dump_traceback_later(LONGEST_CLASS, exit=True)
    report = Report()
    unittest.TestSuite(tests).run(report)
    total = len(tests) + sum(1 for test, _ in report.errors if not hasattr(test, "_testMethodName"))
    print(f"{report.passed} of {total} tests passed", flush=True)
    # Threads that a failed test left behind must not hold the run.
    os._exit(0 if report.passed == total else 1)


def run_in_lanes(folder, wanted, tests):
    classes = {}
    for test in tests:
        classes.setdefault(class_of(test), []).append(test)
    lanes = queue.SimpleQueue()
    for lane in range(LANES):
        lanes.put(str(lane))

    def run(name):
        lane = lanes.get()
        try:
            return subprocess.run(
                [sys.executable, "-B", "-u", __file__, folder, wanted, "--class", name], text=True, errors="replace",
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | {"TIDINGS_TEST_LANE": lane})
        finally:
            lanes.put(lane)

    passed = total = 0
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        running = {pool.submit(run, name): name for name in classes}
        for done in concurrent.futures.as_completed(running):
            name, result = running[done], done.result()
            summary = SUMMARY.findall(result.stdout)
            print(SUMMARY.sub("", result.stdout).rstrip(), flush=True)
            if summary:
                passed += int(summary[-1][0])
                total += int(summary[-1][1])
            else:
                print(f"✘ {name} did not finish (code {result.returncode})", flush=True)
                total += len(classes[name])
    print(f"{passed} of {total} tests passed", flush=True)
    return passed == total


def main():
    options = argparse.ArgumentParser(description="Runs the tests of one folder.")
    options.add_argument("folder")
    options.add_argument("filter", nargs="?", default="")
    options.add_argument("--class", dest="only", help=argparse.SUPPRESS)
    wanted = options.parse_args()
    found = unittest.TestLoader().discover(wanted.folder, pattern="test_*.py", top_level_dir=wanted.folder)
    tests = [test for test in every_test(found) if wanted.filter.lower() in f"{test.id()} {test.shortDescription()}".lower()]
    if wanted.only:
        run_class([test for test in tests if class_of(test) == wanted.only])
    sys.exit(0 if run_in_lanes(wanted.folder, wanted.filter, tests) else 1)


if __name__ == "__main__":
    main()
