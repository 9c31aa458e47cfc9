"""Programs from PyPI, each in a place of its own."""

import shutil
import subprocess

from harness.node import ROOT

INSTALL_WITHIN = 300  # seconds


def installed(name, requirement):
    """The folder of a virtual environment that has it; it is made if it is not there yet. Says in a sentence why it cannot be."""
    place = ROOT / ".build" / name
    mark = place / "installed"
    if mark.exists() and mark.read_text() == requirement:
        return place
    shutil.rmtree(place, ignore_errors=True)
    said = ""
    for command in (["/usr/bin/python3", "-m", "venv", place], [place / "bin" / "pip", "install", "--quiet", requirement]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{requirement} was not installed within {INSTALL_WITHIN} s: can PyPI be reached?") from None
        said += done.stdout + done.stderr
        if done.returncode:
            last = (said.strip().splitlines() or ["nothing was said"])[-1]
            raise AssertionError(f"{requirement} cannot be installed from PyPI, so nothing was checked with it. The last that was said: {last}")
    mark.write_text(requirement)
    return place
