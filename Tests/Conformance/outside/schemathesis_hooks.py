"""What schemathesis must be told of this interface. Loaded by it, in its own Python."""

import json

import schemathesis


@schemathesis.hook
def before_call(context, case, arguments):
    """A wait that would be waited is none: a run must end. What is no wait stays what it is."""
    for parameters in (case.query, case.body):
        if isinstance(parameters, dict) and "wait" in parameters:
            parameters["wait"] = unhurried(parameters["wait"])


def unhurried(wait):
    try:
        return 0 if int(str(wait).removesuffix("s")) > 0 else wait
    except ValueError:
        return wait


@schemathesis.serializer("application/x-ndjson", "application/jsonl")
def lines(context, value):
    if isinstance(value, bytes):
        return value
    return value.encode(errors="surrogatepass") if isinstance(value, str) else json.dumps(value).encode()
