"""Does gatebench measure what wrk measures? `json` on uvicorn by both, in turn, with the same connections.

    .venv/bin/python bench/against_wrk.py

Prints each round and the median of the ratios gatebench / wrk, which a slow spell of the machine does not move. Ends
with 1 when the median is off by more than 7 %, with 2 when wrk is missing.

Both run on the generator's CPU, the server on its own. wrk counts from its first connection on, and gatebench leaves
the start of a slice out; in rounds of two seconds that is well under a percent.
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
from harness.trial import generator

CONNECTIONS = 64
LOAD = Closed(connections=CONNECTIONS)
ROUNDS = 12
SECONDS = 2
ALLOWED = 0.07


def main() -> int:
    """Measure in turn, print, and return the exit code."""
    wrk = shutil.which("wrk")
    if wrk is None:
        print("wrk is missing: apt-get install wrk")
        return 2
    definitions = load_definitions()
    target, server = definitions.targets["fastapi"], definitions.servers["uvicorn"]
    scenario = definitions.scenarios["json"]
    arm = arm_of(definitions, "p1b", target, server, scenario, levels={}, loads=(LOAD,))
    factors = definitions.factors.values()
    placement = place(usable_cpus())
    ratios = []
    with (
        tempfile.TemporaryDirectory(prefix="gatebench-") as folder,
        launch(arm, factors, Services(), cpus=placement.server, log=Path(folder, "target.log")) as running,
    ):
        running.wait_ready()
        for request in running.requests():
            running.verify(request)
        wait_settled([running])
        for number in range(ROUNDS):
            measures = [ours, theirs] if number % 2 else [theirs, ours]
            rps = {measure: measure(running, placement.generator, Path(folder)) for measure in measures}
            ratios.append(rps[ours] / rps[theirs])
            print(
                f"{number + 1:2}: gatebench {rps[ours]:7.0f}/s  wrk {rps[theirs]:7.0f}/s  {ratios[-1]:.3f}", flush=True
            )
    ratio = statistics.median(ratios)
    held = abs(ratio - 1) <= ALLOWED
    print(f"gatebench / wrk: median {ratio:.3f}, {min(ratios):.3f} to {max(ratios):.3f}: {'PASS' if held else 'FAIL'}")
    return 0 if held else 1


def ours(server: Launched, cpus: tuple[int, ...], folder: Path) -> float:
    """Good answers a second, by our engine."""
    request = spec.Request(path=server.arm.scenario.requests[0].path)
    phase = spec.Spec(
        arms=(spec.DrivenArm(name="p1b", port=server.port, request=request, load=LOAD),),
        rounds=((0,),),
        slice_s=float(SECONDS),
    )
    result = generator.run(phase, cpus=cpus, log=folder / "generator.log", on_event=lambda *_: None)
    return result.slices[0].throughput_rps


def theirs(server: Launched, cpus: tuple[int, ...], _: Path) -> float:
    """Requests a second, by wrk."""
    url = f"http://{server.host}:{server.port}{server.arm.scenario.requests[0].path}"
    argv = ["taskset", "-c", ",".join(map(str, cpus)), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", url]
    output = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    rate = re.search(r"Requests/sec:\s*([\d.]+)", output)
    if rate is None or "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"wrk: {output}")
    return float(rate[1])


if __name__ == "__main__":
    sys.exit(main())
