"""Prints a suite: further neighbours of a health check, beside those of the suite `neighbours`.

    python bench/examples/neighbours/suite.py > further.toml
    gatebench verify further.toml
    gatebench run further.toml        (ten minutes)

An upload is a request like any other, whose body stands in the suite: hence a program that writes it.
"""

import hashlib
import json

BODY = "0123456789abcdef" * 65_536
"""A mebibyte."""
ANSWER = {"bytes": len(BODY), "sha256": hashlib.sha256(BODY.encode()).hexdigest()}
SUITE = f"""
about = '''
A health check beside a request that computes for 200 ms now and then, and beside uploads of 1 MiB: at how many of them
is more than 5 % of its answers later than 100 ms?'''
blocks = 3
rounds = 1
phases = ["closed"]  # shows the capacity of which the victim gets a share

[[scenario]]
name = "health"
about = "The victim: the smallest answer there is."
request = {{ path = "/health" }}
expect = {{ json = {{ status = "ok" }} }}
connections = 32

[[scenario]]
name = "sums"
about = "Pure Python for 200 ms of CPU: an event loop serves nobody else meanwhile, and threads take turns with it."
request = {{ path = "/compute?ms=200" }}
expect = {{ json = {{ computed_ms = 200 }} }}

[[scenario]]
name = "photo"
about = "1 MiB in a body, of which size and digest come back."
request.method = "POST"
request.path = "/upload"
request.headers = {{ Content-Type = "application/octet-stream" }}
request.body = {json.dumps(BODY)}
expect = {{ json = {{ bytes = {ANSWER["bytes"]}, sha256 = "{ANSWER["sha256"]}" }} }}

# Each of so many clients asks once a second.
[[pair]]
scenario = "health"
[pair.disturbance]
kind = "held"
request = "sums"
how = "now-and-then"
every_s = 1
count = [0, 1, 2, 4]
late_share = 0.05

# Each of so many clients sends another one as soon as it is answered.
[[pair]]
scenario = "health"
[pair.disturbance]
kind = "held"
request = "photo"
count = [0, 1, 2, 4, 8]
late_share = 0.05
"""

if __name__ == "__main__":
    print(SUITE)
