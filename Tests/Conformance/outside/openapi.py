"""Schemathesis, which asks a node everything that its description allows and forbids. From PyPI, into a place of its own."""

import json
import os
import pathlib
import subprocess

from harness.node import ROOT

from . import tools

VERSION = "4.32.5"
DOCUMENT = ROOT / "docs" / "openapi.yaml"
HOOKS = pathlib.Path(__file__).with_name("schemathesis_hooks.py")
RUN_WITHIN = 120

# In the place's own Python, which has YAML and a validator: the document as JSON, and which of its examples break its schemas.
READ = """
import json, sys, yaml, jsonschema_rs
document = yaml.safe_load(open(sys.argv[1]))
wrong, seen = [], 0
def look(part, place):
    global seen
    if isinstance(part, list):
        for index, each in enumerate(part): look(each, f"{place}/{index}")
    if not isinstance(part, dict): return
    if "schema" in part:
        given = [part["example"]] if "example" in part else [each["value"] for each in part.get("examples", {}).values()]
        validator = jsonschema_rs.Draft202012Validator({"allOf": [part["schema"]], "components": document["components"]})
        for example in given:
            seen += 1
            wrong.extend(f"{place}: {error.message}" for error in validator.iter_errors(example))
    for name, each in part.items(): look(each, f"{place}/{name}")
look(document, "")
json.dump({"document": document, "wrong": wrong, "examples": seen}, sys.stdout)
"""


def installed():
    return tools.installed("schemathesis", f"schemathesis=={VERSION}")


def description():
    """The document as JSON, with what its examples have against its schemas."""
    command = [installed() / "bin" / "python", "-c", READ, str(DOCUMENT)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def run(url, document, folder, *options):
    """One run: its exit code, and what it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCHEMATHESIS_")}
    environment |= {"SCHEMATHESIS_HOOKS": HOOKS.stem, "PYTHONPATH": str(HOOKS.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [installed() / "bin" / "st", "run", document, "--url", url, "--no-color", "--warnings", "off", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=RUN_WITHIN)
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"schemathesis was not done within {RUN_WITHIN} s: {(error.stdout or b'')[-2000:]}") from None
    return done.returncode, done.stdout + done.stderr
