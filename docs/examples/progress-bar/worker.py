#!/usr/bin/env python3
"""A long job that tells how far it is: python3 worker.py [NAME] [SECONDS]"""

import json
import random
import sys
import time
import urllib.error
import urllib.request

NODE = "http://127.0.0.1:8080"
STEPS = ["Unpacking", "Analysing", "Encoding video", "Encoding sound", "Packing"]


def tell(job, **progress):
    """Publishes where the job is as the topic's current value, however long that takes: the work itself never fails for it."""
    request = urllib.request.Request(
        f"{NODE}/v1/topics/jobs/{job}", method="PUT", data=json.dumps(progress).encode(),
        headers={
            "Content-Type": "application/json",
            "Idempotency-Key": f"{job}-{STARTED}-{progress['percent']}",  # sent twice it counts once
            "Tidings-TTL": "1h",  # a job that died is forgotten by itself
        })
    while True:
        try:
            urllib.request.urlopen(request, timeout=10).close()
            return
        except OSError as problem:
            if isinstance(problem, urllib.error.HTTPError) and problem.code < 500:
                raise  # the node said no, and would say it again
            print(f"  {problem}; trying again", flush=True)
            time.sleep(random.uniform(0.2, 1))


STARTED = int(time.time())
name = sys.argv[1] if len(sys.argv) > 1 else "holiday.mp4"
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 30
job = "".join(letter if letter.isalnum() else "-" for letter in name)
for percent in range(101):
    step = STEPS[min(percent * len(STEPS) // 100, len(STEPS) - 1)] if percent < 100 else "Done"
    tell(job, name=name, step=step, percent=percent)
    print(f"{percent:3} %  {step}", flush=True)
    if percent < 100:
        time.sleep(seconds / 100 * random.uniform(0.3, 1.7))
