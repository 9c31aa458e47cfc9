#!/usr/bin/env python3
"""Reads what `tidings sub --json` prints, and writes it for eyes: who said it, in a colour of their own, and what."""

import json
import sys
import zlib

LEVELS = {"ERROR": 31, "WARN": 33, "INFO": 32}

for line in sys.stdin:
    event = json.loads(line)
    if "gap" in event:
        print(f"\033[35m-- lines are missing here: {event['gap']['reason']}\033[0m", flush=True)
        continue
    host = event["topic"].removeprefix("logs/")
    words = [f"\033[{LEVELS[word]};1m{word}\033[0m" if word in LEVELS else word for word in str(event["data"]).split(" ")]
    print(f"\033[{34 + zlib.crc32(host.encode()) % 3}m{host:>10}\033[0m  {' '.join(words)}", flush=True)
