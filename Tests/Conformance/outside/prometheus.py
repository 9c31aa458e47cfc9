"""Reads the Prometheus text format (0.0.4) and complains of everything that promtool would, and of names and units."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)(?: (-?\d+))?")
KINDS = {"counter", "gauge", "histogram", "summary", "untyped"}


class Wrong(AssertionError):
    pass


def labels_of(text, line):
    found, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match:
            raise Wrong(f"labels of {line!r}")
        if match[1] in found:
            raise Wrong(f"label {match[1]} twice in {line!r}")
        found[match[1]] = match[2]
        at = match.end()
        if at < len(text):
            if text[at] != ",":
                raise Wrong(f"labels of {line!r}")
            at += 1
    return found


def read(text):
    """The samples as {(name, labels): value} and the kinds as {name: kind}."""
    if not text.endswith("\n"):
        raise Wrong("the last line has no end")
    kinds, helped, samples, family, closed = {}, set(), {}, None, set()
    for line in text.split("\n")[:-1]:
        if not line:
            continue
        if line.startswith("#"):
            _, word, name, *rest = line.split(" ", 3)
            if word == "HELP":
                if name in helped:
                    raise Wrong(f"HELP of {name} twice")
                if not rest or not rest[0]:
                    raise Wrong(f"HELP of {name} says nothing")
                helped.add(name)
            elif word == "TYPE":
                if name in kinds or rest[0] not in KINDS:
                    raise Wrong(line)
                kinds[name] = rest[0]
            continue
        match = SAMPLE.fullmatch(line)
        if not match:
            raise Wrong(f"sample {line!r}")
        name, value = match[1], float(match[3])
        base = next((name.removesuffix(end) for end in ("_bucket", "_sum", "_count") if kinds.get(name.removesuffix(end)) in ("histogram", "summary")), name)
        if base not in kinds or base not in helped:
            raise Wrong(f"{name} has no TYPE or no HELP before it")
        if base != family:
            if base in closed:
                raise Wrong(f"samples of {base} do not stand together")
            closed.add(family)
            family = base
        labels = labels_of(match[2] or "", line)
        key = (name, tuple(sorted(labels.items())))
        if key in samples:
            raise Wrong(f"{key} twice")
        samples[key] = value
        if kinds[base] == "counter" and not base.endswith("_total"):
            raise Wrong(f"counter {base} does not end in _total")
        if kinds[base] != "counter" and base.endswith("_total"):
            raise Wrong(f"{base} ends in _total and is no counter")
        if kinds[base] in ("counter", "histogram") and value < 0:
            raise Wrong(f"{line!r} is negative")
        if re.search(r"_(milliseconds|ms|microseconds|kilobytes|kb|minutes)(_|$)", base):
            raise Wrong(f"{base} is not in base units")
    check_histograms(kinds, samples)
    return samples, kinds


def check_histograms(kinds, samples):
    series = {}
    for (name, labels), value in samples.items():
        base = name.removesuffix("_bucket")
        if base != name and kinds.get(base) == "histogram":
            rest = tuple(pair for pair in labels if pair[0] != "le")
            series.setdefault((base, rest), []).append((float(dict(labels)["le"]), value))
    for (base, labels), buckets in series.items():
        bounds = [bound for bound, _ in buckets]
        counts = [count for _, count in buckets]
        if bounds != sorted(set(bounds)) or bounds[-1] != float("inf"):
            raise Wrong(f"buckets of {base}{labels}: {bounds}")
        if counts != sorted(counts):
            raise Wrong(f"buckets of {base}{labels} are not cumulative")
        if samples.get((f"{base}_count", labels)) != counts[-1] or (f"{base}_sum", labels) not in samples:
            raise Wrong(f"sum and count of {base}{labels}")
