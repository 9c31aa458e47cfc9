"""Runs the tests of one folder: runner.py FOLDER [FILTER].

Prints a line per test and ends with "N of M tests passed". FILTER keeps tests whose name or sentence contains it.
A test that is skipped counts as failed: a check that did not run has not passed.
"""

import faulthandler
import pathlib
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "Tests" / "Process"))

# A test that hangs is told where, and ends the run, rather than holding it for ever.
LONGEST_RUN = 1500


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


def main():
    folder, wanted = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else "").lower()
    faulthandler.dump_traceback_later(LONGEST_RUN, exit=True)
    found = unittest.TestLoader().discover(folder, pattern="test_*.py", top_level_dir=folder)
    tests = [test for test in every_test(found) if wanted in f"{test.id()} {test.shortDescription()}".lower()]
    report = Report()
    unittest.TestSuite(tests).run(report)
    total = len(tests) + sum(1 for test, _ in report.errors if not hasattr(test, "_testMethodName"))
    print(f"{report.passed} of {total} tests passed", flush=True)
    faulthandler.cancel_dump_traceback_later()
    # Threads that a failed test left behind must not hold the run.
    sys.stdout.flush()
    import os
    os._exit(0 if report.passed == total else 1)


if __name__ == "__main__":
    main()
