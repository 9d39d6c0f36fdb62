"""A mix of requests, held against a single one and against our twins: three claims, each measured.

    .venv/bin/python bench/mix.py [NUMBER ...]

Prints each claim with its figures, PASS or FAIL, and ends with 1 when one fails, with 2 when nginx is missing. Needs
nginx (Debian: nginx-light), two CPUs, and the machine to itself for two minutes.
"""
# ruff: noqa: PLR2004 - the numbers of a claim are its point

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

from bench import instruments
from bench.engine import Claim, checked, latency
from bench.instruments import Placed, arm, closed, opened, run
from harness import record, spec
from harness.spec.histogram import Histogram

WEIGHTS = {"front": 8, "search": 6, "order": 3, "sign-up": 1, "account": 2}
"""Those of benchmarks/scenarios/shop.toml."""
SUITE = """
blocks = 1
rounds = 1
slice_s = {slice_s}
open_slice_s = 2

[[pair]]
scenario = "shop"
"""


def mix(variants: int = 20) -> spec.Mix:
    """Five requests, each in so many variants, to a server that answers all of them with five bytes."""

    def variant(name: str, number: int) -> spec.Request:
        body = f'{{"number": {number}}}' if name == "order" else ""
        return spec.Request(
            method="POST" if body else "GET", path=f"/{name}/{number}", body=body, length=5, digest_every=1
        )

    return spec.Mix(
        name="shop",
        requests=tuple(
            spec.Weighted(name=name, weight=weight, variants=tuple(variant(name, n) for n in range(variants)))
            for name, weight in WEIGHTS.items()
        ),
    )


def cheap(where: Placed) -> Iterator[Claim]:
    """1. Against nginx `return 200`, 32 connections, one core each: throughput of a mix by that of a single request."""
    with instruments.nginx(where) as port:
        for variants, least in ((20, 0.7), (400, 0.5)):
            shares = []
            for _ in range(5):
                mixed = replace(arm(port), request=mix(variants))
                single, several = (run(where, closed(each, slice_s=1)).slices[0] for each in (arm(port), mixed))
                shares.append(several.throughput_rps / single.throughput_rps)
            share = statistics.median(shares)
            yield share >= least, f"{5 * variants} requests: {share:.2f} of a single one's (at least {least})"


def punctual(where: Placed) -> Iterator[Claim]:
    """2. Open load on the same nginx, 5,000 arrivals a second, 100 requests; medians of three slices."""
    with instruments.nginx(where) as port:
        phase = opened(port, 5_000, slices=3)
        slices = run(where, replace(phase, arms=(replace(phase.arms[0], request=mix()),))).slices
    late = statistics.median(latency((slice_,), "lateness").percentile(99) for slice_ in slices)
    cpu = statistics.median(slice_.generator.cpu_percent for slice_ in slices)
    yield late <= 500, f"lateness p99 {late:.0f} us (at most 500)"
    yield cpu < 50, f"generator CPU {cpu:.0f} % of a core (under 50)"


def whole(where: Placed) -> Iterator[Claim]:
    """3. `shop` on our twins, with its login and its data: over 5,000 requests of each arm."""
    (where.folder / "mix.toml").write_text(SUITE.format(slice_s=10))
    cpus = ",".join(map(str, (*where.server, *where.generator)))
    argv = [sys.executable, "-P", "-m", "harness", "run", "mix.toml", "--out", "mine", "--shared-cpu"]
    done = subprocess.run(
        ["taskset", "-c", cpus, *argv],
        cwd=where.folder,
        env=instruments.environment(),
        capture_output=True,
        timeout=180,
        check=False,
    )
    if done.returncode not in {0, 3}:
        yield False, done.stderr.decode()[-1000:]
        return
    for trial in record.read(where.folder / "mine").trials:
        if trial.phase == "open":
            continue
        off = max(abs((row.share or 0) - row.weight / sum(WEIGHTS.values())) for row in trial.by_request)
        enough = trial.requests >= 5000
        yield (
            enough and off <= 0.02,
            f"{trial.arm}: {trial.requests:,} requests, shares off by {off:.4f} (at most 0.02)",
        )
        yield not trial.errors and not trial.error, f"{trial.arm}: {trial.errors} wrong answers {trial.error or ''}"
        merged = Histogram.merged(Histogram.decode(row.histogram or "") for row in trial.by_request)
        same = trial.histogram is not None and bool((merged.counts == Histogram.decode(trial.histogram).counts).all())
        yield same, f"{trial.arm}: the requests' histograms merge to the whole's, count for count"


CLAIMS: tuple[Callable[[Placed], Iterator[Claim]], ...] = (cheap, punctual, whole)


def main(*numbers: str) -> int:
    """Check the claims of these numbers, or all; returns the exit code."""
    if gaps := [gap for gap in instruments.missing() if gap.startswith("nginx")]:
        print("\n".join(gaps))
        return 2
    failed = 0
    with instruments.placed() as where:
        for number, claim in enumerate(CLAIMS, start=1):
            if numbers and str(number) not in numbers:
                continue
            print(claim.__doc__, flush=True)
            for held, figures in checked(claim, where):
                failed += not held
                print(f"    {'PASS' if held else 'FAIL'}  {figures}", flush=True)
    print(f"{failed} failed" if failed else "all held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
