"""What `gatebench tune` recommends where the answer is known without a reference.

    .venv/bin/python bench/tuning.py cpu          json on one core: more than one worker brings nothing
    .venv/bin/python bench/tuning.py impossible   an objective that nothing holds
    .venv/bin/python bench/tuning.py all

Prints PASS or FAIL for each claim with what was measured, and ends with 1 when a claim fails. Needs the machine to
itself: 3 minutes. bench/rates.py holds what it recommends against grids, and its intervals against fresh launches.
"""
# ruff: noqa: PLR2004 - the numbers of a claim are its point

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from bench.claims import Answer, Claims, Part, gatebench, main

SIDE = '{ target = "fastapi", server = "uvicorn", client = "aiohttp" }'
IMPOSSIBLE = f"""
[upstream]
delay_ms = 50
[[pair]]
scenario = "external-data"
a = {SIDE}
b = {SIDE}
"""
Candidate = tuple[int, int]
"""Workers and threads of each."""


def tune(*argv: str, may: tuple[int, ...] = (0,)) -> Answer:
    """What `gatebench tune --json` prints, and under "took" the seconds that the call took."""
    began = time.monotonic()
    _, out = gatebench("tune", *argv, "--json", may=may)
    answer: Answer = json.loads(out)
    return answer | {"took": time.monotonic() - began}


def recommended(answer: Answer) -> Candidate:
    """The candidate to deploy."""
    candidate = answer["recommended"]
    return candidate["workers"], candidate["threads"]


def cpu(claims: Claims) -> None:
    """A service that is bound by the CPU is given no more workers than it has cores."""
    answer = tune("--target", "fastapi", "--server", "uvicorn", "--scenario", "json", "--budget", "2m")
    workers, _ = recommended(answer)
    claims.check("json on one core: 1 worker", f"{workers}", held=workers == 1)
    text = answer["explanation"]
    claims.check("it says why, and what cores would change", text, held="core" in text and "more" in text)


def impossible(claims: Claims) -> None:
    """An objective below the unloaded response time is refused in under a minute."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "impossible.toml"
        path.write_text(IMPOSSIBLE)
        answer = tune(str(path), "--slo", "p99<1ms", may=(1,))
    held = answer["took"] < 60 and "No load can hold" in answer["explanation"]
    claims.check("said in under a minute", f"{answer['took']:.0f} s: {answer['explanation']}", held=held)


PARTS: dict[str, Part] = {
    "cpu": cpu,
    "impossible": impossible,
}


if __name__ == "__main__":
    sys.exit(main(PARTS, __doc__))
