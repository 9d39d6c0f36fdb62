"""Does gatebench see what wrk sees? `json` on uvicorn by both, alternated, with the same connections.

    .venv/bin/python bench/against_wrk.py

Prints each round and the median of the ratios gatebench / wrk, which one slow spell of the machine does not move;
ends with 1 when it is off by more than 7 %.
Both run on the generator's CPU, the server on its own. wrk counts from its first connection on, gatebench leaves the
start of a slice out; with rounds of two seconds that is well under a percent.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import spec
from harness.machine.placement import place, usable_cpus
from harness.subject.launch import Launched, launch, wait_settled
from harness.subject.services import Services
from harness.suite import Closed, load_definitions
from harness.suite.choice import arm_of
from harness.trial import generator as load

CONNECTIONS = 64
LOAD = Closed(connections=CONNECTIONS)
ROUNDS = 12
SECONDS = 2
ALLOWED = 0.07


def main() -> int:
    """Alternate, print, judge."""
    wrk = shutil.which("wrk")
    if wrk is None:
        print("wrk is missing: apt-get install wrk")
        return 2
    known = load_definitions()
    target, server, scenario = known.targets["fastapi"], known.servers["uvicorn"], known.scenarios["json"]
    arm = arm_of(known, "p1b", target, server, scenario, levels={}, loads=(LOAD,))
    where = place(usable_cpus())
    ratios = []
    with (
        tempfile.TemporaryDirectory(prefix="gatebench-") as folder,
        launch(arm, known.factors.values(), Services(), cpus=where.server, log=Path(folder, "target.log")) as running,
    ):
        running.wait_ready()
        running.verify()
        wait_settled([running])
        for number in range(ROUNDS):
            measures = [ours, theirs] if number % 2 else [theirs, ours]
            rps = {measure: measure(running, where.generator, Path(folder)) for measure in measures}
            ratios.append(rps[ours] / rps[theirs])
            print(
                f"{number + 1:2}: gatebench {rps[ours]:7.0f}/s  wrk {rps[theirs]:7.0f}/s  {ratios[-1]:.3f}", flush=True
            )
    ratio = statistics.median(ratios)
    held = abs(ratio - 1) <= ALLOWED
    print(f"gatebench / wrk: median {ratio:.3f}, {min(ratios):.3f} to {max(ratios):.3f}: {'PASS' if held else 'FAIL'}")
    return 0 if held else 1


def ours(server: Launched, cpus: tuple[int, ...], folder: Path) -> float:
    """Good answers a second by our engine."""
    request = spec.Request(path=server.arm.scenario.request.path)
    told = spec.Spec(
        arms=(spec.Arm(name="p1b", port=server.port, request=request, load=LOAD),),
        rounds=((0,),),
        slice_s=float(SECONDS),
    )
    result = load.run(told, cpus=cpus, log=folder / "generator.log", on_event=lambda *_: None)
    return result.slices[0].throughput_rps


def theirs(server: Launched, cpus: tuple[int, ...], _: Path) -> float:
    """Requests a second by wrk."""
    url = f"http://{server.host}:{server.port}{server.arm.scenario.request.path}"
    argv = ["taskset", "-c", ",".join(map(str, cpus)), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", url]
    out = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    found = re.search(r"Requests/sec:\s*([\d.]+)", out)
    if found is None or "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"wrk: {out}")
    return float(found[1])


if __name__ == "__main__":
    sys.exit(main())
